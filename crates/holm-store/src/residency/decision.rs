//! Why a tenant's database is where it is, as it was judged when it was placed (R29).
//!
//! Promises: a decision is never changed; a tenant that is placed anew has one more.

use holm_core::id::TenantId;
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

const KEEP: &str = "INSERT INTO residency_decision (id, tenant_id, decision) VALUES ($1, $2, $3)";
const LATEST: &str = "\
SELECT decided_at, decision
FROM residency_decision
WHERE tenant_id = $1
ORDER BY decided_at DESC, id DESC
LIMIT 1";

const AT: &str = "\
SELECT decided_at, decision
FROM residency_decision
WHERE tenant_id = $1 AND decided_at <= $2
ORDER BY decided_at DESC, id DESC
LIMIT 1";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[KEEP, LATEST, AT];

/// Keeps a decision.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn keep(tx: &mut Tx, tenant: TenantId, decision: &Value) -> Result<(), StoreError> {
    tx.execute(KEEP, &[&Uuid::now_v7(), &tenant.as_uuid(), &Json(decision)]).await.map(drop)
}

/// The latest decision on a tenant, and when it was made.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn latest(catalog: &Catalog, tenant: TenantId) -> Result<Option<(Timestamp, Value)>, StoreError> {
    let row = catalog.session().await?.query_opt(LATEST, &[&tenant.as_uuid()]).await?;
    row.as_ref().map(read).transpose()
}

/// The one that counted at a time.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn at(catalog: &Catalog, tenant: TenantId, at: Timestamp) -> Result<Option<(Timestamp, Value)>, StoreError> {
    let row = catalog.session().await?.query_opt(AT, &[&tenant.as_uuid(), &at]).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<(Timestamp, Value), StoreError> {
    Ok((column::get(row, "decided_at")?, column::get::<Json<Value>>(row, "decision")?.0))
}
