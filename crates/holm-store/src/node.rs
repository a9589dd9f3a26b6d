//! Who runs on this catalog: processes, their versions, and which routes the data plane of each uses.
//!
//! Promises: a node joins under the lock that versions of routes are given out under, so that of a change and a joining node
//! one knows of the other. The catalog's clock says how long a node was not heard of. Refuses to say that a silent node is
//! dead: it may serve without being able to tell.

use std::time::Duration;

use holm_core::environment::EnvironmentName;
use holm_core::id::NodeId;
use holm_core::route::RouteVersion;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::migrate;
use crate::row::{Corrupt, column};
use crate::tx::Tx;
use crate::wake::{NODES, WORDS};

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeRole {
    /// Control plane and data plane.
    All,
    /// Control plane.
    Control,
    /// Data plane.
    Data,
}

impl NodeRole {
    /// The word that people use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Control => "control",
            Self::Data => "data",
        }
    }

    /// Whether it carries sessions.
    pub const fn carries(self) -> bool {
        !matches!(self, Self::Control)
    }
}

/// A process that joins.
#[derive(Clone, Debug)]
pub struct NewNode {
    /// Of this run of the process.
    pub id: NodeId,
    /// What people call it; of two with one name the former is taken for gone once it is silent.
    pub name: String,
    /// What it does.
    pub role: NodeRole,
    /// The version of its Holm.
    pub holm_version: String,
}

/// A process as the catalog knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its identity.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// What it does.
    pub role: NodeRole,
    /// The version of its Holm.
    pub holm_version: String,
    /// What its data plane uses.
    pub route_version: RouteVersion,
    /// When it started.
    pub started_at: Timestamp,
    /// For how long it was not heard of, by the catalog's clock.
    pub silent: Duration,
    /// The one environment that it is told of, where it is let in by a key for one; of all of them without.
    pub environment: Option<EnvironmentName>,
}

/// The processes, and what one has to have seen to know them all.
#[derive(Clone, Debug, Default)]
pub struct Nodes {
    /// Grows with every one that joins.
    pub membership: u64,
    /// All of them, by name.
    pub nodes: Vec<Node>,
}

/// The clock's row first: until this is committed no change of routes gets a version.
const JOIN: &str = "\
WITH clock AS (
    UPDATE route_clock SET membership = membership + 1 RETURNING membership
)
INSERT INTO node (id, name, role, holm_version, schema_version)
SELECT $1, $2, $3, $4, $5 FROM clock";
/// A version never goes back, whatever comes late.
const SEEN: &str = "UPDATE node SET seen_at = now(), route_version = greatest(route_version, $2) WHERE id = $1";
pub(crate) const TELL: &str = "SELECT pg_notify($1, '')";
/// Whole or not at all: PostgreSQL refuses a payload of 8000 bytes or more.
const SAY: &str = "SELECT pg_notify($1, $2)";
const LEAVE: &str = "DELETE FROM node WHERE id = $1";
/// As silent as one that is not waited for; never less than it was.
const FALL_SILENT: &str = "UPDATE node SET seen_at = least(seen_at, now() - $2::bigint * interval '1 millisecond') WHERE id = $1";
const LIST: &str = "\
SELECT c.membership, n.id, n.name, n.role, n.holm_version, n.route_version, n.started_at,
    (extract(epoch FROM greatest(now() - n.seen_at, interval '0')) * 1000)::bigint AS silent_ms, e.name AS environment
FROM route_clock c
LEFT JOIN node n ON true
LEFT JOIN data_node d ON d.id = n.data_node_id
LEFT JOIN environment e ON e.id = d.environment_id
ORDER BY n.name, n.started_at, n.id";
/// Another process of the name has taken its place, or it was silent for longer than any serves alone.
const FORGET: &str = "\
DELETE FROM node n
WHERE n.seen_at < now() - $1::bigint * interval '1 millisecond'
    OR n.seen_at < now() - $2::bigint * interval '1 millisecond'
        AND EXISTS (SELECT FROM node later WHERE later.name = n.name AND later.started_at > n.started_at)
RETURNING n.name";
/// Only those that are silent for long enough; whoever lives under the name stays.
const GIVE_UP: &str = "DELETE FROM node WHERE name = $1 AND seen_at < now() - $2::bigint * interval '1 millisecond' RETURNING id";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[JOIN, SEEN, TELL, SAY, LEAVE, FALL_SILENT, LIST, FORGET, GIVE_UP];

