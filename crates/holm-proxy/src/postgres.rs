//! The PostgreSQL proxy: clients log in to Holm, and Holm logs in to the tenant's server for them.
//!
//! Promises: a tenant's bytes never reach another (a server connection is born with one tenant and dies with it, and so
//! does everything that is kept of it); a new route table holds for every session from its acknowledgement on; a cluster
//! never sees more connections than its budget; server connections of different tenants never stand in for each other.
//!
//! Threads: one accepts and applies route tables, the others are workers with a runtime of their own. A session stays
//! with its worker; only its entry in the registry is seen from outside.

mod acceptor;
mod authentication;
mod budget;
mod cancel;
mod client;
mod closing;
mod console;
mod conversation;
pub mod counters;
mod feed;
mod half_open;
mod home;
mod login;
mod parameters;
mod peer_network;
mod pooling;
mod refusal;
mod relay;
mod reset;
mod server;
mod server_identity;
mod session;
mod sessions;
mod socket;
pub mod sqlstate;
mod stop;
mod survey;
mod talk;
mod tenant_name;
pub mod throttle;
mod tls;
mod transaction;
mod usage;
mod worker;

use std::hash::RandomState;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use holm_core::cluster::ClusterName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::ClusterId;
use holm_link::{Feed, Routes};
use tokio::sync::oneshot;

use crate::postgres::budget::{Counts, Desks, Holds};
use crate::postgres::cancel::Cancels;
use crate::postgres::console::Console;
pub use crate::postgres::console::{ConsoleRole, ConsoleUser};
use crate::postgres::counters::Counters;
use crate::postgres::half_open::HalfOpen;
use crate::postgres::home::Homes;
pub use crate::postgres::pooling::Pooling;
pub use crate::postgres::reset::Reset;
use crate::postgres::sessions::Sessions;
pub use crate::postgres::survey::Tallies;
use crate::postgres::throttle::Throttle;
use crate::postgres::tls::Tls;
pub use crate::postgres::tls::TlsRenewal;
pub use crate::postgres::usage::{Counted, TenantUse, Usage};

/// How the proxy listens.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// Where; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What it shows to clients that ask for TLS; without it they are told that there is none.
    pub tls: Option<TlsFiles>,
    /// Refuses sessions without TLS.
    pub tls_required: bool,
    /// How long a client may take from its first byte to its proof.
    pub login_timeout: Duration,
    /// How many sessions there may be. Those who have not proven anything yet are counted apart, a quarter of it.
    pub clients_max: usize,
    /// How many worker threads; 0 is one a core.
    pub workers: usize,
    /// How server connections are given to sessions that do not say.
    pub pooling: Pooling,
    /// When a server connection is cleaned between two clients in transaction pooling, for sessions that do not say.
    pub reset: Reset,
    /// How long a client in transaction pooling waits for a server connection.
    pub wait: Duration,
    /// How long a client that wants a server connection of its own waits for it.
    pub wait_for_session: Duration,
    /// Who may use the admin console; nobody, and there is none.
    pub console: Vec<ConsoleUser>,
}

impl ProxyConfig {
    /// The defaults, listening at an address.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            tls_required: false,
            // PostgreSQL's own authentication_timeout is 60 s; a person's password prompt is not in the way here.
            login_timeout: Duration::from_secs(15),
            // Two descriptors each stay far below the usual hard limit of 524,288.
            clients_max: 10_000,
            workers: 0,
            pooling: Pooling::Transaction,
            reset: Reset::Seen,
            wait: Duration::from_secs(30),
            // Another session may last for hours; only what is idle can be waited for.
            wait_for_session: Duration::from_secs(5),
            console: Vec::new(),
        }
    }
}

/// A certificate for the proxy, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and those that lead from it to a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Whether clients must show certificates too.
    pub clients: Option<ClientCertificates>,
    /// How often they are looked at, to see whether they have changed.
    pub look_every: Duration,
}

