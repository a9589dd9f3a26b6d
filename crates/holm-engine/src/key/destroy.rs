//! Destroys the data keys of a tenant, and with them everything that they sealed, wherever copies of it lie.
//!
//! Promises: afterwards nothing in the catalog opens it, whoever holds the master key. A backup of the catalog from before
//! still holds the wrapped keys: it is gone for good when those backups are.

use holm_core::error::Problem;
use holm_core::id::TenantId;
use holm_store::data_key;

use crate::control::Control;

/// Destroys every data key of a tenant, those of its database too; returns how many. Once is enough, again is none. An
/// operation that is to do it in a transaction of its own calls [`data_key::destroy_of_tenant`].
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn destroy_of_tenant(control: &Control, tenant: TenantId) -> Result<u64, Problem> {
    control.tasks().finish("destroy a tenant's keys", act(control.clone(), tenant)).await
}

async fn act(control: Control, tenant: TenantId) -> Result<u64, Problem> {
    let mut tx = control.catalog().transaction().await?;
    let destroyed = data_key::destroy_of_tenant(&mut tx, tenant).await?;
    tx.commit().await?;
    Ok(destroyed)
}
