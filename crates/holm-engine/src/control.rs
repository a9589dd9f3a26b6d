//! The control plane of one process: the catalog, the master key, the way to the data plane, and the tasks.
//!
//! Promises: when it is open, the whole route table has been published; when it is started, routes, pools and unfinished
//! tenants are taken care of until it is shut down. Any number of processes may do so over one catalog.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::InstallationId;
use holm_core::route::RouteVersion;
use holm_core::secret::Secret;
use holm_link::Publisher;
use holm_store::catalog::Catalog;
use holm_store::pulse::Pulse;
use jiff::Timestamp;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::access::denials::Denials;
use crate::audit;
use crate::cluster::client_certificate;
use crate::cluster::connect::Access;
use crate::mail::{self, MailConfig};
use crate::node::round::{self, Answering};
use crate::node::{self, Heard, Membership, NodeConfig, link};
use crate::notices::{Counters, Seen};
use crate::operation::probe::Probe;
use crate::operation::{lease, runner};
use crate::programs::Programs;
use crate::pulse::{self, Looks};
use crate::reconcile::{self, observe, pool, routes, tenants};
use crate::residency::known;
use crate::schedule::{self, Job};
use crate::secret::keys::Keys;
use crate::secret::master_keys::MasterKeys;
use crate::secret::random;
use crate::secret::seal::Purpose;
use crate::tasks::Tasks;
use crate::webhook::deliver;
use crate::webhook::post::Poster;

/// As many words as wait for one who asks: answers of a dozen nodes, in some parts each.
const WORDS_MAX: usize = 256;

/// How long the data plane may take to confirm a change; it closes sessions, so more than a moment and less than a request.
pub(crate) const CONFIRM_PATIENCE: Duration = Duration::from_secs(10);

/// A few use the catalog's disk fully; with more, a burst of creations would take every connection from everyone else.
const CREATIONS_MAX: usize = 4;

/// What a control plane is made of.
pub struct ControlConfig {
    /// The catalog, migrated.
    pub catalog: Catalog,
    /// Where the master keys are; a single [`MasterKey`](crate::secret::master_key::MasterKey) will do.
    pub master_key: MasterKeys,
    /// The way to the data plane.
    pub publisher: Publisher,
    /// How this process is known to the others on the catalog; `None` for one that carries nothing and waits for nobody's
    /// questions, such as a tool.
    pub node: Option<NodeConfig>,
    /// Whose catalog it must be, if that is known; another's routes are then not so much as read.
    pub installation: Option<InstallationId>,
    /// What is done now and then.
    pub jobs: Vec<Job>,
    /// How long an operation stays with a runner that gives no sign of life; the same in all processes of a catalog.
    pub lease: Duration,
    /// What databases are copied with, where they are.
    pub programs: Option<Programs>,
    /// Where checkpoints of the audit log are kept: a file outside of the catalog, best on another disk. Without one, a chain
    /// that is written anew as a whole cannot be told from the right one.
    pub checkpoints: Option<PathBuf>,
    /// Whom to write to when something needs a person; nobody when `None`.
    pub mail: Option<MailConfig>,
    /// Looks into operations while they run; tests only.
    pub probe: Option<Arc<dyn Probe>>,
}

impl ControlConfig {
    /// What every control plane needs; the rest is as it is where nothing else is said.
    pub fn new(catalog: Catalog, master_key: impl Into<MasterKeys>, publisher: Publisher) -> Self {
        Self {
            catalog,
            master_key: master_key.into(),
            publisher,
            checkpoints: None,
            programs: None,
            lease: lease::LEASE,
            mail: None,
            node: None,
            installation: None,
            jobs: schedule::usual(),
            probe: None,
        }
    }
}

/// The control plane; cheap to clone.
#[derive(Clone)]
pub struct Control(Arc<Shared>);

