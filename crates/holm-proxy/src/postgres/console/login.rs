//! Who is let into the console: by the login that everybody goes through, with a name that is no credential's.
//!
//! Promises: until the proof has held, a name of the console and one that is nobody's cannot be told apart. So the salt of its
//! password is the one that the name would have if it were nobody's (the same on every node and after every start), whatever
//! database it asks for, and the rounds are done when routes come and not when somebody logs in.

use std::num::NonZeroU32;
use std::sync::Arc;

use holm_core::error::Problem;
use holm_core::scram::ITERATIONS;
use holm_pgwire::scram::keys::{Key, LoginKeys, Verifier, mock_verifier};
use tokio::sync::OwnedSemaphorePermit;

use crate::postgres::refusal;
use crate::postgres::tenant_name::Names;

use super::{Console, ConsoleRole, ConsoleUser};

/// The databases that are the console: ours, and the one that tools for PgBouncer ask for. No tenant can be called so.
pub(super) const DATABASES: [&str; 2] = ["holm", "pgbouncer"];

/// The same work as for a password that is nobody's.
const ROUNDS: NonZeroU32 = NonZeroU32::new(ITERATIONS).expect("it is some thousands");

/// Somebody of the console who has proven nothing yet.
pub(in crate::postgres) struct Account {
    name: String,
    role: ConsoleRole,
    pub(in crate::postgres) verifier: Verifier,
}

/// Somebody who is in.
pub(in crate::postgres) struct Entered {
    pub(super) name: String,
    pub(super) role: ConsoleRole,
    /// The end of the authentication, not yet sent.
    pub(super) answer: Vec<u8>,
    /// Given back when they go.
    pub(super) _place: OwnedSemaphorePermit,
}

impl Console {
    /// Makes ready for logins under the secret of the newest routes.
    pub(super) fn prepare(&self, secret: &Key) {
        let mut verifiers = self.verifiers();
        if verifiers.as_ref().is_none_or(|(known, _)| known != secret) {
            *verifiers = Some((*secret, self.users.iter().map(|user| verifier(user, secret)).collect()));
        }
    }

    /// The account of a name; the caller has seen that it is no credential's.
    pub(in crate::postgres) fn account(&self, name: &str, secret: &Key) -> Option<Account> {
        let (at, user) = self.users.iter().enumerate().find(|(_, user)| user.name == name)?;
        // For a login that is faster than the first table.
        self.prepare(secret);
        let verifier = self.verifiers().as_ref().and_then(|(_, verifiers)| verifiers.get(at).cloned())?;
        Some(Account { name: user.name.clone(), role: user.role, verifier })
    }

    /// Lets somebody in who has proven it.
    ///
    /// # Errors
    /// They named another database, or there is no room.
    pub(in crate::postgres) fn enter(&self, account: Account, names: &Names, answer: Vec<u8>) -> Result<Entered, Problem> {
        let database = names.tenant(None)?;
        if !DATABASES.contains(&database.as_str()) {
            return Err(refusal::not_a_tenants_user(&database));
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| refusal::too_many_consoles())?;
        Ok(Entered { name: account.name, role: account.role, answer, _place: place })
    }
}

fn verifier(user: &ConsoleUser, secret: &Key) -> Verifier {
    let salt = mock_verifier(secret, user.name.as_bytes(), ITERATIONS).salt.clone();
    LoginKeys::derive(user.password.expose().as_bytes(), &salt, ROUNDS).verifier(&salt, ROUNDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use holm_core::secret::Secret;

    #[test]
    fn a_name_of_the_console_has_the_salt_that_it_would_have_if_it_were_nobodys() {
        let user = ConsoleUser { name: "ops".to_owned(), password: Secret::new("one".to_owned()), role: ConsoleRole::Admin };
        let console = Console::new(vec![user]);
        for secret in [[7; 32], [8; 32], [7; 32]] {
            let account = console.account("ops", &secret).unwrap();
            let nobody = mock_verifier(&secret, b"ops", ITERATIONS);
            assert_eq!((&account.verifier.salt, account.verifier.iterations), (&nobody.salt, nobody.iterations));
            assert_ne!(account.verifier.stored_key, nobody.stored_key);
        }
        assert!(console.account("nobody", &[7; 32]).is_none());
    }
}
