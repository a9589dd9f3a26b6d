//! What a step has in its hands, and the fence around every cluster that it touches.
//!
//! Promises: a step on a cluster holds the operation's advisory lock there, has ended every session that a former runner
//! left, and has asked the catalog under the lock whether the lease is still its own. So whoever lost the lease has no
//! session to act in, and gets none: a new one waits for the lock, and then learns that it is too late.

use std::sync::Arc;
use std::time::Instant;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, OperationId};
use holm_core::role::{DatabaseName, RoleName};
use holm_core::secret::Secret;
use holm_store::cluster::Cluster;
use holm_store::operation::{Children, claim};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::definition::StepError;
use super::digest;
use crate::cluster::connect::{Access, Connection};
use crate::cluster::lock;
use crate::cluster::trouble::ClusterError;
use crate::control::Control;

/// How much of a step is done, in its own measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    pub(crate) done: u64,
    pub(crate) of: u64,
    /// `bytes`, `tables`.
    pub(crate) unit: &'static str,
}

/// A progress is for people: more than this is not read.
const PROGRESS_EVERY: std::time::Duration = std::time::Duration::from_millis(500);

/// What a step has in its hands.
pub(crate) struct Acting {
    pub(crate) control: Control,
    pub(crate) id: OperationId,
    pub(crate) epoch: u64,
    /// Cancelled when the lease is lost; the runner then drops the step where it waits.
    #[allow(dead_code, reason = "for steps that start processes")]
    pub(crate) lost: CancellationToken,
    pub(super) clock: Clock,
    pub(super) told: Arc<Mutex<Option<Instant>>>,
}

/// The catalog's clock: what it said when the operation was claimed, and what has passed since by our steady one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) said: Timestamp,
    pub(super) heard: Instant,
}

impl Clock {
    pub(super) fn now(&self) -> Timestamp {
        let passed = jiff::SignedDuration::try_from(self.heard.elapsed()).unwrap_or(jiff::SignedDuration::MAX);
        digest::kept(self.said.saturating_add(passed).unwrap_or(self.said))
    }
}

/// A cluster while a step works on it.
pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    pub(crate) admin: Connection,
    access: Access,
}

const SESSIONS_OF_FORMER_RUNNERS: &str = "\
SELECT pg_terminate_backend(pid, 10000)
FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND application_name LIKE $1 || ' %' AND CASE
    -- Whoever may log in may call a session anything: no number that it makes up must be in the way.
    WHEN split_part(application_name, ' ', 3) ~ '^[0-9]{1,18}$' THEN split_part(application_name, ' ', 3)::bigint < $2
    ELSE false END";

/// Ends what runners of earlier epochs have open on a cluster, their programs too.
async fn end_sessions_before(admin: &Connection, id: OperationId, epoch: i64) -> Result<(), ClusterError> {
    let former = format!("holm {id}");
    admin.query("end sessions of a former runner", SESSIONS_OF_FORMER_RUNNERS, &[&former, &epoch]).await.map(drop)
}

/// Ends what the runners of an operation that is over have open on a cluster. A process that stands still leaves sessions
/// behind, and one that waits for its client to read keeps every `DROP DATABASE` of its server waiting (PostgreSQL,
/// `WaitForProcSignalBarrier`).
///
/// # Cancel safety
/// Safe.
pub(crate) async fn end_sessions(admin: &Connection, id: OperationId) -> Result<(), ClusterError> {
    end_sessions_before(admin, id, i64::MAX).await
}

/// Ends the sessions of runners before this epoch, and takes the operation's lock.
///
/// # Cancel safety
/// Safe: the lock ends with the session.
pub(super) async fn close_to_former(admin: &Connection, id: OperationId, epoch: u64) -> Result<(), ClusterError> {
    let epoch = i64::try_from(epoch).expect("epochs begin at 1 and grow by 1");
    end_sessions_before(admin, id, epoch).await?;
    lock::one(admin, id.as_uuid()).await
}

/// What sessions of a runner are called.
pub(super) fn application_name(id: OperationId, epoch: u64) -> String {
    format!("holm {id} {epoch}")
}

impl Acting {
    /// The catalog's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A session on a cluster, behind the fence.
    ///
    /// # Errors
    /// The cluster's trouble; [`StepError::Lost`] if the lease is over.
    ///
    /// # Cancel safety
    /// Safe: the lock ends with the session.
    pub(crate) async fn site(&self, id: ClusterId) -> Result<Site, StepError> {
        let cluster = holm_store::cluster::by_id(self.control.catalog(), id).await?;
        let cluster = cluster.ok_or_else(|| StepError::Fatal(Problem::new(ErrorCode::ClusterNotFound, format!("{id} is gone"))))?;
        let mut access = self.control.access(&cluster).await?;
        access.application_name = Some(self.application_name());
        let refused = |error: ClusterError| StepError::Retry(error.problem(&cluster.name));
        let admin = access.maintenance().await.map_err(refused)?;
        close_to_former(&admin, self.id, self.epoch).await.map_err(refused)?;
        if !claim::is_mine(self.control.catalog(), self.id, self.epoch).await? {
            return Err(StepError::Lost);
        }
        Ok(Site { admin, access, cluster })
    }

    /// Notes how far the step is; for people, so that what goes wrong with it does not matter.
    pub(crate) async fn progress(&self, progress: Progress) {
        let mut told = self.told.lock().await;
        if told.is_some_and(|told| told.elapsed() < PROGRESS_EVERY) && progress.done < progress.of {
            return;
        }
        *told = Some(Instant::now());
        let value = json!({ "done": progress.done, "of": progress.of, "unit": progress.unit });
        let _ = claim::progress(self.control.catalog(), self.id, self.epoch, &value).await;
    }

    /// What sessions of this runner are called, those of programs that it starts too: the next one ends them by it.
    pub(crate) fn application_name(&self) -> String {
        application_name(self.id, self.epoch)
    }

    /// Whether a person wants the operation undone: for steps that take so long that they look now and then. A catalog
    /// that does not answer has not been told so.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(crate) async fn cancel_asked(&self) -> bool {
        claim::cancel_asked(self.control.catalog(), self.id).await.unwrap_or(false)
    }

    /// How the operation's children are doing.
    ///
    /// # Errors
    /// The catalog does not answer.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn children(&self) -> Result<Children, StepError> {
        Ok(holm_store::operation::children(self.control.catalog(), self.id).await?)
    }
}

impl Site {
    /// How Holm itself gets there.
    pub(crate) const fn access(&self) -> &Access {
        &self.access
    }

    /// What went wrong there, as people are told, to be tried again.
    pub(crate) fn retry(&self, error: &ClusterError) -> StepError {
        StepError::Retry(error.problem(&self.cluster.name))
    }

    /// A login as a role that owns one database. It is given out only while the fence stands: a session that was opened
    /// after a takeover is closed again before anything is said in it.
    ///
    /// # Errors
    /// The cluster's trouble.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn login(&self, database: &DatabaseName, role: &RoleName, password: &Secret<String>) -> Result<Connection, StepError> {
        let login = self.access.login(database, role, password).await.map_err(|error| self.retry(&error))?;
        self.admin.query("ask whether the fence stands", "SELECT 1", &[]).await.map_err(|error| self.retry(&error))?;
        Ok(login)
    }

    /// Says goodbye and gives the lock back.
    pub(crate) async fn leave(self) {
        self.admin.close().await;
    }
}
