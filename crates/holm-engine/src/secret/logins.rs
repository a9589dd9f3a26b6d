//! The logins of one database: a password and SCRAM keys for each of its three roles.
//!
//! Promises a layout of fixed length, so that opening 20,000 of them costs their decryption and nothing else. Refuses to
//! recompute: what was made once is what the roles have.

use holm_core::credential::Level;
use holm_core::id::DatabaseId;
use holm_core::role::{DatabaseName, RoleName};
use holm_core::route::ServerLogin;
use holm_core::scram::{LoginKeys, Verifier};
use holm_core::secret::Secret;

use super::data_key::DataKey;
use super::random::{self, PASSWORD_LENGTH};
use super::scram::{self, SALT_LENGTH};
use super::seal::{Purpose, Ring, UnsealError};

/// Password, salt, client key, server key.
const LOGIN_LENGTH: usize = PASSWORD_LENGTH + SALT_LENGTH + 32 + 32;

/// One login a level.
const LENGTH: usize = LOGIN_LENGTH * Level::ALL.len();

/// One role's login.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// For a client of Holm's that speaks no SCRAM keys: the seed.
    pub(crate) password: Secret<String>,
    salt: [u8; SALT_LENGTH],
    keys: LoginKeys,
}

/// The logins of a database's roles, in the order of [`Level::ALL`].
#[derive(Clone, Debug)]
pub(crate) struct Logins([Login; 3]);

impl Login {
    fn generate() -> Self {
        let (password, salt) = (random::password(), random::bytes());
        let keys = scram::login_keys(&password, &salt);
        Self { password, salt, keys }
    }

    /// What the role is created with.
    pub(crate) fn verifier(&self) -> Verifier {
        scram::verifier(&self.keys, &self.salt)
    }
}

impl Logins {
    /// Makes new logins: some milliseconds of CPU, so keep it off the reactor.
    pub(crate) fn generate() -> Self {
        Self(Level::ALL.map(|_| Login::generate()))
    }

    /// The login of a level.
    pub(crate) const fn of(&self, level: Level) -> &Login {
        match level {
            Level::Owner => &self.0[0],
            Level::Rw => &self.0[1],
            Level::Ro => &self.0[2],
        }
    }

    /// What the data plane gets of them: names and keys, no password.
    pub(crate) fn for_route(&self, database: &DatabaseName) -> [ServerLogin; 3] {
        Level::ALL.map(|level| ServerLogin { role: RoleName::of(database, level), keys: self.of(level).keys.clone() })
    }

    /// As the catalog keeps them.
    pub(crate) fn seal(&self, key: &DataKey, database: DatabaseId) -> Vec<u8> {
        key.seal(Purpose::Logins(database), self.to_bytes().expose())
    }

    /// What [`Self::seal`] sealed for that database.
    pub(crate) fn unseal(ring: &Ring, database: DatabaseId, sealed: &[u8]) -> Result<Self, UnsealError> {
        let purpose = Purpose::Logins(database);
        Self::from_bytes(&ring.unseal(purpose, sealed)?).ok_or(UnsealError::Damaged(purpose))
    }

    /// As bytes, for sealing.
    fn to_bytes(&self) -> Secret<Vec<u8>> {
        let mut bytes = Vec::with_capacity(LENGTH);
        for login in &self.0 {
            bytes.extend_from_slice(login.password.expose().as_bytes());
            bytes.extend_from_slice(&login.salt);
            bytes.extend_from_slice(login.keys.client_key.expose());
            bytes.extend_from_slice(login.keys.server_key.expose());
        }
        Secret::new(bytes)
    }

    /// Reads what [`Self::to_bytes`] wrote, or nothing if it is something else.
    fn from_bytes(bytes: &Secret<Vec<u8>>) -> Option<Self> {
        let (logins, rest) = bytes.expose().as_chunks::<LOGIN_LENGTH>();
        let [owner, rw, ro] = logins else { return None };
        rest.is_empty().then_some(())?;
        Some(Self([login(owner)?, login(rw)?, login(ro)?]))
    }
}

fn login(bytes: &[u8; LOGIN_LENGTH]) -> Option<Login> {
    let (password, rest) = bytes.split_first_chunk::<PASSWORD_LENGTH>()?;
    let (salt, rest) = rest.split_first_chunk::<SALT_LENGTH>()?;
    let (client_key, server_key) = rest.split_first_chunk::<32>()?;
    let password = Secret::new(String::from_utf8(password.to_vec()).ok()?);
    let keys = LoginKeys { client_key: Secret::new(*client_key), server_key: Secret::new(server_key.try_into().ok()?) };
    Some(Login { password, salt: *salt, keys })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn logins_read_back_and_no_two_roles_share_anything() {
        let logins = Logins::generate();
        let bytes = logins.to_bytes();
        assert_eq!(bytes.expose().len(), LENGTH);
        let read = Logins::from_bytes(&bytes).unwrap();
        for level in Level::ALL {
            assert_eq!(read.of(level).password, logins.of(level).password);
            assert_eq!(read.of(level).verifier().stored_key, logins.of(level).verifier().stored_key);
        }
        assert_ne!(logins.of(Level::Owner).password, logins.of(Level::Rw).password);
        assert_ne!(logins.of(Level::Owner).salt, logins.of(Level::Rw).salt);
    }

    #[test]
    fn anything_else_is_not_logins() {
        for length in [0, 1, LENGTH - 1, LENGTH + 1, LENGTH * 2] {
            assert!(Logins::from_bytes(&Secret::new(vec![b'a'; length])).is_none(), "{length}");
        }
        assert!(Logins::from_bytes(&Secret::new(vec![0xff; LENGTH])).is_none());
    }

    #[test]
    fn a_route_gets_the_three_roles_and_no_debug_text_has_a_key() {
        let logins = Logins::generate();
        let database = DatabaseName::generated(Uuid::nil());
        let roles = logins.for_route(&database).map(|login| login.role.to_string());
        assert_eq!(roles, ["owner", "rw", "ro"].map(|level| format!("t_{}_{level}", "0".repeat(32))));
        assert!(!format!("{logins:?}").contains(logins.of(Level::Ro).password.expose()));
    }
}
