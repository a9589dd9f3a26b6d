//! How many of its cluster's connections a tenant may have.
//!
//! Promises: the minimums of a cluster's tenants, deleted ones included since they can come back, are together never raised
//! above what its tenants share. A minimum that is lowered always goes through: a cluster may have shrunk under them.

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::id::{ClusterId, TenantId};
use holm_core::limits::{InvalidLimits, LimitsChange, TenantLimits, shared_by_tenants};
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use tokio_postgres::Row;

use super::{BY_ID, Tenant};
use crate::error::StoreError;
use crate::row::{Corrupt, column};
use crate::tx::Tx;

/// One at a time on each cluster: two that each fit may not fit together.
const HOLD: &str = "\
SELECT c.id, c.name, c.connections_max
FROM tenant t
JOIN environment e ON e.id = t.environment_id
JOIN database d ON d.id = t.database_id
JOIN cluster c ON c.id = d.cluster_id
WHERE e.name = $1 AND t.slug = $2 AND t.state NOT IN ('failed', 'dropped')
FOR NO KEY UPDATE OF c";
const LOCK: &str = "\
SELECT t.id, t.state, t.connections_min, t.connections_max, t.weight
FROM tenant t
JOIN environment e ON e.id = t.environment_id
WHERE e.name = $1 AND t.slug = $2 AND t.state NOT IN ('failed', 'dropped')
FOR UPDATE OF t";
const OTHERS: &str = "\
SELECT coalesce(sum(t.connections_min) FILTER (WHERE t.id <> $2), 0)::bigint AS minimums, coalesce(bool_or(t.id = $2), false) AS is_there
FROM database d
JOIN tenant t ON t.database_id = d.id
WHERE d.cluster_id = $1 AND t.state NOT IN ('failed', 'dropped')";
const SET: &str = "\
UPDATE tenant
SET connections_min = $2, connections_max = $3, weight = $4, epoch = epoch + 1, updated_at = now()
WHERE id = $1";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[HOLD, LOCK, OTHERS, SET];

/// A cluster whose tenants' limits nobody else changes before the transaction ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCluster {
    id: ClusterId,
    name: ClusterName,
    connections_max: u32,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Limited {
    /// The tenant has new limits, and had others; the version comes from the commit.
    Changed(Tenant, TenantLimits),
    /// It has had them since its `route_version`.
    Unchanged(Tenant),
    /// No such tenant in that environment.
    Absent,
    /// It is in a state in which that has no meaning.
    Refused(TenantState),
    /// Its database is on another cluster than the one that is held.
    Moved,
    /// They cannot be.
    Invalid(InvalidLimits),
    /// The minimums of the cluster's tenants would be more than they share.
    NoRoom {
        /// Which.
        cluster: ClusterName,
        /// The sum that it would be.
        minimums: u64,
        /// What its tenants share.
        shared: u32,
    },
}

/// Holds the cluster of a tenant's database, if it has one; before anything locks the tenant.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn hold(tx: &mut Tx, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Option<HeldCluster>, StoreError> {
    let Some(row) = tx.query_opt(HOLD, &[&environment.as_str(), &slug.as_str()]).await? else { return Ok(None) };
    Ok(Some(HeldCluster {
        id: ClusterId::from_uuid(column::uuid(&row, "id")?),
        name: column::parsed(&row, "name")?,
        connections_max: column::count(&row, "connections_max")?,
    }))
}

/// Changes a tenant's limits, from the version that the commit returns. Refused while it is being made, and once it is deleted.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn change(
    tx: &mut Tx,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    change: &LimitsChange,
    held: Option<&HeldCluster>,
) -> Result<Limited, StoreError> {
    let Some(row) = tx.query_opt(LOCK, &[&environment.as_str(), &slug.as_str()]).await? else { return Ok(Limited::Absent) };
    let id = TenantId::from_uuid(column::uuid(&row, "id")?);
    let state: TenantState = column::parsed(&row, "state")?;
    if !state.is_established() {
        return Ok(Limited::Refused(state));
    }
    let Some(held) = held else { return Ok(Limited::Moved) };
    let before = read(&row)?;
    let after = match before.changed(change) {
        Ok(after) => after,
        Err(why) => return Ok(Limited::Invalid(why)),
    };
    let row = tx.query_one(OTHERS, &[&held.id.as_uuid(), &id.as_uuid()]).await?;
    if !column::get::<bool>(&row, "is_there")? {
        return Ok(Limited::Moved);
    }
    let (minimums, shared) = (column::count_big(&row, "minimums")? + u64::from(after.min()), shared_by_tenants(held.connections_max));
    if after.min() > before.min() && minimums > shared.into() {
        return Ok(Limited::NoRoom { cluster: held.name.clone(), minimums, shared });
    }
    if after != before {
        let fits = |number: u32| i32::try_from(number).map_err(|error| StoreError::Fault(error.into()));
        let (min, max, weight) = (fits(after.min())?, after.max().map(fits).transpose()?, fits(after.weight())?);
        tx.execute(SET, &[&id.as_uuid(), &min, &max, &weight]).await?;
        tx.changed_tenant(id);
    }
    let tenant = super::read(&tx.query_one(BY_ID, &[&id.as_uuid()]).await?)?;
    Ok(if after == before { Limited::Unchanged(tenant) } else { Limited::Changed(tenant, before) })
}

/// Columns `connections_min`, `connections_max` and `weight`.
pub(crate) fn read(row: &Row) -> Result<TenantLimits, StoreError> {
    let max = column::get::<Option<i32>>(row, "connections_max")?.map(u32::try_from).transpose().corrupt("connections_max")?;
    TenantLimits::new(column::count(row, "connections_min")?, max, column::count(row, "weight")?).corrupt("connections_min")
}
