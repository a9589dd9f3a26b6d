//! One thread that serves sessions, with a runtime of its own: what it touches stays on its core, without locks.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::home::Command;
use super::transaction::{inventory, offer, opening};
use super::{Node, acceptor, session, transaction};

/// Clients on their way from the acceptor; a worker takes them between two polls, so that this many wait only when it is
/// far behind.
const HANDED_MAX: usize = 256;

/// What is left of sessions after a shutdown's deadline gets this long to close its sockets.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// Idle connections are looked at, the oldest alone.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

pub(super) struct Worker {
    clients: mpsc::Sender<TcpStream>,
    commands: mpsc::UnboundedSender<Command>,
    load: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// One client's share of a worker.
struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Worker {
    pub(super) fn spawn(number: usize, node: Arc<Node>) -> Result<Self, Problem> {
        let failed = |error: std::io::Error| Problem::new(ErrorCode::Internal, "a worker of the proxy could not be started").because(error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (clients, handed) = mpsc::channel(HANDED_MAX);
        let load = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&load);
        let (commands, commanded) = mpsc::unbounded_channel();
        let run = move || runtime.block_on(work(number, node, handed, commanded, counted));
        let thread = std::thread::Builder::new().name(format!("holm-proxy-{number}")).spawn(run).map_err(failed)?;
        Ok(Self { clients, commands, load, thread })
    }

    pub(super) fn commands(&self) -> mpsc::UnboundedSender<Command> {
        self.commands.clone()
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Hands a client over; a worker that is too far behind takes none, and the client is closed.
    pub(super) fn take(&self, client: TcpStream) {
        self.load.fetch_add(1, Ordering::Relaxed);
        if self.clients.try_send(client).is_err() {
            self.load.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!("a client was closed: the worker has too many waiting");
        }
    }

    /// Takes no more clients, and ends when those it has are gone.
    pub(super) fn join(self) {
        drop(self.clients);
        if self.thread.join().is_err() {
            tracing::error!("a worker of the proxy panicked");
        }
    }
}

async fn work(
    number: usize,
    node: Arc<Node>,
    mut handed: mpsc::Receiver<TcpStream>,
    mut commands: mpsc::UnboundedReceiver<Command>,
    load: Arc<AtomicUsize>,
) {
    let sessions = TaskTracker::new();
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        // All are safe to drop: two channels and a clock.
        tokio::select! {
            client = handed.recv() => {
                let Some(client) = client else { break };
                let (node, load) = (Arc::clone(&node), Load(Arc::clone(&load)));
                sessions.spawn(async move {
                    match adopt(client) {
                        Ok((client, peer)) => session::serve(&node, client, peer, number).await,
                        Err(error) => tracing::debug!(%error, "a client was gone before it was served"),
                    }
                    drop(load);
                });
            }
            Some(command) = commands.recv() => obey(command, &node, &sessions, &load),
            _ = sweep.tick() => transaction::sweep(&node, &sessions),
        }
    }
    sessions.close();
    transaction::stop_openings();
    let ended = async {
        loop {
            tokio::select! {
                // First, since what is asked may be more to wait for.
                biased;
                Some(command) = commands.recv() => obey(command, &node, &sessions, &load),
                () = sessions.wait() => return,
            }
        }
    };
    let _ = tokio::time::timeout(LAST_PATIENCE, ended).await;
    let _ = tokio::time::timeout(LAST_PATIENCE, transaction::close_all()).await;
}

fn obey(command: Command, node: &Arc<Node>, sessions: &TaskTracker, load: &Arc<AtomicUsize>) {
    match command {
        Command::Enter(entering) => {
            load.fetch_add(1, Ordering::Relaxed);
            let (node, load) = (Arc::clone(node), Load(Arc::clone(load)));
            sessions.spawn(async move {
                session::arrive(&node, entering).await;
                drop(load);
            });
        }
        Command::Enforce(table, done) => {
            let now = node.routes.now();
            sessions.spawn(async move {
                transaction::enforce(&table, now).await;
                let _ = done.send(());
            });
        }
        Command::Open { seat, pool } => {
            let node = Arc::clone(node);
            sessions.spawn(async move { opening::open(&node, seat, pool).await });
        }
        Command::Close(connection) => drop(sessions.spawn(transaction::close_idle(connection))),
        Command::Evict { desk, worker, whose } => offer::evict(&desk, worker, whose),
        Command::Reoffer { cluster, whose } => offer::reoffer(cluster, whose),
        Command::Survey(done) => drop(sessions.spawn(async move { done.send(inventory::survey().await) })),
        Command::Renew(which, done) => {
            inventory::renew(which, sessions);
            let _ = done.send(());
        }
        Command::Renewed(which, done) => drop(sessions.spawn(inventory::renewed(which, done))),
    }
}

fn adopt(client: TcpStream) -> std::io::Result<(tokio::net::TcpStream, std::net::SocketAddr)> {
    let peer = client.peer_addr()?;
    client.set_nonblocking(true)?;
    let client = tokio::net::TcpStream::from_std(client)?;
    client.set_nodelay(true)?;
    acceptor::keep_alive(&client)?;
    Ok((client, peer))
}
