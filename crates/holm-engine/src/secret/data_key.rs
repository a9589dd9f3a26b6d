//! A data key: seals the secrets of one thing for one purpose.
//!
//! Promises: sealing and opening are plain computation, whatever holds the master key: a data key is unwrapped before.

use holm_core::id::DataKeyId;
use holm_core::secret::Secret;
use uuid::Uuid;

use super::seal::{BY_DATA_KEY, Purpose, UnsealError};
use super::{gcm, random};

/// A key that seals values.
#[derive(Clone, Debug)]
pub(crate) struct DataKey {
    id: DataKeyId,
    key: Secret<[u8; 32]>,
}

impl DataKey {
    /// A new one.
    pub(crate) fn generate() -> Self {
        Self::from_bytes(DataKeyId::from_uuid(Uuid::now_v7()), random::bytes())
    }

    pub(crate) const fn from_bytes(id: DataKeyId, key: [u8; 32]) -> Self {
        Self { id, key: Secret::new(key) }
    }

    pub(crate) const fn id(&self) -> DataKeyId {
        self.id
    }

    pub(crate) const fn expose(&self) -> &[u8; 32] {
        self.key.expose()
    }

    /// Seals a value, which then names this key.
    pub(crate) fn seal(&self, purpose: Purpose, plain: &[u8]) -> Vec<u8> {
        let mut prefix = vec![BY_DATA_KEY];
        prefix.extend_from_slice(self.id.as_uuid().as_bytes());
        gcm::seal(self.expose(), purpose.to_string().as_bytes(), prefix, plain)
    }

    /// Opens what follows the name of the key.
    pub(crate) fn unseal(&self, purpose: Purpose, sealed: &[u8]) -> Result<Secret<Vec<u8>>, UnsealError> {
        gcm::open(self.expose(), purpose.to_string().as_bytes(), sealed).ok_or(UnsealError::Damaged(purpose))
    }
}
