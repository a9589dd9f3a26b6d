//! Exceptions that were granted: one rule, for one copy of one tenant, until a day.
//!
//! Promises: what was granted can still be told after it ended or was taken back.

use holm_core::environment::EnvironmentName;
use holm_core::id::TenantId;
use holm_core::slug::TenantSlug;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

const IN_FORCE: &str = "\
SELECT x.id, x.tenant_id, x.copy, x.rule, x.place, x.owner, x.reason, x.measure, x.until, x.granted_at
FROM residency_exception x
JOIN tenant t ON t.id = x.tenant_id
WHERE x.removed_at IS NULL AND t.state NOT IN ('failed', 'dropped')
ORDER BY x.tenant_id, x.copy, x.rule, x.granted_at";
const AT: &str = "\
SELECT id, tenant_id, copy, rule, place, owner, reason, measure, until, granted_at
FROM residency_exception
WHERE granted_at <= $1 AND (removed_at IS NULL OR removed_at > $1)
ORDER BY tenant_id, copy, rule, granted_at";
const LISTED: &str = "\
SELECT x.id, x.tenant_id, x.copy, x.rule, x.place, x.owner, x.reason, x.measure, x.until, x.granted_at, e.name AS environment, t.slug,
    x.until <= now() AS ended
FROM residency_exception x
JOIN tenant t ON t.id = x.tenant_id
JOIN environment e ON e.id = t.environment_id
WHERE x.removed_at IS NULL AND t.state NOT IN ('failed', 'dropped')
ORDER BY e.name, t.slug, x.copy, x.rule, x.granted_at, x.id";
const KEEP: &str = "\
INSERT INTO residency_exception (id, tenant_id, copy, rule, owner, reason, measure, until, place)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const REMOVE: &str = "\
UPDATE residency_exception SET removed_at = now()
WHERE id = $1 AND removed_at IS NULL
RETURNING id, tenant_id, copy, rule, place, owner, reason, measure, until, granted_at";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[IN_FORCE, AT, LISTED, KEEP, REMOVE];

/// An exception to be granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewException {
    /// Its identity.
    pub id: Uuid,
    /// Whose copy.
    pub tenant: TenantId,
    /// Which copy: `primary`.
    pub copy: String,
    /// Which rule.
    pub rule: String,
    /// Where the copy is: it is for that place and for no other.
    pub place: Option<String>,
    /// Who answers for it.
    pub owner: String,
    /// Why it is needed.
    pub reason: String,
    /// What is done instead.
    pub measure: String,
    /// When it ends.
    pub until: Timestamp,
}

/// An exception that was granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Granted {
    /// What was granted.
    pub exception: NewException,
    /// When.
    pub granted_at: Timestamp,
}

/// An exception, and whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// What was granted.
    pub granted: Granted,
    /// In which environment.
    pub environment: EnvironmentName,
    /// To whom.
    pub slug: TenantSlug,
    /// Whether it is over, by the catalog's clock.
    pub ended: bool,
}

/// Grants one. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn keep(tx: &mut Tx, new: &NewException) -> Result<(), StoreError> {
    let tenant = new.tenant.as_uuid();
    tx.execute(KEEP, &[&new.id, &tenant, &new.copy, &new.rule, &new.owner, &new.reason, &new.measure, &new.until, &new.place])
        .await
        .map(drop)
}

/// Takes one back, and returns it if it was in force. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn remove(tx: &mut Tx, id: Uuid) -> Result<Option<Granted>, StoreError> {
    tx.query_opt(REMOVE, &[&id]).await?.as_ref().map(read).transpose()
}

/// Those of living tenants that nobody took back, ended ones too.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn granted_within(tx: &mut Tx) -> Result<Vec<Granted>, StoreError> {
    tx.query(IN_FORCE, &[]).await?.iter().map(read).collect()
}

/// As [`granted_within`], outside any transaction.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn granted(catalog: &Catalog) -> Result<Vec<Granted>, StoreError> {
    catalog.session().await?.query(IN_FORCE, &[]).await?.iter().map(read).collect()
}

/// Those that nobody had taken back at a time, of tenants that are gone too.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn at(catalog: &Catalog, at: Timestamp) -> Result<Vec<Granted>, StoreError> {
    catalog.session().await?.query(AT, &[&at]).await?.iter().map(read).collect()
}

/// As [`granted`], with whose they are, in the order of environments and names.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn listed(catalog: &Catalog) -> Result<Vec<Listed>, StoreError> {
    let read = |row: &Row| {
        Ok(Listed {
            granted: read(row)?,
            environment: column::parsed(row, "environment")?,
            slug: column::parsed(row, "slug")?,
            ended: column::get(row, "ended")?,
        })
    };
    catalog.session().await?.query(LISTED, &[]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Granted, StoreError> {
    Ok(Granted {
        exception: NewException {
            id: column::uuid(row, "id")?,
            tenant: TenantId::from_uuid(column::uuid(row, "tenant_id")?),
            copy: column::get(row, "copy")?,
            rule: column::get(row, "rule")?,
            place: column::get(row, "place")?,
            owner: column::get(row, "owner")?,
            reason: column::get(row, "reason")?,
            measure: column::get(row, "measure")?,
            until: column::get(row, "until")?,
        },
        granted_at: column::get(row, "granted_at")?,
    })
}
