//! A cluster's life: its states, what is observed of it, and its end.
//!
//! Promises: a state changes only by `ClusterState::after`. A cluster that is removed keeps its row, without its password,
//! so that operations and tenants that name it stay readable; its name and its server are free again.

use holm_core::capability::Capability;
use holm_core::cluster::state::{ClusterEvent, ClusterState};
use holm_core::error::Problem;
use holm_core::id::{ClusterId, TenantId};
use holm_core::slug::TenantSlug;
use tokio_postgres::types::Json;

use super::{Cluster, read, select};
use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::residency::assigned::asked_for;
use crate::row::column;
use crate::state::Update;
use crate::tenant;
use crate::tx::Tx;

const STATE: &str = "SELECT state FROM cluster WHERE id = $1 FOR UPDATE";
/// What the pool's trouble was means nothing once none is kept.
const SET_STATE: &str = "\
UPDATE cluster
SET state = $2, trouble = CASE WHEN $2 IN ('filling', 'open') THEN trouble END
WHERE id = $1";
const REMOVE: &str = "\
UPDATE cluster
SET state = 'removed', removed_at = now(), sealed_admin_password = '\\x00', client_cert = NULL, sealed_client_key = NULL,
    trouble = NULL
WHERE id = $1";
/// What sealed its password, wherever a copy of that is.
const DESTROY_KEYS: &str = "\
UPDATE data_key
SET destroyed_at = now(), wrapped = NULL, master_key_id = NULL
WHERE cluster_id = $1 AND destroyed_at IS NULL";
pub(super) const RETIRE: &str = "UPDATE template SET state = 'retired' WHERE cluster_id = $1 AND state <> 'retired'";
pub(super) const CONDEMN: &str = "UPDATE database SET state = 'condemned' WHERE cluster_id = $1 AND state IN ('planned', 'ready')";
const DROP_TEMPLATES: &str = "\
UPDATE template
SET state = 'retired', dropped_at = coalesce(dropped_at, now())
WHERE cluster_id = $1 AND dropped_at IS NULL";
const FORGET_DATABASES: &str = "DELETE FROM database WHERE cluster_id = $1 AND state <> 'claimed'";
/// Those that have a database there, and those that wait for one there.
const TENANTS: &str = concat!(
    "SELECT t.id, t.slug, t.database_id IS NULL AS waits, t.database_id IS NULL AND ",
    asked_for!(),
    " AS asked_for\n\
     FROM tenant t\n\
     LEFT JOIN database d ON d.id = t.database_id\n\
     WHERE (d.cluster_id = $1 OR (t.database_id IS NULL AND t.wanted_cluster_id = $1)) AND t.state NOT IN ('failed', 'dropped')\n\
     ORDER BY t.slug, t.id"
);
const LEFT_OVER: &str = "\
SELECT (SELECT count(*) FROM database WHERE cluster_id = $1) AS databases,
    (SELECT count(*) FROM template WHERE cluster_id = $1 AND dropped_at IS NULL) AS templates";
const OBSERVED: &str = "\
UPDATE cluster
SET capability_before = CASE WHEN $3 THEN capability ELSE capability_before END,
    capability_changed_at = CASE WHEN $3 THEN now() ELSE capability_changed_at END,
    capability = $2, server_version = $4
WHERE id = $1 AND state <> 'removed'";
const TO_OBSERVE: &str = select!(
    "WHERE c.state <> 'removed' AND (c.capability IS NULL OR (c.adopted_oid IS NULL AND c.copies_seen_at IS NULL)\n\
     \x20   OR (c.capability ->> 'observed_at')::timestamptz < now() - interval '1 hour')\n\
     ORDER BY c.id"
);

/// Every statement of this module.
pub const STATEMENTS: &[&str] =
    &[STATE, SET_STATE, REMOVE, DESTROY_KEYS, RETIRE, CONDEMN, DROP_TEMPLATES, FORGET_DATABASES, TENANTS, LEFT_OVER, OBSERVED, TO_OBSERVE];

/// A tenant that is, or wants to be, on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// Its identity.
    pub id: TenantId,
    /// Its name.
    pub slug: TenantSlug,
    /// Whether it has no database yet.
    pub waits: bool,
    /// Whether somebody named this cluster for one that waits; one that Holm placed may be placed elsewhere.
    pub asked_for: bool,
}

impl Resident {
    /// Whether it goes elsewhere when the cluster goes: it has nothing here, and nobody asked for this one.
    pub const fn goes_elsewhere(&self) -> bool {
        self.waits && !self.asked_for
    }
}

