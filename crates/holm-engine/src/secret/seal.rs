//! Seals what the catalog may hold only unreadable: AES-256-GCM under the master key.
//!
//! Promises: a sealed value opens only with the key that sealed it and only as what it was sealed as, so that a row of
//! the catalog cannot be given another row's secret. Refuses to guess between a wrong key and a damaged value: each value
//! names its key.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, DatabaseId, EnvironmentId};
use holm_core::secret::Secret;

use super::master_key::MasterKey;

/// The first byte of every sealed value; another layout would get another.
const LAYOUT: u8 = 1;

/// Layout, key id and nonce; what follows is the ciphertext and its tag.
const PREFIX_LENGTH: usize = 1 + 8 + NONCE_LEN;

/// What a sealed value is; bound to it, so that it opens as nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// Signs the tenant headers of an environment.
    HeaderKey(EnvironmentId),
    /// Holm's own password on a cluster.
    AdminPassword(ClusterId),
    /// Passwords and keys of a database's three roles.
    Logins(DatabaseId),
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderKey(id) => write!(f, "header key of {id}"),
            Self::AdminPassword(id) => write!(f, "admin password of {id}"),
            Self::Logins(id) => write!(f, "logins of {id}"),
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
}

impl From<UnsealError> for Problem {
    fn from(error: UnsealError) -> Self {
        match error {
            UnsealError::OtherKey(_) => {
                Self::new(ErrorCode::WrongMasterKey, "the master key is not the one that sealed this catalog's secrets")
                    .because(error)
                    .next("put back the master key file that this catalog was first used with; nothing was overwritten")
            }
            UnsealError::Damaged(_) => Self::new(ErrorCode::WrongMasterKey, "a secret in the catalog cannot be opened")
                .because(error)
                .next("restore the catalog from a backup; Holm itself never changes a sealed value"),
        }
    }
}

impl MasterKey {
    /// Seals a value. The nonce is random: 96 bits allow 2^32 values under one key (NIST SP 800-38D, 8.3), many more than
    /// there are databases.
    pub(crate) fn seal(&self, purpose: Purpose, plain: &[u8]) -> Vec<u8> {
        // With room for the tag, so that growing leaves no copy of the plain text behind.
        let mut body = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(plain);
        let nonce = self
            .cipher()
            .seal_in_place_append_tag(Aad::from(purpose.to_string()), &mut body)
            .expect("a value of a few hundred bytes is within AES-GCM's limit");
        let mut sealed = Vec::with_capacity(PREFIX_LENGTH + body.len());
        sealed.push(LAYOUT);
        sealed.extend_from_slice(&self.id().0);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut body);
        sealed
    }

    /// Opens a value that was sealed as this.
    pub(crate) fn unseal(&self, purpose: Purpose, sealed: &[u8]) -> Result<Secret<Vec<u8>>, UnsealError> {
        let damaged = UnsealError::Damaged(purpose);
        let (prefix, body) = sealed.split_at_checked(PREFIX_LENGTH).ok_or(damaged)?;
        let (id, nonce) = prefix[1..].split_at(8);
        if prefix[0] != LAYOUT {
            return Err(damaged);
        }
        if id != self.id().0 {
            return Err(UnsealError::OtherKey(purpose));
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged)?;
        let mut body = body.to_vec();
        let plain = self.cipher().open_in_place(nonce, Aad::from(purpose.to_string()), &mut body).map_err(|_| damaged)?.to_vec();
        // Wipes the second copy.
        drop(Secret::new(body));
        Ok(Secret::new(plain))
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

    fn cipher(&self) -> RandomizedNonceKey {
        RandomizedNonceKey::new(&AES_256_GCM, self.expose()).expect("the key has the 32 bytes that AES-256 takes")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn logins(n: u128) -> Purpose {
        Purpose::Logins(DatabaseId::from_uuid(Uuid::from_u128(n)))
    }

    #[test]
    fn a_value_opens_only_with_its_key_and_only_as_itself() {
        let (key, other) = (MasterKey::from_bytes([1; 32]), MasterKey::from_bytes([2; 32]));
        let sealed = key.seal(logins(1), b"secret");
        assert_eq!(key.unseal(logins(1), &sealed).unwrap().expose(), b"secret");
        assert_eq!(other.unseal(logins(1), &sealed).unwrap_err(), UnsealError::OtherKey(logins(1)));
        assert_eq!(key.unseal(logins(2), &sealed).unwrap_err(), UnsealError::Damaged(logins(2)));
        let admin = Purpose::AdminPassword(ClusterId::from_uuid(Uuid::from_u128(1)));
        assert_eq!(key.unseal(admin, &sealed).unwrap_err(), UnsealError::Damaged(admin));
    }

    #[test]
    fn the_same_value_is_never_sealed_the_same_way_twice() {
        let key = MasterKey::from_bytes([1; 32]);
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
        fn a_changed_byte_anywhere_is_noticed(at in 0usize..40, bit in 0u8..8) {
            let key = MasterKey::from_bytes([1; 32]);
            let mut sealed = key.seal(logins(1), b"secret");
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            prop_assert!(key.unseal(logins(1), &sealed).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(MasterKey::from_bytes([1; 32]).unseal(logins(1), &bytes).is_err());
        }
    }
}
