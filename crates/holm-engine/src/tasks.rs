//! Tasks of this process: named, awaited at shutdown, never lost silently.
//!
//! Promises: work that must not be dropped half-way goes on when whoever waits for it goes away. Refuses to outlive the
//! shutdown: what does not stop within its deadline is reported.

use std::time::Duration;

use holm_core::error::{Changed, ErrorCode, Problem};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest single act, making a template, may be waited for at a shutdown; all acts can also be cut and repeated.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// The tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs a loop until it ends by itself or is told to stop; it is dropped where it waits.
    pub(crate) fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let running = self.tracker.spawn(async move {
            tokio::select! {
                // Safe to drop: every loop is built of acts that may be cut anywhere and repeated.
                () = work => {}
                () = stop.cancelled() => {}
            }
        });
        self.tracker.spawn(async move {
            if let Err(error) = running.await {
                tracing::error!(task = name, %error, "a task panicked");
            }
        });
    }

    /// Runs one act to its end, whether or not the caller goes on waiting.
    ///
    /// # Errors
    /// Those of the act, or [`ErrorCode::Internal`] if it panicked.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        name: &'static str,
        act: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        match self.tracker.spawn(act).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(task = name, %error, "a task panicked");
                Err(Problem::new(ErrorCode::Internal, format!("`{name}` broke off"))
                    .changed(Changed::Unknown)
                    .next("report this with the log"))
            }
        }
    }

    /// Tells every loop to stop and waits for them and for open acts.
    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        self.tracker.close();
        if timeout(SHUTDOWN_PATIENCE, self.tracker.wait()).await.is_err() {
            tracing::warn!(tasks = self.tracker.len(), "tasks were cut at shutdown; what they were doing is taken up at the next start");
        }
    }
}