struct Shared {
    catalog: Catalog,
    keys: Keys,
    publisher: Publisher,
    /// Grows whenever something may be to do: a commit of this process, or a wake-up from the catalog.
    signal: watch::Sender<u64>,
    /// Grows whenever an operation may be due.
    due: watch::Sender<u64>,
    /// Grows whenever something happened to an operation.
    told: watch::Sender<u64>,
    /// What the pulse found last.
    looked: watch::Sender<Option<Pulse>>,
    /// The version of the table that the data plane was last given.
    published: watch::Sender<RouteVersion>,
    membership: Membership,
    /// Nodes that have no way to the catalog, and ask here.
    linked: link::Known,
    /// Grows when something about a node is new.
    node_news: watch::Sender<u64>,
    /// What nodes say to each other.
    words: broadcast::Sender<Arc<str>>,
    /// What this one answers.
    answering: OnceLock<Answering>,
    jobs: Vec<Job>,
    /// Which catalog the table is of; another one after a restore.
    incarnation: Mutex<Option<Uuid>>,
    /// Creations that talk to the catalog; the others wait here, where their own deadline counts, and not for a connection.
    creations: Semaphore,
    denials: Denials,
    /// What verdicts rest on, as it was read last.
    known: known::Cache,
    /// Who judges copies holds it; the others wait here, and then find that nothing is due.
    judging: tokio::sync::Mutex<()>,
    checkpoints: Option<PathBuf>,
    mail: Option<MailConfig>,
    poster: Poster,
    notices: (Counters, Seen),
    /// Who this process is among those that run operations.
    runner: String,
    lease: Duration,
    programs: Option<Programs>,
    probe: Option<Arc<dyn Probe>>,
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
        let ControlConfig { catalog, master_key, publisher, checkpoints, programs, lease, mail, node, installation, jobs, probe } = config;
        // Before anything that could write: a wrong key must not seal anything.
        let keys = Keys::open(&catalog, master_key).await?;
        if installation.is_some_and(|expected| expected != keys.installation()) {
            return Err(another_installation());
        }
        routes::refuse_behind(&catalog, publisher.table().version()).await?;
        let published = watch::Sender::new(publisher.table().version());
        let (signal, creations) = (watch::Sender::new(0), Semaphore::new(CREATIONS_MAX));
        let (due, told, looked) = (watch::Sender::new(0), watch::Sender::new(0), watch::Sender::new(None));
        let runner = format!("{}-{:08x}", std::process::id(), u32::from_ne_bytes(random::bytes()));
        let (denials, tasks) = (Denials::default(), Tasks::default());
        let poster = Poster::default();
        let (membership, node_news, incarnation) = (Membership::new(node), watch::Sender::new(0), Mutex::default());
        let shared = Shared {
            catalog,
            keys,
            publisher,
            signal,
            due,
            told,
            looked,
            published,
            membership,
            linked: link::Known::default(),
            words: broadcast::Sender::new(WORDS_MAX),
            answering: OnceLock::new(),
            node_news,
            jobs,
            incarnation,
            creations,
            runner,
            probe,
            denials,
            known: known::Cache::default(),
            judging: tokio::sync::Mutex::default(),
            checkpoints,
            programs,
            lease,
            mail,
            poster,
            notices: Default::default(),
            tasks,
        };
        let control = Self(Arc::new(shared));
        // Before the routes: of a change from here on, whoever made it knows that this node must hear of it.
        node::join(&control).await?;
        if let Err(problem) = routes::load(&control).await {
            node::leave(&control).await;
            return Err(problem);
        }
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
        tasks.spawn("checkpoints", audit::run(self.clone()));
        tasks.spawn("observations", observe::run(self.clone()));
        tasks.spawn("webhooks", deliver::run(self.clone()));
        tasks.spawn("mails", mail::run(self.clone()));
        tasks.spawn("operations", runner::run(self.clone()));
        tasks.spawn("acknowledge", node::acknowledge(self.clone()));
        tasks.spawn("pulse", pulse::run(self.clone()));
        tasks.spawn("jobs", schedule::run(self.clone(), self.0.jobs.clone()));
        tasks.spawn("schedule", reconcile::schedule::run(self.clone()));
    }

    /// Stops the tasks, and leaves the others; the data plane must have ended its sessions. What the tasks were in the middle
    /// of is taken up by whoever starts next.
    pub async fn shutdown(&self) {
        self.0.tasks.shutdown().await;
        runner::leave(self).await;
        deliver::leave(self).await;
        mail::leave(self).await;
        node::leave(self).await;
    }

    /// The catalog, for those who only read it.
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// The way to the data plane.
    pub fn publisher(&self) -> &Publisher {
        &self.0.publisher
    }

    /// When the master key became current, as last seen; its age is a metric (R59).
    pub fn master_key_rotated_at(&self) -> Timestamp {
        self.0.keys.rotated_at()
    }

    /// For how long the catalog was not heard of, to within a beat of the pulse; of a process that is a node.
    pub fn unheard(&self) -> Duration {
        self.0.membership.unheard()
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// A key of the installation's own for one use, always the same for a label, also after a rotation of the master key.
    pub fn derived_key(&self, label: &'static str) -> Secret<[u8; 32]> {
        self.0.keys.derived(label)
    }

    pub(crate) fn creations(&self) -> &Semaphore {
        &self.0.creations
    }

    pub(crate) fn known(&self) -> &known::Cache {
        &self.0.known
    }

    pub(crate) fn denials(&self) -> &Denials {
        &self.0.denials
    }

    /// Where checkpoints of the audit log are kept, if anywhere.
    pub(crate) fn checkpoints(&self) -> Option<&Path> {
        self.0.checkpoints.as_deref()
    }

    /// Whom to write to when something needs a person.
    pub(crate) fn mail(&self) -> Option<&MailConfig> {
        self.0.mail.as_ref()
    }

    /// What sends to webhooks.
    pub(crate) fn poster(&self) -> &Poster {
        &self.0.poster
    }

    /// How many of those were told who are.
    pub fn notices(&self) -> &Counters {
        &self.0.notices.0
    }

    pub(crate) fn notices_seen(&self) -> &Seen {
        &self.0.notices.1
    }

    /// Who this process is among those that run operations.
    pub(crate) fn runner(&self) -> &str {
        &self.0.runner
    }

    /// How long an operation stays with a runner that gives no sign of life.
    pub(crate) fn lease(&self) -> Duration {
        self.0.lease
    }

    /// What databases are copied with.
    pub(crate) fn programs(&self) -> Option<&Programs> {
        self.0.programs.as_ref()
    }

    pub(crate) fn probe(&self) -> Option<&dyn Probe> {
        self.0.probe.as_deref()
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// Says that something may be to do about routes, tenants, databases or clusters.
    pub(crate) fn nudge(&self) {
        grow(&self.0.signal);
    }

    /// Says that an operation may be due.
    pub(crate) fn nudge_runner(&self) {
        grow(&self.0.due);
    }

    /// Says that something happened to an operation.
    pub(crate) fn nudge_watchers(&self) {
        grow(&self.0.told);
    }

    /// Subscribe before looking, so that nothing falls between looking and waiting.
    pub(crate) fn signal(&self) -> watch::Receiver<u64> {
        self.0.signal.subscribe()
    }

    /// As [`signal`](Self::signal), of operations that may be due.
    pub(crate) fn due(&self) -> watch::Receiver<u64> {
        self.0.due.subscribe()
    }

    /// As [`signal`](Self::signal), of what happens to operations.
    pub(crate) fn told(&self) -> watch::Receiver<u64> {
        self.0.told.subscribe()
    }

    /// What the looks of the pulse find from now on.
    pub(crate) fn looks(&self) -> Looks {
        self.0.looked.subscribe()
    }

    pub(crate) fn looked(&self) -> &watch::Sender<Option<Pulse>> {
        &self.0.looked
    }

    /// What this process does now and then.
    pub(crate) fn jobs(&self) -> &[Job] {
        &self.0.jobs
    }

    /// The turn of this process to judge copies, for as long as it is held.
    pub(crate) async fn turn_to_judge(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.judging.lock().await
    }

    /// The version that was last given to the data plane.
    pub(crate) fn published(&self) -> &watch::Sender<RouteVersion> {
        &self.0.published
    }

    pub(crate) fn linked(&self) -> &link::Known {
        &self.0.linked
    }

    pub(crate) fn membership(&self) -> &Membership {
        &self.0.membership
    }

    /// Subscribe before looking.
    pub(crate) fn node_news(&self) -> watch::Receiver<u64> {
        self.0.node_news.subscribe()
    }

    /// Subscribe before asking.
    pub(crate) fn words(&self) -> &broadcast::Sender<Arc<str>> {
        &self.0.words
    }

    /// Says what this process answers when another node asks; once, the first counts.
    pub fn answers_with(&self, answering: Answering) {
        let _ = self.0.answering.set(answering);
    }

    pub(crate) fn answering(&self) -> Option<&Answering> {
        self.0.answering.get()
    }

    /// Which catalog the published table is of.
    pub(crate) fn incarnation(&self) -> MutexGuard<'_, Option<Uuid>> {
        self.0.incarnation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this node must stop, since it could not reach the catalog for as long as it may serve alone.
    ///
    /// # Cancel safety
    /// Safe: it only waits.
    pub async fn alone_too_long(&self) -> Problem {
        self.0.membership.alone().cancelled().await;
        node::alone_too_long()
    }

    /// How Holm logs in to a cluster.
    pub(crate) async fn access(&self, cluster: &holm_store::cluster::Cluster) -> Result<Access, Problem> {
        let stored = &cluster.access;
        let sealed = stored.sealed_admin_password.as_bytes();
        let ring = self.0.keys.ring_kept(sealed).await?;
        let password = ring.unseal_text(Purpose::AdminPassword(cluster.id), sealed)?;
        let client_certificate = match &stored.client_certificate {
            Some(sealed) => Some(client_certificate::unsealed(&self.0.keys, cluster.id, sealed).await?),
            None => None,
        };
        Ok(Access {
            cluster: cluster.name.clone(),
            address: stored.address.clone(),
            tls: stored.tls.clone(),
            client_certificate,
            role: stored.admin_role.clone(),
            password,
            application_name: None,
            home: cluster.adopted.as_ref().map(|adopted| adopted.database.clone()),
        })
    }

    /// Waits until every node of the data plane uses what the catalog holds now.
    ///
    /// # Errors
    /// As with [`confirmed`](Self::confirmed); the catalog does not answer.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(crate) async fn confirmed_now(&self, patience: Duration) -> Result<(), Problem> {
        let version = holm_store::route::version(self.catalog()).await?;
        self.nudge();
        self.confirmed(version, patience).await
    }

    /// As [`confirmed`](Self::confirmed), for what closes something: a node that is silent, and may therefore still let in
    /// what it should not, is an error too.
    ///
    /// # Errors
    /// [`ErrorCode::DataPlaneSilent`], saying that the change itself stands, and where it may not be in force.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(crate) async fn confirmed_everywhere(&self, version: RouteVersion, patience: Duration) -> Result<(), Problem> {
        let lost = self.confirmed_by_the_living(version, patience).await?;
        if lost.is_empty() { Ok(()) } else { Err(lost_somewhere(version, &lost)) }
    }

    /// Waits until every node of the data plane that lives uses a version, or a newer one.
    ///
    /// # Errors
    /// [`ErrorCode::DataPlaneSilent`], saying that the change itself stands.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(crate) async fn confirmed(&self, version: RouteVersion, patience: Duration) -> Result<(), Problem> {
        self.confirmed_by_the_living(version, patience).await.map(drop)
    }

    /// Returns the names of those that are silent and behind.
    async fn confirmed_by_the_living(&self, version: RouteVersion, patience: Duration) -> Result<Vec<String>, Problem> {
        let deadline = Instant::now() + patience;
        let mut published = self.0.published.subscribe();
        // The guard inside the answer must not live across the next wait: handlers are sent between threads.
        let given = timeout_at(deadline, published.wait_for(|given| *given >= version)).await.is_ok_and(|seen| seen.is_ok());
        if !given {
            return Err(silent(version).because("the routes of this version could not be read from the catalog in time"));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        self.0.publisher.acknowledged(version, left).await.map_err(|error| silent(version).because(error))?;
        match node::others_use(self, version, deadline).await {
            Heard::All => Ok(Vec::new()),
            Heard::Lost(names) => Ok(names),
            Heard::Late(names) => Err(silent(version).because(format_args!("{} has not confirmed", names.join(", ")))),
            Heard::Unknown(error) => Err(silent(version).because(format_args!("the other nodes are not known: {error}"))),
        }
    }
}