/// Joins; load the routes only after it.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it has joined or not, and an id that is not used is forgotten.
pub async fn join(catalog: &Catalog, new: &NewNode) -> Result<(), StoreError> {
    let mut session = catalog.session().await?;
    let (role, schema) = (new.role.as_str(), migrate::known());
    session.execute(JOIN, &[&new.id.as_uuid(), &new.name, &role, &new.holm_version, &schema]).await?;
    session.execute(TELL, &[&NODES]).await.map(drop)
}

/// Says that a node is there and what it uses. Returns whether it is known; if not, it was taken for gone and must join anew.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe.
pub async fn seen(catalog: &Catalog, id: NodeId, uses: RouteVersion) -> Result<bool, StoreError> {
    let uses = i64::try_from(uses.0).map_err(|error| StoreError::Fault(error.into()))?;
    Ok(catalog.session().await?.execute(SEEN, &[&id.as_uuid(), &uses]).await? > 0)
}

/// As [`seen`], and tells those who wait for it.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe.
pub async fn acknowledge(catalog: &Catalog, id: NodeId, uses: RouteVersion) -> Result<bool, StoreError> {
    let known = seen(catalog, id, uses).await?;
    catalog.session().await?.execute(TELL, &[&NODES]).await?;
    Ok(known)
}

/// Says something to every process that listens now; it may be lost. Less than 8000 bytes.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe.
pub async fn say(catalog: &Catalog, word: &str) -> Result<(), StoreError> {
    catalog.session().await?.execute(SAY, &[&WORDS, &word]).await.map(drop)
}

/// Leaves: it carries nothing any more.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe.
pub async fn leave(catalog: &Catalog, id: NodeId) -> Result<(), StoreError> {
    let mut session = catalog.session().await?;
    session.execute(LEAVE, &[&id.as_uuid()]).await?;
    session.execute(TELL, &[&NODES]).await.map(drop)
}

/// Leaves as one that keeps routes on its disk: it carries nothing any more, and may again without asking anybody. From now
/// on it counts as not heard of for `silent`.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe.
pub async fn fall_silent(catalog: &Catalog, id: NodeId, silent: Duration) -> Result<(), StoreError> {
    let millis = i64::try_from(silent.as_millis()).map_err(|error| StoreError::Fault(error.into()))?;
    let mut session = catalog.session().await?;
    session.execute(FALL_SILENT, &[&id.as_uuid(), &millis]).await?;
    session.execute(TELL, &[&NODES]).await.map(drop)
}

/// All processes, also those that are silent.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog) -> Result<Nodes, StoreError> {
    let rows = catalog.session().await?.query(LIST, &[]).await?;
    let membership = rows.first().map_or(Ok(0), |row| column::count_big(row, "membership"))?;
    catalog.saw_membership(membership);
    let nodes = rows.iter().filter_map(|row| read(row).transpose()).collect::<Result<_, _>>()?;
    Ok(Nodes { membership, nodes })
}

/// Forgets those that were silent for `alone`, and for `replaced` where another of the name came after them. Returns names.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe.
pub async fn forget(catalog: &Catalog, alone: Duration, replaced: Duration) -> Result<Vec<String>, StoreError> {
    let millis = |time: Duration| i64::try_from(time.as_millis()).map_err(|error| StoreError::Fault(error.into()));
    let rows = catalog.session().await?.query(FORGET, &[&millis(alone)?, &millis(replaced)?]).await?;
    rows.iter().map(|row| column::get(row, "name")).collect()
}

/// Gives up those of a name that were silent for so long, and tells those who wait for them. Returns which.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn give_up(tx: &mut Tx, name: &str, silent: Duration) -> Result<Vec<NodeId>, StoreError> {
    let millis = i64::try_from(silent.as_millis()).map_err(|error| StoreError::Fault(error.into()))?;
    let rows = tx.query(GIVE_UP, &[&name, &millis]).await?;
    tx.execute(TELL, &[&NODES]).await?;
    rows.iter().map(|row| column::uuid(row, "id").map(NodeId::from_uuid)).collect()
}

fn read(row: &Row) -> Result<Option<Node>, StoreError> {
    let Some(id) = column::get::<Option<Uuid>>(row, "id")? else { return Ok(None) };
    let role = match column::get::<&str>(row, "role")? {
        "all" => NodeRole::All,
        "control" => NodeRole::Control,
        // What a newer Holm calls otherwise may carry sessions.
        _ => NodeRole::Data,
    };
    Ok(Some(Node {
        id: NodeId::from_uuid(id),
        name: column::get(row, "name")?,
        role,
        holm_version: column::get(row, "holm_version")?,
        route_version: column::route_version(row, "route_version")?,
        started_at: column::get(row, "started_at")?,
        silent: Duration::from_millis(column::get::<i64>(row, "silent_ms")?.try_into().corrupt("silent_ms")?),
        environment: column::parsed_opt(row, "environment")?,
    }))
}