/// What clients must show.
#[derive(Clone, Debug)]
pub struct ClientCertificates {
    /// The authorities that issue them, in PEM: every certificate that leads to one of these will do.
    pub authorities: PathBuf,
    /// The lists of what they have revoked, in PEM; then there must be one of every authority that leads to a certificate.
    pub revoked: Option<PathBuf>,
    /// Which of them is good for which credential.
    pub good_for: GoodFor,
}

/// Which credential a client's certificate is good for. The password is asked for either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GoodFor {
    /// Any: it lets a machine come near, and says no more.
    Any,
    /// The one whose name is its common name, or one of its DNS names.
    Named,
}

impl TlsFiles {
    /// A certificate and its key, looked at every 10 s: who renews a certificate does it days before the old one is over.
    pub const fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key, clients: None, look_every: Duration::from_secs(10) }
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let clients = self.clients.iter().flat_map(|clients| std::iter::once(&*clients.authorities).chain(clients.revoked.as_deref()));
        [&*self.certificate, &*self.key].into_iter().chain(clients)
    }
}

/// What every session of this node shares.
struct Node {
    routes: Routes,
    tls: Option<Arc<Tls>>,
    tls_required: bool,
    good_for: GoodFor,
    login_timeout: Duration,
    clients_max: usize,
    half_open: HalfOpen,
    throttle: Throttle,
    sessions: Arc<Sessions>,
    desks: Desks,
    cancels: Cancels,
    counters: Arc<Counters>,
    pooling: Pooling,
    reset: Reset,
    homes: Arc<Homes>,
    wait: Duration,
    wait_for_session: Duration,
    console: Console,
    /// Tenants whose transactions wait here, by somebody's word in the console.
    holds: Arc<Holds>,
    /// The key of this process's marks of pools: another's, the next one's at the same place too, are not the same.
    pool_marks: RandomState,
    local_addr: SocketAddr,
}

/// What one cluster's connections are used for, on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterUse {
    /// Which.
    pub cluster: ClusterName,
    /// Connections that tenants may have together.
    pub most: u32,
    /// Those that there are, opening and closing ones included.
    pub used: u32,
    /// Those that are being opened.
    pub opening: u32,
    /// Those that are being closed.
    pub closing: u32,
    /// Clients that wait for one.
    pub waiting: usize,
}

/// A running proxy. Dropping it ends its sessions at once; [`Proxy::shutdown`] lets them finish first.
#[derive(Debug)]
pub struct Proxy {
    local_addr: SocketAddr,
    counters: Arc<Counters>,
    node: Weak<Node>,
    tls_renewal: Option<TlsRenewal>,
    shutdown: oneshot::Sender<Shutdown>,
}

/// Tells what clusters' connections are used for, for as long as the proxy runs.
#[derive(Clone, Debug)]
pub struct Gauges(Weak<Node>);

impl Gauges {
    /// Every cluster that a session has asked for, by name.
    pub fn clusters(&self) -> Vec<ClusterUse> {
        self.clusters_that(|_| true)
    }

    fn clusters_that(&self, wanted: impl Fn(ClusterId) -> bool) -> Vec<ClusterUse> {
        let Some(node) = self.0.upgrade() else { return Vec::new() };
        let table = node.routes.load();
        let mut uses: Vec<ClusterUse> = node
            .desks
            .counts()
            .into_iter()
            .filter(|(id, _)| wanted(*id))
            .filter_map(|(id, Counts { ceiling, used, connecting, closing, waiting })| {
                let cluster = table.cluster(id)?.name.clone();
                Some(ClusterUse { cluster, most: ceiling, used, opening: connecting, closing, waiting })
            })
            .collect();
        uses.sort_by(|one, other| one.cluster.as_str().cmp(other.cluster.as_str()));
        uses
    }
}

/// How the proxy is to end.
#[derive(Debug)]
struct Shutdown {
    /// For so long sessions go on until their clients leave.
    linger: Duration,
    /// For so long after that a transaction may go on.
    deadline: Duration,
    done: oneshot::Sender<()>,
}

