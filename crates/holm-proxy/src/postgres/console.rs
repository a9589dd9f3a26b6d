//! The admin console: what a pooler's tools (exporters, dashboards, scripts with `psql`) know as the database `pgbouncer`.
//!
//! Promises: off unless somebody is named for it; only those reach it, and they reach nothing else; what a name may do there is
//! a table (`rights`). A credential is never shadowed: a console name that is one's too is that credential's. A name that is
//! nobody's and one of the console go through the same login and send the same bytes, until the proof has held. Nothing of it
//! is in the way of a tenant's statement: what workers know they are asked for, answers are made in slices, and who does not
//! read is cut.
//!
//! Refuses: parameters, settings, and whatever the catalog decides (a pause that all nodes know of, a shutdown): it
//! is of one node, in memory, and cannot reach the catalog.

mod act;
mod answer;
mod extended;
mod grammar;
mod in_use;
mod login;
mod names;
mod rights;
mod serve;
mod show;
mod tables;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use holm_core::route::RouteTable;
use holm_core::secret::Secret;
use holm_pgwire::scram::keys::{Key, Verifier};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub(super) use self::login::Entered;
pub use self::rights::ConsoleRole;
pub(super) use self::serve::serve;
use super::authentication::mock_secret;

/// How many may be there at once: people, exporters and scripts, each with a connection or two.
const CONSOLES_MAX: usize = 32;

/// Somebody who may use the console.
#[derive(Clone, Debug)]
pub struct ConsoleUser {
    /// The user name. If a credential has it too, it is the credential's, and the console is closed to it.
    pub name: String,
    /// The password; printable ASCII, since nothing here prepares anything else.
    pub password: Secret<String>,
    /// What they may do.
    pub role: ConsoleRole,
}

/// Who may use the console, and who does.
pub(super) struct Console {
    users: Vec<ConsoleUser>,
    /// Whether a credential has the user's name, as was seen last.
    taken: Vec<AtomicBool>,
    /// What the users' passwords are checked against, and the secret that their salts come from.
    verifiers: Mutex<Option<(Key, Vec<Verifier>)>>,
    places: Arc<Semaphore>,
    /// The node shuts down.
    over: CancellationToken,
}

impl Console {
    pub(super) fn new(users: Vec<ConsoleUser>) -> Self {
        let taken = users.iter().map(|_| AtomicBool::new(false)).collect();
        Self { users, taken, verifiers: Mutex::default(), places: Arc::new(Semaphore::new(CONSOLES_MAX)), over: CancellationToken::new() }
    }

    /// Lets nobody in any more and ends what is open: a shutdown does not wait for who only looks on.
    pub(super) fn close(&self) {
        self.over.cancel();
    }

    /// Makes ready for logins under a table.
    pub(super) fn follow(&self, table: &RouteTable) {
        self.prepare(&mock_secret(table));
        for (user, taken) in self.users.iter().zip(&self.taken) {
            let is_taken = table.credential(&user.name).is_some();
            if is_taken && !taken.swap(is_taken, Ordering::Relaxed) {
                tracing::warn!(console.user = user.name, "the console is closed to this user: a credential has the name");
            }
            taken.store(is_taken, Ordering::Relaxed);
        }
    }

    fn verifiers(&self) -> std::sync::MutexGuard<'_, Option<(Key, Vec<Verifier>)>> {
        // It is replaced whole.
        self.verifiers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
