//! What each copy came to when it was last judged, and since when it is so.
//!
//! Promises: `since` is of the outcome and not of the look, so that it says for how long something is wrong. A copy that is no
//! more has no standing.

use holm_core::id::TenantId;
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

const ALL: &str = "SELECT tenant_id, copy, outcome, objections, since, valid_until FROM residency_standing ORDER BY tenant_id, copy";
const OF_TENANT: &str = "\
SELECT tenant_id, copy, outcome, objections, since, valid_until
FROM residency_standing
WHERE tenant_id = $1
ORDER BY copy";
const SET: &str = "\
INSERT INTO residency_standing (tenant_id, copy, outcome, objections, valid_until, denied_since)
VALUES ($1, $2, $3, $4, $5, CASE WHEN $3 = 'deny' THEN now() END)
ON CONFLICT (tenant_id, copy) DO UPDATE
SET outcome = excluded.outcome, objections = excluded.objections, valid_until = excluded.valid_until,
    since = CASE WHEN residency_standing.outcome = excluded.outcome THEN residency_standing.since ELSE now() END,
    denied_since = CASE excluded.outcome
        WHEN 'allow' THEN NULL
        WHEN 'deny' THEN coalesce(residency_standing.denied_since, now())
        ELSE residency_standing.denied_since
    END";
const DENIED: &str = "SELECT tenant_id, copy, denied_since FROM residency_standing WHERE denied_since IS NOT NULL";
const FORGET: &str = "DELETE FROM residency_standing WHERE tenant_id = $1 AND copy = $2";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[ALL, OF_TENANT, SET, DENIED, FORGET];

/// What a copy came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Whose.
    pub tenant: TenantId,
    /// Which copy.
    pub copy: String,
    /// `allow`, `unknown` or `deny`.
    pub outcome: String,
    /// What speaks against it.
    pub objections: Value,
    /// Until when that holds, if nothing changes before.
    pub valid_until: Option<Timestamp>,
}

/// Notes what a copy comes to.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn set(tx: &mut Tx, now: &Standing) -> Result<(), StoreError> {
    tx.execute(SET, &[&now.tenant.as_uuid(), &now.copy, &now.outcome, &Json(&now.objections), &now.valid_until]).await.map(drop)
}

/// Forgets a copy that is no more.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn forget(tx: &mut Tx, tenant: TenantId, copy: &str) -> Result<(), StoreError> {
    tx.execute(FORGET, &[&tenant.as_uuid(), &copy]).await.map(drop)
}

/// Every copy's, with since when it is so.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn all(catalog: &Catalog) -> Result<Vec<(Standing, Timestamp)>, StoreError> {
    catalog.session().await?.query(ALL, &[]).await?.iter().map(read).collect()
}

/// Since when copies are denied, counted through times in which nobody could say.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn denied(catalog: &Catalog) -> Result<Vec<(TenantId, String, Timestamp)>, StoreError> {
    let rows = catalog.session().await?.query(DENIED, &[]).await?;
    let read = |row: &Row| {
        Ok((TenantId::from_uuid(column::uuid(row, "tenant_id")?), column::get(row, "copy")?, column::get(row, "denied_since")?))
    };
    rows.iter().map(read).collect()
}

/// Those of one tenant.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of_tenant(catalog: &Catalog, tenant: TenantId) -> Result<Vec<(Standing, Timestamp)>, StoreError> {
    catalog.session().await?.query(OF_TENANT, &[&tenant.as_uuid()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<(Standing, Timestamp), StoreError> {
    let standing = Standing {
        tenant: TenantId::from_uuid(column::uuid(row, "tenant_id")?),
        copy: column::get(row, "copy")?,
        outcome: column::get(row, "outcome")?,
        objections: column::get::<Json<Value>>(row, "objections")?.0,
        valid_until: column::get(row, "valid_until")?,
    };
    Ok((standing, column::get(row, "since")?))
}
