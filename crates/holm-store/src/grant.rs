//! Roles that principals hold. One that is taken back is gone from here; when it was held stands in the audit log.

use std::time::Duration;

use holm_core::access::Role;
use holm_core::actor::Actor;
use holm_core::environment::EnvironmentName;
use holm_core::id::PrincipalId;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

/// A role to be held.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// By whom.
    pub principal: PrincipalId,
    /// The only environment; all of them when `None`.
    pub environment: Option<EnvironmentName>,
    /// The role.
    pub role: Role,
    /// Who gives it.
    pub granted_by: Actor,
    /// How long, from now by the catalog's clock; until it is taken back when `None`.
    pub lifetime: Option<Duration>,
}

/// A role that is held, or was until its time ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The only environment; all of them when `None`.
    pub environment: Option<EnvironmentName>,
    /// The role.
    pub role: Role,
    /// Who gave it.
    pub granted_by: String,
    /// When.
    pub granted_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

macro_rules! select {
    ($from:literal) => {
        concat!("SELECT e.name AS environment, g.role, g.granted_by, g.granted_at, g.expires_at\n", $from)
    };
}

const LIST: &str = select!(
    "FROM role_grant g\nLEFT JOIN environment e ON e.id = g.environment_id\nWHERE g.principal_id = $1\nORDER BY e.name NULLS FIRST, g.role"
);
/// Giving a role again moves its end.
const UPSERT: &str = "\
INSERT INTO role_grant (principal_id, environment_id, role, granted_by, expires_at)
SELECT $1, e.id, $3, $4, now() + make_interval(secs => $5)
FROM (VALUES ($2::text)) AS asked (environment)
LEFT JOIN environment e ON e.name = asked.environment
WHERE asked.environment IS NULL OR e.id IS NOT NULL
ON CONFLICT (principal_id, role, coalesce(environment_id, '00000000-0000-0000-0000-000000000000')) DO UPDATE
SET granted_by = excluded.granted_by, granted_at = now(), expires_at = excluded.expires_at
RETURNING $2::text AS environment, role, granted_by, granted_at, expires_at";
const DELETE: &str = "\
DELETE FROM role_grant
WHERE principal_id = $1 AND role = $3
    AND environment_id IS NOT DISTINCT FROM (SELECT id FROM environment WHERE name = $2)
    AND ($2::text IS NULL) = (environment_id IS NULL)";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[LIST, UPSERT, DELETE];

/// Gives a role, or gives it anew with another end. Returns `None` if there is no such environment.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn upsert(tx: &mut Tx, new: &NewGrant) -> Result<Option<Grant>, StoreError> {
    let environment = new.environment.as_ref().map(EnvironmentName::as_str);
    let lifetime = new.lifetime.map(|lifetime| lifetime.as_secs_f64());
    let by = new.granted_by.to_string();
    let row = tx.query_opt(UPSERT, &[&new.principal.as_uuid(), &environment, &new.role.as_str(), &by, &lifetime]).await?;
    row.as_ref().map(read).transpose()
}

/// Takes a role back. Returns whether it was held there.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn delete(tx: &mut Tx, principal: PrincipalId, role: Role, environment: Option<&EnvironmentName>) -> Result<bool, StoreError> {
    let environment = environment.map(EnvironmentName::as_str);
    Ok(tx.execute(DELETE, &[&principal.as_uuid(), &environment, &role.as_str()]).await? > 0)
}

/// Every role that a principal was given and that was not taken back, ended ones too: five in each environment at the most.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog, principal: PrincipalId) -> Result<Vec<Grant>, StoreError> {
    catalog.session().await?.query(LIST, &[&principal.as_uuid()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Grant, StoreError> {
    Ok(Grant {
        environment: column::parsed_opt(row, "environment")?,
        role: column::parsed(row, "role")?,
        granted_by: column::get(row, "granted_by")?,
        granted_at: column::get(row, "granted_at")?,
        expires_at: column::get(row, "expires_at")?,
    })
}
