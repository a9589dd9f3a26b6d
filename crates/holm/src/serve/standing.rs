//! Where the routes come from that this process serves, as it says in its metrics and to whoever asks.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::route::RouteVersion;
use holm_link::kept::Moment;
use jiff::Timestamp;

/// A process that serves from its disk.
#[derive(Clone, Debug)]
pub(super) struct FromDisk {
    /// When it began to.
    pub(super) since: Moment,
    /// When the catalog said that these are the newest routes.
    pub(super) heard: Moment,
    /// What became of the last try to reach the catalog.
    pub(super) problem: Problem,
}

/// What is said.
#[derive(Debug, Default)]
pub(super) struct Standing {
    from_disk: Mutex<Option<FromDisk>>,
    kept_version: AtomicU64,
    kept_heard: AtomicU64,
    failures: AtomicU64,
}

impl Standing {
    /// Serves from disk, or tried again to do otherwise.
    pub(super) fn alone(&self, from_disk: FromDisk) {
        self.kept_heard.store(from_disk.heard.wall.as_secs(), Ordering::Relaxed);
        *self.alone_now() = Some(from_disk);
    }

    /// When the catalog was last heard of by a process that serves from its disk.
    pub(super) fn heard_from_disk(&self) -> Option<Moment> {
        self.alone_now().as_ref().map(|from_disk| from_disk.heard)
    }

    /// Why it still does.
    pub(super) fn still(&self, problem: Problem) {
        if let Some(from_disk) = &mut *self.alone_now() {
            from_disk.problem = problem;
        }
    }

    /// The catalog is there.
    pub(super) fn with_catalog(&self) {
        *self.alone_now() = None;
    }

    /// Something was kept.
    pub(super) fn kept(&self, version: RouteVersion, heard: Moment) {
        self.kept_version.store(version.0, Ordering::Relaxed);
        self.kept_heard.store(heard.wall.as_secs(), Ordering::Relaxed);
    }

    /// Something could not be kept.
    pub(super) fn not_kept(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Why the API answers nothing.
    pub(super) fn why(&self) -> Problem {
        let what = "the catalog has not answered since this process started; it serves its tenants with the routes on its disk";
        let problem = Problem::new(ErrorCode::CatalogUnavailable, what);
        let Some(from_disk) = self.alone_now().clone() else { return problem };
        let FromDisk { since, heard, problem: last } = from_disk;
        problem
            .because(format_args!("since {}, with routes of {}: {}", at(since.wall), at(heard.wall), reason(&last)))
            .next("let it reach the catalog: it goes on from there by itself")
    }

    /// For Prometheus.
    pub(super) fn metrics(&self) -> String {
        let since = self.alone_now().as_ref().map(|from_disk| from_disk.since.wall.as_secs());
        let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let mut page = String::new();
        for (name, kind, help, value) in [
            (
                "holm_routes_from_disk",
                "gauge",
                "Whether this process serves from its disk, since it has not reached the catalog",
                u64::from(since.is_some()),
            ),
            ("holm_routes_from_disk_since_timestamp_seconds", "gauge", "Since when it does; 0 if it does not", since.unwrap_or(0)),
            (
                "holm_routes_kept_version",
                "gauge",
                "The version of the routes that it wrote to its disk last; 0 if none",
                read(&self.kept_version),
            ),
            (
                "holm_routes_kept_heard_timestamp_seconds",
                "gauge",
                "When the catalog confirmed the routes on its disk; 0 if there are none",
                read(&self.kept_heard),
            ),
            ("holm_routes_kept_failures_total", "counter", "Failures to write routes to its disk", read(&self.failures)),
        ] {
            writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}").expect("writing to a string does not fail");
        }
        page
    }

    fn alone_now(&self) -> MutexGuard<'_, Option<FromDisk>> {
        // It is assigned whole.
        self.from_disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What failed, and why, in one line.
pub(super) fn reason(problem: &Problem) -> String {
    problem.why.as_ref().map_or_else(|| problem.what.clone(), |why| format!("{}: {why}", problem.what))
}

/// A moment for people, in UTC.
pub(super) fn at(wall: Duration) -> String {
    let seconds = i64::try_from(wall.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| format!("second {seconds}"), |time| time.to_string())
}
