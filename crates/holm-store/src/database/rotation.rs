//! The logins of a database's roles while they are being replaced (R59), and that of one that somebody brought, who replaces it.
//!
//! Promises: what a role may have on its server is in the row, before it has it and until it has not. Each change may be
//! made twice.

use holm_core::id::{DatabaseId, TenantId};

use crate::error::StoreError;
use crate::row::column;
use crate::sealed::Sealed;
use crate::tx::Tx;

const PROPOSE: &str = "UPDATE database SET next_sealed_logins = $2 WHERE id = $1 AND state = 'claimed'";
const PROMOTE: &str = "\
UPDATE database
SET sealed_logins = next_sealed_logins, next_sealed_logins = NULL, rotated_at = now()
WHERE id = $1 AND next_sealed_logins IS NOT NULL";
const PUT_BACK: &str = "UPDATE database SET next_sealed_logins = NULL WHERE id = $1 AND next_sealed_logins IS NOT NULL";
const BRING: &str = "\
UPDATE database d
SET sealed_logins = $2
FROM tenant t
WHERE d.id = $1 AND d.adopted AND d.state = 'claimed' AND t.database_id = d.id
RETURNING t.id";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[PROPOSE, PROMOTE, PUT_BACK, BRING];

/// Keeps the logins that are to come; from the version that the commit returns the data plane tries both. Returns whether
/// the database is a tenant's.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn propose(tx: &mut Tx, id: DatabaseId, of: TenantId, next: &Sealed) -> Result<bool, StoreError> {
    tx.changed_tenant(of);
    Ok(tx.execute(PROPOSE, &[&id.as_uuid(), &next.as_bytes()]).await? > 0)
}

/// The next logins are the logins.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn promote(tx: &mut Tx, id: DatabaseId, of: TenantId) -> Result<(), StoreError> {
    tx.changed_tenant(of);
    tx.execute(PROMOTE, &[&id.as_uuid()]).await.map(drop)
}

/// There are no next logins.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn put_back(tx: &mut Tx, id: DatabaseId, of: TenantId) -> Result<(), StoreError> {
    tx.changed_tenant(of);
    tx.execute(PUT_BACK, &[&id.as_uuid()]).await.map(drop)
}

/// Keeps the login that somebody gave for the database that they brought. Returns whether it is a tenant's, and was brought.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn bring(tx: &mut Tx, id: DatabaseId, login: &Sealed) -> Result<bool, StoreError> {
    let Some(row) = tx.query_opt(BRING, &[&id.as_uuid(), &login.as_bytes()]).await? else { return Ok(false) };
    tx.changed_tenant(TenantId::from_uuid(column::uuid(&row, "id")?));
    Ok(true)
}
