//! The control plane of one process: the catalog, the master key, the way to the data plane, and the tasks.
//!
//! Promises: when it is open, the whole route table has been published; when it is started, routes, pools and unfinished
//! tenants are taken care of until it is shut down. Any number of processes may do so over one catalog.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::route::RouteVersion;
use holm_link::Publisher;
use holm_store::catalog::Catalog;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use crate::cluster::connect::Access;
use crate::reconcile::{pool, routes, tenants};
use crate::secret::master_key::MasterKey;
use crate::secret::seal::Purpose;
use crate::tasks::Tasks;

/// How long the data plane may take to confirm a change; it closes sessions, so more than a moment and less than a request.
pub(crate) const CONFIRM_PATIENCE: Duration = Duration::from_secs(10);

/// A few use the catalog's disk fully; with more, a burst of creations would take every connection from everyone else.
const CREATIONS_MAX: usize = 4;

/// What a control plane is made of.
pub struct ControlConfig {
    /// The catalog, migrated.
    pub catalog: Catalog,
    /// What its secrets are sealed with.
    pub master_key: MasterKey,
    /// The way to the data plane.
    pub publisher: Publisher,
}

/// The control plane; cheap to clone.
#[derive(Clone)]
pub struct Control(Arc<Shared>);

struct Shared {
    catalog: Catalog,
    master_key: MasterKey,
    publisher: Publisher,
    /// Grows whenever something may be to do: a commit of this process, or a wake-up from the catalog.
    signal: watch::Sender<u64>,
    /// The version of the table that the data plane was last given.
    published: watch::Sender<RouteVersion>,
    /// Creations that talk to the catalog; the others wait here, where their own deadline counts, and not for a connection.
    creations: Semaphore,
    tasks: Tasks,
}

impl Control {
    /// Loads every route and publishes them.
    ///
    /// # Errors
    /// The catalog does not answer, or the master key is not the one that sealed its secrets.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn open(config: ControlConfig) -> Result<Self, Problem> {
        let ControlConfig { catalog, master_key, publisher } = config;
        let published = watch::Sender::new(publisher.table().version());
        let (signal, creations) = (watch::Sender::new(0), Semaphore::new(CREATIONS_MAX));
        let shared = Shared { catalog, master_key, publisher, signal, published, creations, tasks: Tasks::default() };
        let control = Self(Arc::new(shared));
        routes::load(&control).await?;
        Ok(control)
    }

    /// Starts the tasks: routes to the data plane, a pool for each cluster, tenants that somebody left unfinished. Without
    /// them no change is ever confirmed, so start before anything is changed.
    pub fn start(&self) {
        let tasks = &self.0.tasks;
        tasks.spawn("wakes", forward_wakes(self.clone()));
        tasks.spawn("routes", routes::run(self.clone()));
        tasks.spawn("tenants", tenants::run(self.clone()));
        tasks.spawn("pools", pool::run(self.clone()));
    }

    /// Stops the tasks. What they were in the middle of is taken up by whoever starts next.
    pub async fn shutdown(&self) {
        self.0.tasks.shutdown().await;
    }

    /// The catalog, for those who only read it.
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// The way to the data plane.
    pub fn publisher(&self) -> &Publisher {
        &self.0.publisher
    }

    pub(crate) fn master_key(&self) -> &MasterKey {
        &self.0.master_key
    }

    pub(crate) fn creations(&self) -> &Semaphore {
        &self.0.creations
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// Says that something may be to do.
    pub(crate) fn nudge(&self) {
        self.0.signal.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Subscribe before looking, so that nothing falls between looking and waiting.
    pub(crate) fn signal(&self) -> watch::Receiver<u64> {
        self.0.signal.subscribe()
    }

    /// The version that was last given to the data plane.
    pub(crate) fn published(&self) -> &watch::Sender<RouteVersion> {
        &self.0.published
    }

    /// How Holm logs in to a cluster.
    pub(crate) fn access(&self, cluster: &holm_store::cluster::Cluster) -> Result<Access, Problem> {
        let stored = &cluster.access;
        let sealed = stored.sealed_admin_password.as_bytes();
        let password = self.0.master_key.unseal_text(Purpose::AdminPassword(cluster.id), sealed)?;
        Ok(Access { cluster: cluster.name.clone(), address: stored.address.clone(), role: stored.admin_role.clone(), password })
    }

    /// Waits until every node of the data plane uses a version, or a newer one.
    ///
    /// # Errors
    /// [`ErrorCode::DataPlaneSilent`], saying that the change itself stands.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(crate) async fn confirmed(&self, version: RouteVersion, patience: Duration) -> Result<(), Problem> {
        let deadline = Instant::now() + patience;
        let mut published = self.0.published.subscribe();
        // The guard inside the answer must not live across the next wait: handlers are sent between threads.
        let given = timeout_at(deadline, published.wait_for(|given| *given >= version)).await.is_ok_and(|seen| seen.is_ok());
        if !given {
            return Err(silent(version).because("the routes of this version could not be read from the catalog in time"));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        self.0.publisher.acknowledged(version, left).await.map_err(|error| silent(version).because(error))
    }
}

fn silent(version: RouteVersion) -> Problem {
    Problem::new(
        ErrorCode::DataPlaneSilent,
        format!("the change is made, but the data plane has not confirmed it (route version {version})"),
    )
    .changed(Changed::Something)
    .next("see with `holm doctor` which part does not answer; it takes the change up as soon as it does")
}

async fn forward_wakes(control: Control) {
    let mut wakes = control.catalog().wakes();
    while wakes.changed().await.is_ok() {
        control.nudge();
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("published", &*self.0.published.borrow()).finish_non_exhaustive()
    }
}
