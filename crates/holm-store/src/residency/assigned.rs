//! Which profile a tenant's copies are judged by, and what an environment gives to a tenant that asks for none (R60).
//!
//! Promises: in an environment that has a profile no tenant is made without one.

use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::id::{ClusterId, EnvironmentId, TenantId};
use holm_core::slug::TenantSlug;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

const OF_ENVIRONMENT: &str = "SELECT kind, profile FROM environment WHERE name = $1";
const SET_OF_ENVIRONMENT: &str = "UPDATE environment SET profile = $2 WHERE id = $1";
const SET_OF_TENANT: &str = "UPDATE tenant SET profile = $2, updated_at = now() WHERE id = $1 AND state NOT IN ('failed', 'dropped')";
const OF_TENANT: &str = "SELECT profile FROM tenant WHERE id = $1";
const HELD: &str = "\
SELECT t.id, t.slug, e.name AS environment, e.kind, t.profile, d.cluster_id
FROM tenant t
JOIN environment e ON e.id = t.environment_id
JOIN database d ON d.id = t.database_id
WHERE t.state NOT IN ('failed', 'dropped')
ORDER BY e.name, t.slug";
/// Of those that wait for a database there or anywhere. Nobody has an exception for a copy that there is not.
pub(crate) const WAITING: &str = "\
SELECT DISTINCT t.profile, e.name AS environment, e.kind
FROM tenant t
JOIN environment e ON e.id = t.environment_id
JOIN cluster c ON c.environment_id = e.id
WHERE c.id = $1 AND t.state = 'creating' AND t.database_id IS NULL AND t.profile IS NOT NULL
    AND (t.wanted_cluster_id IS NULL OR t.wanted_cluster_id = c.id)
ORDER BY t.profile";
/// Whether somebody named the cluster that a tenant waits for: what the last decision says, and who was wished near a place named none.
macro_rules! asked_for {
    () => {
        "coalesce((\n\
         \x20       SELECT (x.decision ->> 'asked_for')::boolean\n\
         \x20       FROM residency_decision x\n\
         \x20       WHERE x.tenant_id = t.id\n\
         \x20       ORDER BY x.decided_at DESC, x.id DESC\n\
         \x20       LIMIT 1\n\
         \x20   ), t.wanted_cluster_id IS NOT NULL AND t.near IS NULL)"
    };
}
pub(crate) use asked_for;

/// Those that an operation makes are placed by it.
pub(crate) const UNPLACED: &str = concat!(
    "SELECT t.id, t.slug, e.name AS environment, e.kind, t.profile, t.near, t.wanted_cluster_id, ",
    asked_for!(),
    " AS asked_for\n\
     FROM tenant t\n\
     JOIN environment e ON e.id = t.environment_id\n\
     WHERE t.state = 'creating' AND t.database_id IS NULL AND t.made_by IS NULL AND (t.profile IS NOT NULL OR t.near IS NOT NULL)\n\
     ORDER BY t.created_at, t.id\n\
     LIMIT 1000"
);
const IN_USE: &str = "\
SELECT profile AS name FROM tenant WHERE profile IS NOT NULL AND state NOT IN ('failed', 'dropped')
UNION
SELECT profile FROM environment WHERE profile IS NOT NULL";

const IN_USE_THERE: &str = "\
SELECT profile AS name FROM tenant WHERE environment_id = $1 AND profile IS NOT NULL AND state NOT IN ('failed', 'dropped')
UNION
SELECT profile FROM environment WHERE id = $1 AND profile IS NOT NULL
ORDER BY name";

/// Every statement of this module.
pub const STATEMENTS: &[&str] =
    &[OF_ENVIRONMENT, SET_OF_ENVIRONMENT, SET_OF_TENANT, OF_TENANT, HELD, WAITING, UNPLACED, IN_USE, IN_USE_THERE];

/// What an environment is for, and what it gives to a tenant that asks for none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// What it is for.
    pub kind: EnvironmentKind,
    /// The profile.
    pub profile: Option<String>,
}

/// A profile of tenants that wait for a database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Its name.
    pub profile: String,
    /// Their environment.
    pub environment: EnvironmentName,
    /// What that is for.
    pub kind: EnvironmentKind,
}

/// A tenant that waits for a database, and is judged or wished near a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unplaced {
    /// Its identity.
    pub tenant: TenantId,
    /// Its name.
    pub slug: TenantSlug,
    /// Its environment.
    pub environment: EnvironmentName,
    /// What that is for.
    pub kind: EnvironmentKind,
    /// By which profile it is judged, if by any.
    pub profile: Option<String>,
    /// Near what it is wished, if that is said.
    pub near: Option<String>,
    /// Where its database is to be, if that is said.
    pub wanted: Option<ClusterId>,
    /// Whether somebody named that cluster.
    pub asked_for: bool,
}

/// A tenant that has a database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Its identity.
    pub tenant: TenantId,
    /// Its name.
    pub slug: TenantSlug,
    /// Its environment.
    pub environment: EnvironmentName,
    /// What that is for.
    pub kind: EnvironmentKind,
    /// By which profile it is judged, if any.
    pub profile: Option<String>,
    /// Where its database is.
    pub cluster: ClusterId,
}

