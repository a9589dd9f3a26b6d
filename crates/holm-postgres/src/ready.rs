//! Whether a server is ready: it is when it says so in `postmaster.pid` and its superuser can log in.

use std::path::Path;
use std::time::Duration;

use holm_core::role::RoleName;
use holm_core::secret::Secret;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Config, NoTls};

use crate::child::Child;
use crate::port::HOST;
use crate::postmaster::{self, State};

/// For the first answer: a start takes a fraction of a second, a busy machine many times that.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// For recovery after a crash, once the server says that it is at it.
const RECOVERY_DEADLINE: Duration = Duration::from_secs(120);
/// Between two attempts; each is one connection to a port of this machine.
const LOOK_AGAIN: Duration = Duration::from_millis(15);
/// For one attempt: a server that has accepted answers in milliseconds.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(5);

/// Why a server is not ready.
pub(crate) enum NotReady {
    /// Its process ended.
    Ended,
    /// It answers, and with a refusal that waiting does not change.
    Refused(String),
    /// It did not answer, or not with a session.
    Silent {
        /// How long was waited.
        after: Duration,
    },
}

/// The login that is tried.
pub(crate) struct Login<'a> {
    pub(crate) data: &'a Path,
    pub(crate) port: u16,
    pub(crate) superuser: &'a RoleName,
    pub(crate) password: &'a Secret<String>,
}

enum Answer {
    Welcome,
    Refused(String),
    None,
}

impl Login<'_> {
    /// Tries until it works, the process ends or the time is up.
    pub(crate) async fn succeeds(&self, child: &Child) -> Result<(), NotReady> {
        let begun = Instant::now();
        let mut patience = ANSWER_DEADLINE;
        while begun.elapsed() < patience {
            if child.status().is_some() {
                return Err(NotReady::Ended);
            }
            match postmaster::state(self.data, child.pid()) {
                // Before that, whoever answers on the port may be a stranger.
                Some(State::Ready) => match timeout(ATTEMPT_DEADLINE, self.attempt()).await.unwrap_or(Answer::None) {
                    Answer::Welcome => return Ok(()),
                    Answer::Refused(why) => return Err(NotReady::Refused(why)),
                    Answer::None => {}
                },
                Some(State::Recovering) => patience = RECOVERY_DEADLINE,
                None => {}
            }
            tokio::select! {
                // Both only wait: nothing is lost with the one that is dropped.
                () = child.exited() => {}
                () = sleep(LOOK_AGAIN) => {}
            }
        }
        Err(NotReady::Silent { after: patience })
    }

    async fn attempt(&self) -> Answer {
        let mut config = Config::new();
        config.host(HOST).port(self.port).user(self.superuser.as_str()).password(self.password.expose()).dbname("postgres");
        match config.connect(NoTls).await {
            // Dropping both ends closes the connection.
            Ok(_) => Answer::Welcome,
            Err(error) => error.as_db_error().map_or(Answer::None, |refusal| Answer::Refused(refusal.message().to_owned())),
        }
    }
}
