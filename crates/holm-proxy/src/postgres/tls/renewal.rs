//! A certificate is replaced while the proxy runs: its files are looked at now and then, and when somebody asks.
//!
//! Promises: only new handshakes notice. Files that cannot be used, half-written ones among them, leave what is in use
//! as it is, are named in the log once for each change, and stand in the metrics until they can be used. A look costs a
//! `stat` of each file; they are read only when one of them looks different. That a revocation list in use is over is said once.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use holm_core::error::{ErrorCode, Problem};
use jiff::Timestamp;
use tokio::time::MissedTickBehavior;

use super::Tls;
use crate::postgres::TlsFiles;
use crate::postgres::counters::Counters;

/// How hard to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Look {
    /// Reads what looks different from the last time.
    IfChanged,
    /// Reads it all.
    Anyway,
}

/// What came of a look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Renewed {
    /// Nothing was read.
    Untouched,
    /// The files say what is in use.
    Same,
    /// They said something else, and that is in use now.
    Replaced,
}

/// How the files look from outside: device, inode, size, and the times of the last change in nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stamp(Vec<Option<[i128; 5]>>);

impl Stamp {
    /// Follows links, as whoever renews certificates by moving a link expects.
    pub(super) fn of(files: &TlsFiles) -> Self {
        let stamp = |path: &Path| {
            let file = std::fs::metadata(path).ok()?;
            let time = |seconds: i64, nanoseconds: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
            let changed = [time(file.mtime(), file.mtime_nsec()), time(file.ctime(), file.ctime_nsec())];
            Some([file.dev().into(), file.ino().into(), file.size().into(), changed[0], changed[1]])
        };
        Self(files.paths().map(stamp).collect())
    }
}

/// Looks at the files for as long as it is polled.
pub(crate) async fn keep(renewal: TlsRenewal) {
    let mut every = tokio::time::interval(renewal.tls.files.look_every);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, and the files were read a moment ago.
    every.tick().await;
    let mut told = None;
    loop {
        every.tick().await;
        // Told to the log.
        let _ = renewal.look(Look::IfChanged).await;
        renewal.tell_of_lists(&mut told);
    }
}

/// Has a running proxy use the certificate that its files have now.
#[derive(Clone)]
pub struct TlsRenewal {
    tls: Arc<Tls>,
    counters: Arc<Counters>,
}

impl std::fmt::Debug for TlsRenewal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsRenewal").field("files", &self.tls.files).finish_non_exhaustive()
    }
}

impl TlsRenewal {
    pub(in crate::postgres) const fn new(tls: Arc<Tls>, counters: Arc<Counters>) -> Self {
        Self { tls, counters }
    }

    /// Reads the files now, whether or not they look changed; handshakes that begin after it use what they say.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidConfig`] with the file that cannot be used; what was in use stays.
    ///
    /// # Cancel safety
    /// Safe: the look goes on without the caller.
    pub async fn read_again(&self) -> Result<(), Problem> {
        self.look(Look::Anyway).await
    }

    /// Says once of each set of lists that it is over.
    fn tell_of_lists(&self, told: &mut Option<Timestamp>) {
        let over = self.tls.lists_over(Timestamp::now());
        if let Some(until) = over
            && *told != over
        {
            self.counters.certificate_unusable();
            tracing::error!(%until, "a revocation list of clients' certificates is over: nobody with a certificate of its authority gets in");
        }
        *told = over;
    }

    async fn look(&self, look: Look) -> Result<(), Problem> {
        // A file may lie on a disk that does not answer, and this thread accepts clients.
        let renewal = self.clone();
        let looked = tokio::task::spawn_blocking(move || renewal.look_now(look)).await;
        looked.unwrap_or_else(|panic| Err(Problem::new(ErrorCode::Internal, "the look at the TLS files panicked").because(panic)))
    }

    fn look_now(&self, look: Look) -> Result<(), Problem> {
        let renewed = self.tls.renew(look);
        match &renewed {
            Ok(Renewed::Untouched) => {}
            Ok(Renewed::Same) => self.counters.certificate_usable(),
            Ok(Renewed::Replaced) => {
                self.counters.certificate_replaced();
                tracing::info!("the TLS files have changed: new connections use what they say now");
            }
            Err(problem) => {
                self.counters.certificate_unusable();
                let why = problem.why.as_deref().unwrap_or_default();
                tracing::error!(%problem, why, "the TLS files have changed and cannot be used: new connections use what they said before");
            }
        }
        renewed.map(drop)
    }
}