/// What an environment gives to a tenant that asks for none; `None` if there is no such environment. It counts until the transaction
/// ends if the caller holds the epoch shared.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn of_environment_within(tx: &mut Tx, environment: &EnvironmentName) -> Result<Option<Given>, StoreError> {
    let row = tx.query_opt(OF_ENVIRONMENT, &[&environment.as_str()]).await?;
    row.as_ref().map(read_given).transpose()
}

/// As [`of_environment_within`], outside any transaction.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of_environment(catalog: &Catalog, environment: &EnvironmentName) -> Result<Option<Given>, StoreError> {
    let row = catalog.session().await?.query_opt(OF_ENVIRONMENT, &[&environment.as_str()]).await?;
    row.as_ref().map(read_given).transpose()
}

/// Says what an environment gives to tenants that ask for none. Tenants that are there keep what they have.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn set_of_environment(tx: &mut Tx, environment: EnvironmentId, profile: &str) -> Result<(), StoreError> {
    tx.execute(SET_OF_ENVIRONMENT, &[&environment.as_uuid(), &profile]).await.map(drop)
}

/// Says by which profile a tenant is judged from now on. Returns whether there is such a tenant.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn set_of_tenant(tx: &mut Tx, tenant: TenantId, profile: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(SET_OF_TENANT, &[&tenant.as_uuid(), &profile]).await? > 0)
}

/// By which profile a tenant is judged.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn of_tenant_within(tx: &mut Tx, tenant: TenantId) -> Result<Option<String>, StoreError> {
    let row = tx.query_opt(OF_TENANT, &[&tenant.as_uuid()]).await?;
    row.map_or(Ok(None), |row| column::get(&row, "profile"))
}

/// As [`of_tenant_within`], outside any transaction.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of_tenant(catalog: &Catalog, tenant: TenantId) -> Result<Option<String>, StoreError> {
    let row = catalog.session().await?.query_opt(OF_TENANT, &[&tenant.as_uuid()]).await?;
    row.map_or(Ok(None), |row| column::get(&row, "profile"))
}

/// Every tenant that has a database, by environment and name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn held(catalog: &Catalog) -> Result<Vec<Held>, StoreError> {
    catalog.session().await?.query(HELD, &[]).await?.iter().map(read).collect()
}

/// By what tenants are judged that would take a database of this cluster.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn waiting_within(tx: &mut Tx, cluster: ClusterId) -> Result<Vec<Waiting>, StoreError> {
    let read = |row: &Row| {
        Ok(Waiting {
            profile: column::get(row, "profile")?,
            environment: column::parsed(row, "environment")?,
            kind: column::parsed(row, "kind")?,
        })
    };
    tx.query(WAITING, &[&cluster.as_uuid()]).await?.iter().map(read).collect()
}

/// Tenants that wait for a database and are judged or wished near a place, those that have waited longest first, at most 1,000.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn unplaced_within(tx: &mut Tx) -> Result<Vec<Unplaced>, StoreError> {
    let read = |row: &Row| {
        Ok(Unplaced {
            tenant: TenantId::from_uuid(column::uuid(row, "id")?),
            slug: column::parsed(row, "slug")?,
            environment: column::parsed(row, "environment")?,
            kind: column::parsed(row, "kind")?,
            profile: column::get(row, "profile")?,
            near: column::get(row, "near")?,
            wanted: column::get::<Option<_>>(row, "wanted_cluster_id")?.map(ClusterId::from_uuid),
            asked_for: column::get(row, "asked_for")?,
        })
    };
    tx.query(UNPLACED, &[]).await?.iter().map(read).collect()
}

/// The names of profiles that somebody is judged by, or is going to be.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn in_use(catalog: &Catalog) -> Result<Vec<String>, StoreError> {
    catalog.session().await?.query(IN_USE, &[]).await?.iter().map(|row| column::get(row, "name")).collect()
}

/// The names of the profiles that tenants of an environment have, or will be given.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn in_use_within(tx: &mut Tx, environment: EnvironmentId) -> Result<Vec<String>, StoreError> {
    let rows = tx.query(IN_USE_THERE, &[&environment.as_uuid()]).await?;
    rows.iter().map(|row| column::get(row, "name")).collect()
}

fn read_given(row: &Row) -> Result<Given, StoreError> {
    Ok(Given { kind: column::parsed(row, "kind")?, profile: column::get(row, "profile")? })
}

pub(super) fn read(row: &Row) -> Result<Held, StoreError> {
    Ok(Held {
        tenant: TenantId::from_uuid(column::uuid(row, "id")?),
        slug: column::parsed(row, "slug")?,
        environment: column::parsed(row, "environment")?,
        kind: column::parsed(row, "kind")?,
        profile: column::get(row, "profile")?,
        cluster: ClusterId::from_uuid(column::uuid(row, "cluster_id")?),
    })
}
