//! The login of a database that somebody brought: the role that came with it, its password and its SCRAM keys.
//!
//! Promises: sealed like the logins of a database that Holm made, and bound to its database in the same way. Its layout has
//! a mark of its own, so that neither is taken for the other.

use holm_core::id::DatabaseId;
use holm_core::role::RoleName;
use holm_core::route::ServerLogin;
use holm_core::scram::LoginKeys;
use holm_core::secret::Secret;

use super::data_key::DataKey;
use super::seal::{Purpose, Ring, UnsealError};

/// No password of Holm's making begins with it.
const MARK: u8 = 0;

/// One role's login.
#[derive(Clone, Debug)]
pub(crate) struct AdoptedLogin {
    pub(crate) role: RoleName,
    pub(crate) keys: LoginKeys,
}

impl AdoptedLogin {
    /// What the data plane gets of it.
    pub(crate) fn for_route(self) -> ServerLogin {
        ServerLogin { role: self.role, keys: self.keys }
    }

    /// As the catalog keeps it.
    pub(crate) fn seal(&self, key: &DataKey, database: DatabaseId) -> Vec<u8> {
        let keys = [self.keys.client_key.expose().as_slice(), self.keys.server_key.expose()];
        let bytes = Secret::new([&[MARK][..], keys[0], keys[1], self.role.as_str().as_bytes()].concat());
        key.seal(Purpose::Logins(database), bytes.expose())
    }

    /// What [`Self::seal`] sealed for that database.
    pub(crate) fn unseal(ring: &Ring, database: DatabaseId, sealed: &[u8]) -> Result<Self, UnsealError> {
        let purpose = Purpose::Logins(database);
        Self::from_bytes(ring.unseal(purpose, sealed)?.expose()).ok_or(UnsealError::Damaged(purpose))
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[MARK], rest) = bytes.split_first_chunk()? else { return None };
        let (client_key, rest) = rest.split_first_chunk::<32>()?;
        let (server_key, role) = rest.split_first_chunk::<32>()?;
        let keys = LoginKeys { client_key: Secret::new(*client_key), server_key: Secret::new(*server_key) };
        Some(Self { role: std::str::from_utf8(role).ok()?.parse().ok()?, keys })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::secret::logins::Logins;
    use crate::secret::seal::Unwrapped;

    #[test]
    fn a_login_reads_back_for_its_own_database_and_is_never_taken_for_logins_of_holms_making() {
        let key = DataKey::generate();
        let mut ring = Ring::default();
        ring.data.insert(key.id(), Unwrapped::Open(key.clone()));
        let [one, two] = [1, 2].map(|n| DatabaseId::from_uuid(Uuid::from_u128(n)));
        let keys = LoginKeys { client_key: Secret::new([3; 32]), server_key: Secret::new([4; 32]) };
        let login = AdoptedLogin { role: "a\"pp".parse().unwrap(), keys };
        let sealed = login.seal(&key, one);
        let read = AdoptedLogin::unseal(&ring, one, &sealed).unwrap();
        assert_eq!((read.role, read.keys.client_key, read.keys.server_key), (login.role, login.keys.client_key, login.keys.server_key));
        assert!(AdoptedLogin::unseal(&ring, two, &sealed).is_err());
        assert!(Logins::unseal(&ring, one, &sealed).is_err());
        assert!(AdoptedLogin::unseal(&ring, one, &Logins::generate().seal(&key, one)).is_err());
    }
}