fn another_installation() -> Problem {
    Problem::new(ErrorCode::KeptRoutesRefused, "the catalog is of another installation than the routes that this node keeps")
        .next("see that the catalog's URL is the right one")
        .next("if it is, give the node a data directory of its own for this installation: `--data-dir DIR`")
}

fn silent(version: RouteVersion) -> Problem {
    Problem::new(
        ErrorCode::DataPlaneSilent,
        format!("the change is made, but the data plane has not confirmed it (route version {version})"),
    )
    .changed(Changed::Something)
    .next("see with `holm doctor` which part does not answer; it takes the change up as soon as it does")
}

/// A node that is silent may serve what it knows, for as long as [`node::ALONE_MAX`].
fn lost_somewhere(version: RouteVersion, lost: &[String]) -> Problem {
    Problem::new(
        ErrorCode::DataPlaneSilent,
        format!("the change is made, but not confirmed by {} (route version {version})", lost.join(", ")),
    )
    .because("it is silent, and if it runs without reaching the catalog, or is started so, it serves what it knew")
    .changed(Changed::Something)
    .next("stop that node, or let it reach the catalog; it takes the change up as soon as it does: `holm doctor`")
    .next("if it is gone for good, say so: `holm node forget`")
}

async fn forward_wakes(control: Control) {
    let mut wakes = control.catalog().wakes();
    loop {
        // All are safe to drop: a change that is not returned is still news.
        tokio::select! {
            heard = wakes.changes.changed() => if heard.is_err() { return } else { control.nudge() },
            heard = wakes.due.changed() => if heard.is_err() { return } else { control.nudge_runner() },
            heard = wakes.told.changed() => if heard.is_err() { return } else { control.nudge_watchers() },
            heard = wakes.nodes.changed() => if heard.is_err() { return } else { grow(&control.0.node_news) },
            word = wakes.words.recv() => match word {
                Ok(word) => {
                    round::heard(&control, &word);
                    // Nobody may be asking.
                    let _ = control.0.words.send(word);
                }
                // Words may be lost.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
        }
    }
}

fn grow(count: &watch::Sender<u64>) {
    count.send_modify(|count| *count = count.wrapping_add(1));
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("published", &*self.0.published.borrow()).finish_non_exhaustive()
    }
}