/// Starts listening and applies the tables of `feed` from now on.
///
/// # Errors
/// The address cannot be listened on, or the TLS files cannot be used.
///
/// # Cancel safety
/// Safe: dropped half-way, the threads end.
pub async fn start(config: ProxyConfig, feed: Feed) -> Result<Proxy, Problem> {
    let tls = config.tls.as_ref().map(Tls::load).transpose()?.map(Arc::new);
    if config.tls_required && tls.is_none() {
        return Err(Problem::new(ErrorCode::InvalidConfig, "TLS is required, but the proxy has no certificate")
            .next("give it a certificate and a key, or do not require TLS"));
    }
    let clients = config.tls.as_ref().and_then(|tls| tls.clients.as_ref());
    let listener = acceptor::listen(config.listen)?;
    let local_addr = acceptor::local_addr(&listener)?;
    let counters = Arc::new(Counters::default());
    let tls_renewal = tls.as_ref().map(|tls| TlsRenewal::new(Arc::clone(tls), Arc::clone(&counters)));
    let homes = Arc::new(Homes::default());
    let holds = Arc::new(Holds::default());
    let node = Arc::new(Node {
        desks: Desks::new(feed.routes(), Arc::clone(&holds), Arc::clone(&homes)),
        routes: feed.routes(),
        tls,
        // Without TLS nobody can show a certificate.
        tls_required: config.tls_required || clients.is_some(),
        good_for: clients.map_or(GoodFor::Any, |clients| clients.good_for),
        login_timeout: config.login_timeout,
        clients_max: config.clients_max,
        half_open: HalfOpen::new(config.clients_max),
        throttle: Throttle::default(),
        sessions: Arc::new(Sessions::default()),
        cancels: Cancels::new(),
        counters: Arc::clone(&counters),
        pooling: config.pooling,
        reset: config.reset,
        homes,
        wait: config.wait,
        wait_for_session: config.wait_for_session,
        console: Console::new(config.console),
        holds,
        pool_marks: RandomState::new(),
        local_addr,
    });
    let weak = Arc::downgrade(&node);
    let (shutdown, asked) = oneshot::channel();
    let (ready, readiness) = oneshot::channel();
    acceptor::spawn(acceptor::Parts {
        node,
        listener,
        feed,
        tls_renewal: tls_renewal.clone(),
        workers: worker_count(config.workers),
        asked,
        ready,
    })?;
    let started = readiness.await;
    started.unwrap_or_else(|_| Err(Problem::new(ErrorCode::Internal, "the proxy's thread ended while it started")))?;
    Ok(Proxy { local_addr, counters, node: weak, tls_renewal, shutdown })
}

fn worker_count(wanted: usize) -> usize {
    if wanted > 0 { wanted } else { std::thread::available_parallelism().map_or(1, usize::from) }
}

impl Proxy {
    /// Where it listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The way to have it read its TLS files again, if it has some.
    pub fn tls_renewal(&self) -> Option<TlsRenewal> {
        self.tls_renewal.clone()
    }

    /// What it has counted.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// What it can be asked at any time.
    pub fn gauges(&self) -> Gauges {
        Gauges(Weak::clone(&self.node))
    }

    /// Stops accepting, ends each session when it is outside a transaction, and the rest when `deadline` is over.
    ///
    /// # Cancel safety
    /// Safe: the shutdown goes on without the caller.
    pub async fn shutdown(self, deadline: Duration) {
        self.shutdown_after(Duration::ZERO, deadline).await;
    }

    /// As [`shutdown`](Self::shutdown), after waiting up to `linger` for clients to leave by themselves: between two queries
    /// nobody but the client knows whether another comes.
    ///
    /// # Cancel safety
    /// Safe: the shutdown goes on without the caller.
    pub async fn shutdown_after(self, linger: Duration, deadline: Duration) {
        let (done, finished) = oneshot::channel();
        if self.shutdown.send(Shutdown { linger, deadline, done }).is_ok() {
            // An error is a thread that is gone already.
            let _ = finished.await;
        }
    }
}