/// Tells a cluster an event. Draining and withdrawing also give up the pool: every template is retired, every database that
/// no tenant has is condemned.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn tell(tx: &mut Tx, id: ClusterId, event: ClusterEvent) -> Result<Update<ClusterState>, StoreError> {
    let Some(row) = tx.query_opt(STATE, &[&id.as_uuid()]).await? else {
        return Ok(Update::Absent);
    };
    let state: ClusterState = column::parsed(&row, "state")?;
    let Ok(next) = state.after(event) else {
        return Ok(Update::Refused(state));
    };
    if next == state {
        return Ok(Update::Done);
    }
    if next == ClusterState::Removed {
        return remove(tx, id).await;
    }
    tx.execute(SET_STATE, &[&id.as_uuid(), &next.as_str()]).await?;
    if next == ClusterState::Draining {
        tx.execute(RETIRE, &[&id.as_uuid()]).await?;
        tx.execute(CONDEMN, &[&id.as_uuid()]).await?;
    }
    tx.wake();
    Ok(Update::Done)
}

/// What is left in the catalog of what was there goes with it; tenants must be gone.
async fn remove(tx: &mut Tx, id: ClusterId) -> Result<Update<ClusterState>, StoreError> {
    tx.execute(DROP_TEMPLATES, &[&id.as_uuid()]).await?;
    tx.execute(FORGET_DATABASES, &[&id.as_uuid()]).await?;
    tx.execute(REMOVE, &[&id.as_uuid()]).await?;
    tx.execute(DESTROY_KEYS, &[&id.as_uuid()]).await?;
    tx.changed_cluster(id);
    Ok(Update::Done)
}

/// Who is, or wants to be, on a cluster, by name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn residents_within(tx: &mut Tx, id: ClusterId) -> Result<Vec<Resident>, StoreError> {
    tx.query(TENANTS, &[&id.as_uuid()]).await?.iter().map(read_resident).collect()
}

/// As [`residents_within`], outside any transaction.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn residents(catalog: &Catalog, id: ClusterId) -> Result<Vec<Resident>, StoreError> {
    catalog.session().await?.query(TENANTS, &[&id.as_uuid()]).await?.iter().map(read_resident).collect()
}

fn read_resident(row: &tokio_postgres::Row) -> Result<Resident, StoreError> {
    Ok(Resident {
        id: TenantId::from_uuid(column::uuid(row, "id")?),
        slug: column::parsed(row, "slug")?,
        waits: column::get(row, "waits")?,
        asked_for: column::get(row, "asked_for")?,
    })
}

/// Gives up the creation of tenants that wait for a database on a cluster and may have none elsewhere, since somebody named it.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn turn_away(tx: &mut Tx, id: ClusterId, failure: &Problem) -> Result<(), StoreError> {
    for resident in residents_within(tx, id).await?.into_iter().filter(|resident| resident.waits && resident.asked_for) {
        // One that got its database elsewhere meanwhile is none of ours.
        let _ = tenant::fail(tx, resident.id, failure).await?;
    }
    Ok(())
}

/// Whether the catalog knows of nothing of Holm's on a cluster any more.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn is_empty(catalog: &Catalog, id: ClusterId) -> Result<bool, StoreError> {
    let row = catalog.session().await?.query_one(LEFT_OVER, &[&id.as_uuid()]).await?;
    Ok(column::count_big(&row, "databases")? == 0 && column::count_big(&row, "templates")? == 0)
}

/// Notes what was seen of a cluster; `changed` says that something is different from before.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn observed(catalog: &Catalog, id: ClusterId, seen: &Capability, changed: bool) -> Result<(), StoreError> {
    let version = i32::try_from(seen.facts.server_version).map_err(|error| StoreError::Fault(error.into()))?;
    catalog.session().await?.execute(OBSERVED, &[&id.as_uuid(), &Json(seen), &changed, &version]).await.map(drop)
}

/// As [`observed`], in the transaction that records the cluster, or how it is reached.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn observed_within(tx: &mut Tx, id: ClusterId, seen: &Capability, changed: bool) -> Result<(), StoreError> {
    let version = i32::try_from(seen.facts.server_version).map_err(|error| StoreError::Fault(error.into()))?;
    tx.execute(OBSERVED, &[&id.as_uuid(), &Json(seen), &changed, &version]).await.map(drop)
}

/// Those that were not looked at for an hour.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn to_observe(catalog: &Catalog) -> Result<Vec<Cluster>, StoreError> {
    catalog.session().await?.query(TO_OBSERVE, &[]).await?.iter().map(read).collect()
}
