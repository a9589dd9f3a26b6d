//! Copies of an environment's data that Holm neither makes nor sees, as somebody registered them (R19, R45).
//!
//! Promises: what was registered at a time can still be told later; of one environment there are no two of one name.

use holm_core::environment::EnvironmentName;
use holm_core::id::EnvironmentId;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

const THERE: &str = "\
SELECT r.id, e.name AS environment, r.copy, r.role, r.place, r.plan, r.key_holder, r.evidence, r.kept_at
FROM residency_copy r
JOIN environment e ON e.id = r.environment_id
WHERE r.removed_at IS NULL
ORDER BY e.name, r.copy";
const AT: &str = "\
SELECT r.id, e.name AS environment, r.copy, r.role, r.place, r.plan, r.key_holder, r.evidence, r.kept_at
FROM residency_copy r
JOIN environment e ON e.id = r.environment_id
WHERE r.kept_at <= $1 AND (r.removed_at IS NULL OR r.removed_at > $1)
ORDER BY e.name, r.copy";
const KEEP: &str = "\
INSERT INTO residency_copy (id, environment_id, copy, role, place, plan, key_holder, evidence)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (environment_id, copy) WHERE removed_at IS NULL DO NOTHING";
const REMOVE: &str = "UPDATE residency_copy SET removed_at = now() WHERE id = $1 AND removed_at IS NULL";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[THERE, AT, KEEP, REMOVE];

/// A copy to be registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRegistered {
    /// Its identity.
    pub id: Uuid,
    /// Whose tenants' data it has.
    pub environment: EnvironmentId,
    /// What it is called among the copies of a tenant: `log-datadog`.
    pub copy: String,
    /// What it is: `log`.
    pub role: String,
    /// Where: a provider and a region of it.
    pub place: String,
    /// On which plan of the provider's, if that was said.
    pub plan: Option<String>,
    /// Who holds its keys.
    pub key_holder: String,
    /// What that rests on.
    pub evidence: Option<String>,
}

/// One that is registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registered {
    /// Its identity.
    pub id: Uuid,
    /// Whose tenants' data it has.
    pub environment: EnvironmentName,
    /// What it is called among the copies of a tenant.
    pub copy: String,
    /// What it is.
    pub role: String,
    /// Where.
    pub place: String,
    /// On which plan of the provider's, if that was said.
    pub plan: Option<String>,
    /// Who holds its keys.
    pub key_holder: String,
    /// What that rests on.
    pub evidence: Option<String>,
    /// Since when it is registered.
    pub kept_at: Timestamp,
}

/// Registers a copy; says whether there was none of that name. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn keep(tx: &mut Tx, new: &NewRegistered) -> Result<bool, StoreError> {
    let NewRegistered { id, environment, copy, role, place, plan, key_holder, evidence } = new;
    Ok(tx.execute(KEEP, &[id, &environment.as_uuid(), copy, role, place, plan, key_holder, evidence]).await? > 0)
}

/// Forgets one. Returns whether it was there. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn remove(tx: &mut Tx, id: Uuid) -> Result<bool, StoreError> {
    Ok(tx.execute(REMOVE, &[&id]).await? > 0)
}

/// Those that are registered.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn there_within(tx: &mut Tx) -> Result<Vec<Registered>, StoreError> {
    tx.query(THERE, &[]).await?.iter().map(read).collect()
}

/// As [`there_within`], outside any transaction.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn there(catalog: &Catalog) -> Result<Vec<Registered>, StoreError> {
    catalog.session().await?.query(THERE, &[]).await?.iter().map(read).collect()
}

/// Those that were registered at a time.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn at(catalog: &Catalog, at: Timestamp) -> Result<Vec<Registered>, StoreError> {
    catalog.session().await?.query(AT, &[&at]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Registered, StoreError> {
    Ok(Registered {
        id: column::uuid(row, "id")?,
        environment: column::parsed(row, "environment")?,
        copy: column::get(row, "copy")?,
        role: column::get(row, "role")?,
        place: column::get(row, "place")?,
        plan: column::get(row, "plan")?,
        key_holder: column::get(row, "key_holder")?,
        evidence: column::get(row, "evidence")?,
        kept_at: column::get(row, "kept_at")?,
    })
}
