//! Sealed logins by the thousand: for the benchmark of what a process opens when it starts.
//!
//! Refuses to be used for anything else: all have the same passwords, and no database has such roles.

use holm_core::error::Problem;
use holm_core::id::DatabaseId;
use uuid::Uuid;

use super::data_key::DataKey;
use super::logins::Logins;
use crate::control::Control;

/// A database's logins, with the key that they are sealed with; both as the catalog keeps them.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The database that they are sealed for.
    pub database: Uuid,
    /// Their data key.
    pub key: Uuid,
    /// What wrapped it.
    pub master_key: String,
    /// The key.
    pub wrapped: Vec<u8>,
    /// The logins.
    pub sealed_logins: Vec<u8>,
}

/// Makes some; nothing is kept.
///
/// # Errors
/// The catalog does not answer, or the master key cannot be used.
///
/// # Cancel safety
/// Safe.
pub async fn sealed_logins(control: &Control, count: usize) -> Result<Vec<Sample>, Problem> {
    let keys: Vec<DataKey> = (0..count).map(|_| DataKey::generate()).collect();
    let master = control.keys().current().await?;
    let wrapped = control.keys().masters().wrap(&master, &keys).await?;
    let logins = Logins::generate();
    let sample = |(key, wrapped): (&DataKey, holm_store::data_key::WrappedKey)| {
        let database = Uuid::now_v7();
        Sample {
            database,
            key: key.id().as_uuid(),
            master_key: master.to_string(),
            wrapped: wrapped.wrapped.as_bytes().to_vec(),
            sealed_logins: logins.seal(key, DatabaseId::from_uuid(database)),
        }
    };
    Ok(keys.iter().zip(wrapped).map(sample).collect())
}
