//! What a sealed value is, and opening many with the keys that they name.
//!
//! Promises: a sealed value opens only with the key that sealed it and only as what it was sealed as, so that a row of
//! the catalog cannot be given another row's secret. Refuses to guess between a wrong key and a damaged value: each value
//! names its key.

use std::collections::HashMap;
use std::fmt;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, DataKeyId, DatabaseId, EnvironmentId, WebhookId};
use holm_core::secret::Secret;
use uuid::Uuid;

use super::data_key::DataKey;
use super::master_key::{KeyId, MasterKey};

/// The first byte of a value that a master key sealed itself: its id of 8 bytes follows, then nonce and ciphertext.
pub(crate) const DIRECT: u8 = 1;

/// The first byte of a value that a data key sealed: its id of 16 bytes follows, then nonce and ciphertext.
pub(crate) const BY_DATA_KEY: u8 = 2;

/// What a sealed value is; bound to it, so that it opens as nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// Signs the tenant headers of an environment.
    HeaderKey(EnvironmentId),
    /// Holm's own password on a cluster.
    AdminPassword(ClusterId),
    /// The private key of the certificate that a cluster's server is shown.
    ClientKey(ClusterId),
    /// Passwords and keys of a database's three roles.
    Logins(DatabaseId),
    /// Signs what a webhook is told.
    WebhookSecret(WebhookId),
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderKey(id) => write!(f, "header key of {id}"),
            Self::AdminPassword(id) => write!(f, "admin password of {id}"),
            Self::ClientKey(id) => write!(f, "client key of {id}"),
            Self::Logins(id) => write!(f, "logins of {id}"),
            Self::WebhookSecret(id) => write!(f, "secret of {id}"),
        }
    }
}

/// Why a sealed value stays shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnsealError {
    #[error("the {0} was sealed by another master key")]
    OtherKey(Purpose),
    #[error("the {0} is damaged")]
    Damaged(Purpose),
    #[error("the key of the {0} was destroyed")]
    Destroyed(Purpose),
}

impl From<UnsealError> for Problem {
    fn from(error: UnsealError) -> Self {
        match error {
            UnsealError::OtherKey(_) => {
                Self::new(ErrorCode::WrongMasterKey, "the master key is not the one that sealed this catalog's secrets")
                    .because(error)
                    .next("put back the master key that this catalog was last used with; nothing was overwritten")
            }
            UnsealError::Damaged(_) | UnsealError::Destroyed(_) => {
                Self::new(ErrorCode::WrongMasterKey, "a secret in the catalog cannot be opened")
                    .because(error)
                    .next("restore the catalog from a backup; Holm itself never changes a sealed value")
            }
        }
    }
}

/// Which key a value names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Named {
    Master(KeyId),
    Data(DataKeyId),
}

/// Splits a value into the name of its key and what only that opens; nothing, if it is not a sealed value.
pub(crate) fn parse(sealed: &[u8]) -> Option<(Named, &[u8])> {
    match sealed.split_first()? {
        (&DIRECT, rest) => rest.split_first_chunk().map(|(id, body)| (Named::Master(KeyId(*id)), body)),
        (&BY_DATA_KEY, rest) => rest.split_first_chunk().map(|(id, body)| (Named::Data(DataKeyId::from_uuid(Uuid::from_bytes(*id))), body)),
        _ => None,
    }
}

/// A data key that was asked for.
#[derive(Clone, Debug)]
pub(crate) enum Unwrapped {
    Open(DataKey),
    /// No master key of that name is here, or it does not open it.
    OtherKey,
    /// It was destroyed, or went with its owner.
    Destroyed,
}

/// Keys that are at hand: opening values with them is plain computation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ring {
    pub(crate) data: HashMap<DataKeyId, Unwrapped>,
    pub(crate) masters: Vec<MasterKey>,
}

impl Ring {
    /// Opens a value that was sealed as this.
    pub(crate) fn unseal(&self, purpose: Purpose, sealed: &[u8]) -> Result<Secret<Vec<u8>>, UnsealError> {
        let (named, body) = parse(sealed).ok_or(UnsealError::Damaged(purpose))?;
        match named {
            Named::Master(id) => {
                let key = self.masters.iter().find(|key| key.id() == id).ok_or(UnsealError::OtherKey(purpose))?;
                key.unseal_directly(purpose, body)
            }
            Named::Data(id) => match self.data.get(&id) {
                Some(Unwrapped::Open(key)) => key.unseal(purpose, body),
                Some(Unwrapped::OtherKey) => Err(UnsealError::OtherKey(purpose)),
                Some(Unwrapped::Destroyed) | None => Err(UnsealError::Destroyed(purpose)),
            },
        }
    }

