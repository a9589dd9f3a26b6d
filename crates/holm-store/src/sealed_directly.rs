//! Secrets that were sealed with a master key itself, before there were data keys: found, and replaced one by one.

use holm_core::id::{ClusterId, DatabaseId, EnvironmentId};
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::data_key::KeyOwner;
use crate::error::StoreError;
use crate::row::column;
use crate::sealed::Sealed;
use crate::tx::Tx;

/// A secret of the old kind; its owner says which column it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedDirectly {
    /// Whose.
    pub owner: KeyOwner,
    /// As it is.
    pub sealed: Sealed,
}

const SOME: &str = "\
(SELECT 'environment' AS kind, id, sealed_header_key AS sealed FROM environment WHERE get_byte(sealed_header_key, 0) = 1 LIMIT $1)
UNION ALL
(SELECT 'cluster', id, sealed_admin_password FROM cluster WHERE get_byte(sealed_admin_password, 0) = 1 LIMIT $1)
UNION ALL
(SELECT 'database', id, sealed_logins FROM database WHERE get_byte(sealed_logins, 0) = 1 LIMIT $1)
LIMIT $1";
const SET_ENVIRONMENT: &str = "UPDATE environment SET sealed_header_key = $3 WHERE id = $1 AND sealed_header_key = $2";
const SET_CLUSTER: &str = "UPDATE cluster SET sealed_admin_password = $3 WHERE id = $1 AND sealed_admin_password = $2";
const SET_DATABASE: &str = "UPDATE database SET sealed_logins = $3 WHERE id = $1 AND sealed_logins = $2";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[SOME, SET_ENVIRONMENT, SET_CLUSTER, SET_DATABASE];

/// Some of them, `limit` at the most.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn some(catalog: &Catalog, limit: u32) -> Result<Vec<SealedDirectly>, StoreError> {
    catalog.session().await?.query(SOME, &[&i64::from(limit)]).await?.iter().map(read).collect()
}

/// Replaces one by the same secret sealed otherwise. Returns `false`, and changes nothing, if it is no more what was read.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn replace(tx: &mut Tx, old: &SealedDirectly, new: &Sealed) -> Result<bool, StoreError> {
    let (sql, id) = match old.owner {
        KeyOwner::Environment(id) => (SET_ENVIRONMENT, id.as_uuid()),
        KeyOwner::Cluster(id) => (SET_CLUSTER, id.as_uuid()),
        KeyOwner::Database(id) => (SET_DATABASE, id.as_uuid()),
        KeyOwner::Installation | KeyOwner::Tenant(_) => return Ok(false),
    };
    Ok(tx.execute(sql, &[&id, &old.sealed.as_bytes(), &new.as_bytes()]).await? > 0)
}

fn read(row: &Row) -> Result<SealedDirectly, StoreError> {
    let id = column::uuid(row, "id")?;
    let owner = match column::get::<&str>(row, "kind")? {
        "environment" => KeyOwner::Environment(EnvironmentId::from_uuid(id)),
        "cluster" => KeyOwner::Cluster(ClusterId::from_uuid(id)),
        _ => KeyOwner::Database(DatabaseId::from_uuid(id)),
    };
    Ok(SealedDirectly { owner, sealed: column::sealed(row, "sealed")? })
}
