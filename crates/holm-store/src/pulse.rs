//! The one look of an idle process: it says that its node is there, and learns what is due for whom.
//!
//! Promises: one statement, whose parts each read a few entries of an index, however much there is. Whatever somebody
//! commits and a process should hear of shows here too, so that a word that was lost is made up for with the next look.
//! Refuses to do anything about what is due: those whose it is ask again, with their own locks.

use std::time::Duration;

use holm_core::id::{ClusterId, NodeId};
use holm_core::route::RouteVersion;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::operation::claim::{Known, due, kinds_and_versions, until};
use crate::row::column;

/// Who looks, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The node, and what its data plane uses.
    pub node: Option<(NodeId, RouteVersion)>,
    /// The operations that it can run.
    pub known: &'a [Known],
    /// The scheduled work that it can do.
    pub jobs: &'a [&'a str],
}

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Whether the node is known; if not, it was taken for gone and must join anew.
    pub known: bool,
    /// How many nodes there are, silent ones too.
    pub nodes: u64,
    /// Grows with every node that joins.
    pub membership: u64,
    /// The newest change of routes.
    pub routes: RouteVersion,
    /// Which catalog this is.
    pub incarnation: Uuid,
    /// Until an operation is due.
    pub operations: Option<Duration>,
    /// Until scheduled work is due.
    pub jobs: Option<Duration>,
    /// Until a tenant or a kept name is at its end.
    pub ends: Option<Duration>,
    /// Whether a tenant is being created.
    pub creating: bool,
    /// The clusters of which trouble is noted, by whomever.
    pub troubled: Vec<ClusterId>,
    /// Whether a webhook has something to be told and is told by nobody.
    pub webhooks: bool,
    /// Whether mail may be to write, and is written by nobody.
    pub mails: bool,
}

/// A node's version never goes back, whatever comes late.
pub(crate) const PULSE: &str = concat!(
    "WITH beat AS (
    UPDATE node SET seen_at = now(), route_version = greatest(route_version, $2) WHERE id = $1 RETURNING id
)
SELECT $1 IS NULL OR EXISTS (SELECT FROM beat) AS known,
    (SELECT count(*) FROM node) AS nodes, c.version, c.membership, c.incarnation,
    ",
    due!("$3", "$4"),
    " AS operations,
    (SELECT min(due_at) FROM schedule WHERE name = ANY($5)) AS jobs,
    least(
        (SELECT min(until) FROM tenant_alias),
        (SELECT min(expires_at) FROM tenant WHERE expires_at IS NOT NULL AND state IN ('creating', 'serving', 'paused', 'suspended'))
    ) AS ends,
    EXISTS (SELECT FROM tenant WHERE state = 'creating') AS creating,
    ARRAY(SELECT id FROM cluster WHERE trouble IS NOT NULL) AS troubled,
    EXISTS (
        SELECT FROM webhook w
        WHERE w.disabled_at IS NULL
            AND (w.leased_until IS NULL OR w.leased_until < now())
            AND (w.paused_until IS NULL OR w.paused_until <= now())
            AND (w.seq < (SELECT seq FROM audit_head)
                OR EXISTS (SELECT FROM webhook_delivery d WHERE d.webhook_id = w.id AND d.state = 'pending' AND d.next_at <= now()))
    ) AS webhooks,
    EXISTS (
        SELECT FROM mail_head
        WHERE (leased_until IS NULL OR leased_until < now()) AND next_at <= now()
            AND (seq < (SELECT seq FROM audit_head) OR checked_at IS NULL OR checked_at < now() - interval '24 hours')
    ) AS mails,
    clock_timestamp() AS now
FROM route_clock c"
);

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[PULSE];

/// Says that the node is there, and looks.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn look(catalog: &Catalog, look: &Look<'_>) -> Result<Pulse, StoreError> {
    let (kinds, versions) = kinds_and_versions(look.known)?;
    let node = look.node.map(|(id, _)| id.as_uuid());
    let uses = look.node.map_or(0, |(_, uses)| uses.0);
    let uses = i64::try_from(uses).map_err(|error| StoreError::Fault(error.into()))?;
    let row = catalog.session().await?.query_one(PULSE, &[&node, &uses, &kinds, &versions, &look.jobs]).await?;
    let membership = column::count_big(&row, "membership")?;
    catalog.saw_membership(membership);
    Ok(Pulse {
        known: column::get(&row, "known")?,
        nodes: column::count_big(&row, "nodes")?,
        membership,
        routes: column::route_version(&row, "version")?,
        incarnation: column::uuid(&row, "incarnation")?,
        operations: until(&row, "operations")?,
        jobs: until(&row, "jobs")?,
        ends: until(&row, "ends")?,
        creating: column::get(&row, "creating")?,
        troubled: column::get::<Vec<Uuid>>(&row, "troubled")?.into_iter().map(ClusterId::from_uuid).collect(),
        webhooks: column::get(&row, "webhooks")?,
        mails: column::get(&row, "mails")?,
    })
}
