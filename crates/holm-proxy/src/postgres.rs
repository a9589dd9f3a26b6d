//! The PostgreSQL proxy: clients log in to Holm, and Holm logs in to the tenant's server for them.
//!
//! Promises: a tenant's bytes never reach another (a server connection is born with one tenant and dies with it, and so
//! does everything that is kept of it); a new route table holds for every session from its acknowledgement on; a cluster
//! never sees more connections than its budget. Refuses, in this form, to share a server connection between clients.
//!
//! Threads: one accepts and applies route tables, the others are workers with a runtime of their own. A session stays
//! with its worker; only its entry in the registry is seen from outside.

mod acceptor;
mod authentication;
mod budget;
mod cancel;
mod client;
mod closing;
mod conversation;
pub mod counters;
mod feed;
mod half_open;
mod login;
mod parameters;
mod refusal;
mod relay;
mod server;
mod session;
mod sessions;
pub mod sqlstate;
mod stop;
mod tenant_name;
mod tls;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_link::{Feed, Routes};
use tokio::sync::oneshot;

use crate::postgres::budget::Budget;
use crate::postgres::cancel::Cancels;
use crate::postgres::counters::Counters;
use crate::postgres::half_open::HalfOpen;
use crate::postgres::sessions::Sessions;
use crate::postgres::tls::Tls;

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
}

/// What every session of this node shares.
struct Node {
    routes: Routes,
    tls: Option<Tls>,
    tls_required: bool,
    login_timeout: Duration,
    clients_max: usize,
    half_open: HalfOpen,
    sessions: Arc<Sessions>,
    budget: Budget,
    cancels: Cancels,
    counters: Arc<Counters>,
}

/// A running proxy. Dropping it ends its sessions at once; [`Proxy::shutdown`] lets them finish first.
#[derive(Debug)]
pub struct Proxy {
    local_addr: SocketAddr,
    counters: Arc<Counters>,
    shutdown: oneshot::Sender<Shutdown>,
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
    let tls = config.tls.as_ref().map(Tls::load).transpose()?;
    if config.tls_required && tls.is_none() {
        return Err(Problem::new(ErrorCode::InvalidConfig, "TLS is required, but the proxy has no certificate")
            .next("give it a certificate and a key, or do not require TLS"));
    }
    let listener = acceptor::listen(config.listen)?;
    let local_addr = acceptor::local_addr(&listener)?;
    let counters = Arc::new(Counters::default());
    let node = Arc::new(Node {
        routes: feed.routes(),
        tls,
        tls_required: config.tls_required,
        login_timeout: config.login_timeout,
        clients_max: config.clients_max,
        half_open: HalfOpen::new(config.clients_max),
        sessions: Arc::new(Sessions::default()),
        budget: Budget::default(),
        cancels: Cancels::new(),
        counters: Arc::clone(&counters),
    });
    let (shutdown, asked) = oneshot::channel();
    let (ready, readiness) = oneshot::channel();
    acceptor::spawn(acceptor::Parts { node, listener, feed, workers: worker_count(config.workers), asked, ready })?;
    let started = readiness.await;
    started.unwrap_or_else(|_| Err(Problem::new(ErrorCode::Internal, "the proxy's thread ended while it started")))?;
    Ok(Proxy { local_addr, counters, shutdown })
}

fn worker_count(wanted: usize) -> usize {
    if wanted > 0 { wanted } else { std::thread::available_parallelism().map_or(1, usize::from) }
}

impl Proxy {
    /// Where it listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What it has counted.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
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
