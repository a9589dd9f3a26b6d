//! Keeps the newest routes on disk while the control plane goes on changing them.
//!
//! Promises: a table that may forbid something is on disk before it is acknowledged, so that a change that was confirmed
//! stays in force through a crash and a start without the catalog. One that only adds is acknowledged at once and written
//! within about a second, the newest only. When nothing changes, the word of the catalog is renewed every ten minutes.
//! Where nothing can be written, what is there and lets in too much is removed, and it is said.

use std::sync::Arc;
use std::time::Duration;

use holm_core::error::Problem;
use holm_core::route::RouteTable;
use holm_link::Feed;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::clock;
use super::source::Source;
use super::store::Store;
use crate::serve::standing::Standing;

/// Between two writes of tables that only add.
const PACE: Duration = Duration::from_secs(1);

/// Between two tries, when nothing can be written.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// How much of its time a node may lose by a crash: of 95 h, ten minutes.
const RENEW: Duration = Duration::from_secs(600);

/// Three beats of the pulse and some: a word that is older is not renewed.
const HEARD: Duration = Duration::from_secs(10);

/// What keeps a node's routes.
pub(in crate::serve) struct Keeper {
    store: Arc<Store>,
    source: Source,
    feed: Feed,
    standing: Arc<Standing>,
    /// What is on disk, where that is known.
    on_disk: Option<Arc<RouteTable>>,
    /// Whether there is a newer one.
    behind: bool,
    /// When something was last written, or tried.
    last: Instant,
    /// How long that took.
    took: Duration,
    /// Failures in a row.
    failures: u32,
}

impl Keeper {
    /// Takes over a store in which `on_disk` lies.
    pub(in crate::serve) fn new(
        store: Arc<Store>,
        source: Source,
        feed: Feed,
        standing: Arc<Standing>,
        on_disk: Option<Arc<RouteTable>>,
    ) -> Self {
        // Written again, what lies there would be no newer.
        let behind = on_disk.is_none();
        Self { store, source, feed, standing, on_disk, behind, last: Instant::now(), took: Duration::ZERO, failures: 0 }
    }

    /// Writes the newest table.
    ///
    /// # Errors
    /// It cannot be written; [`Self::run`] goes on trying.
    ///
    /// # Cancel safety
    /// Safe: what was begun is written.
    pub(in crate::serve) async fn save(&mut self) -> Result<(), Problem> {
        let table = self.source.table();
        let (store, source, written) = (Arc::clone(&self.store), self.source.clone(), Arc::clone(&table));
        let begun = Instant::now();
        let work = move || source.keep(&store, &clock::now(), &written);
        let kept = tokio::task::spawn_blocking(work).await.expect("keeping routes does not panic");
        (self.last, self.took) = (Instant::now(), begun.elapsed());
        match kept {
            Ok(()) => {
                self.failures = 0;
                self.behind = false;
                self.standing.kept(table.version(), self.source.heard(&clock::now()));
                self.feed.acknowledge(table.version());
                self.on_disk = Some(table);
                Ok(())
            }
            Err(problem) => {
                self.failed(&table, &problem);
                Err(problem)
            }
        }
    }

    /// Keeps what comes, until told to stop; what is missing then is written at last.
    pub(in crate::serve) async fn run(mut self, stop: CancellationToken) {
        loop {
            let due = self.due();
            // All are safe to drop: a table that was not returned is still news.
            tokio::select! {
                () = stop.cancelled() => break,
                table = self.feed.next() => match table {
                    Some(table) => self.hear(&table).await,
                    // The control plane went away before us.
                    None => stop.cancelled().await,
                },
                () = sleep_until(due) => self.work().await,
            }
        }
        if self.behind {
            let _ = self.save().await;
        }
    }

    async fn hear(&mut self, table: &RouteTable) {
        let written = self.on_disk.as_ref().map_or_else(Default::default, |on_disk| on_disk.version());
        if table.version() <= written {
            self.feed.acknowledge(table.version());
            return;
        }
        self.behind = true;
        // Where nothing is on disk, nothing there lets anybody in.
        if self.on_disk.as_ref().is_none_or(|on_disk| table.only_adds_to(on_disk)) {
            self.feed.acknowledge(table.version());
            return;
        }
        // Half of the disk's time is left to others, however many things are closed one after the other.
        sleep_until(self.last + self.took).await;
        let _ = self.save().await;
    }

    fn due(&self) -> Instant {
        let retry = PACE * 2_u32.saturating_pow(self.failures.min(10));
        self.last + if self.behind { retry.min(RETRY_MAX) } else { RENEW }
    }

    async fn work(&mut self) {
        if self.behind || self.source.unheard() < HEARD {
            let _ = self.save().await;
            return;
        }
        self.last = Instant::now();
        if let Err(problem) = self.store.note_time(&clock::now()) {
            tracing::warn!(why = problem.why, "{}", problem.what);
        }
    }

    /// What is on disk must not let in what was closed.
    fn failed(&mut self, table: &RouteTable, problem: &Problem) {
        self.behind = true;
        self.failures = self.failures.saturating_add(1);
        self.standing.not_kept();
        tracing::error!(why = problem.why, "the newest routes cannot be kept on disk; it is tried again");
        let lags = self.on_disk.as_ref().is_some_and(|on_disk| !table.only_adds_to(on_disk));
        if lags {
            match self.store.discard() {
                Ok(()) => tracing::error!(
                    "the routes on disk were removed, since they let in what is closed by now: this node could not start alone"
                ),
                Err(problem) => {
                    // Not acknowledged: whoever closed something hears that it may not be closed everywhere.
                    tracing::error!(why = problem.why, "the routes on disk cannot be removed either, and let in what is closed by now");
                    return;
                }
            }
            self.on_disk = None;
        }
        self.feed.acknowledge(table.version());
    }
}