    /// Opens a value of a fixed length.
    pub(crate) fn unseal_exact<const N: usize>(&self, purpose: Purpose, sealed: &[u8]) -> Result<Secret<[u8; N]>, UnsealError> {
        let plain = self.unseal(purpose, sealed)?;
        plain.expose().as_slice().try_into().map(Secret::new).map_err(|_| UnsealError::Damaged(purpose))
    }

    /// Opens a value that is text.
    pub(crate) fn unseal_text(&self, purpose: Purpose, sealed: &[u8]) -> Result<Secret<String>, UnsealError> {
        let plain = self.unseal(purpose, sealed)?;
        let text = std::str::from_utf8(plain.expose()).map_err(|_| UnsealError::Damaged(purpose))?;
        Ok(Secret::new(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn logins(n: u128) -> Purpose {
        Purpose::Logins(DatabaseId::from_uuid(Uuid::from_u128(n)))
    }

    fn ring(key: &DataKey) -> Ring {
        Ring { data: HashMap::from([(key.id(), Unwrapped::Open(key.clone()))]), masters: vec![MasterKey::from_bytes([1; 32])] }
    }

    #[test]
    fn a_value_opens_only_with_its_key_and_only_as_itself() {
        let key = DataKey::generate();
        let sealed = key.seal(logins(1), b"secret");
        assert_eq!(ring(&key).unseal(logins(1), &sealed).unwrap().expose(), b"secret");
        assert_eq!(ring(&key).unseal(logins(2), &sealed).unwrap_err(), UnsealError::Damaged(logins(2)));
        let admin = Purpose::AdminPassword(ClusterId::from_uuid(Uuid::from_u128(1)));
        assert_eq!(ring(&key).unseal(admin, &sealed).unwrap_err(), UnsealError::Damaged(admin));
        assert_eq!(Ring::default().unseal(logins(1), &sealed).unwrap_err(), UnsealError::Destroyed(logins(1)));
        let other = Ring { data: HashMap::from([(key.id(), Unwrapped::OtherKey)]), masters: Vec::new() };
        assert_eq!(other.unseal(logins(1), &sealed).unwrap_err(), UnsealError::OtherKey(logins(1)));
    }

    /// Written by the version before data keys, with a master key of 32 times 1: `secret`, as the logins of database 1.
    const OLD_VALUE: [u8; 43] = [
        1, 94, 168, 168, 8, 250, 42, 245, 17, 231, 237, 42, 52, 234, 190, 60, 185, 14, 243, 206, 48, 28, 165, 163, 56, 119, 229, 77, 218,
        126, 51, 106, 58, 186, 213, 145, 255, 55, 44, 170, 88, 130, 33,
    ];

    #[test]
    fn a_value_that_an_older_holm_sealed_with_the_master_key_still_opens() {
        let ring = Ring { data: HashMap::new(), masters: vec![MasterKey::from_bytes([1; 32])] };
        let sealed = MasterKey::from_bytes([1; 32]).seal_directly(logins(1), b"secret");
        assert_eq!(ring.unseal(logins(1), &sealed).unwrap().expose(), b"secret");
        assert_eq!(ring.unseal(logins(2), &sealed).unwrap_err(), UnsealError::Damaged(logins(2)));
        let other = Ring { data: HashMap::new(), masters: vec![MasterKey::from_bytes([2; 32])] };
        assert_eq!(other.unseal(logins(1), &sealed).unwrap_err(), UnsealError::OtherKey(logins(1)));
        assert_eq!(ring.unseal(logins(1), &OLD_VALUE).unwrap().expose(), b"secret");
    }

    #[test]
    fn the_same_value_is_never_sealed_the_same_way_twice() {
        let key = DataKey::generate();
        assert_ne!(key.seal(logins(1), b"secret"), key.seal(logins(1), b"secret"));
    }

    #[test]
    fn a_wrong_key_is_a_problem_that_says_what_to_do() {
        let problem = Problem::from(UnsealError::OtherKey(logins(1)));
        assert_eq!(problem.code, ErrorCode::WrongMasterKey);
        assert!(!problem.next.is_empty());
    }

    proptest! {
        #[test]
        fn a_changed_byte_anywhere_is_noticed(at in 0usize..51, bit in 0u8..8) {
            let key = DataKey::generate();
            let mut sealed = key.seal(logins(1), b"secret");
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            prop_assert!(ring(&key).unseal(logins(1), &sealed).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(ring(&DataKey::generate()).unseal(logins(1), &bytes).is_err());
        }
    }
}
