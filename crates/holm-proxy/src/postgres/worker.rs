//! One thread that serves sessions, with a runtime of its own: what it touches stays on its core, without locks.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{Node, acceptor, session};

/// Clients on their way from the acceptor; a worker takes them between two polls, so that this many wait only when it is
/// far behind.
const HANDED_MAX: usize = 256;

/// What is left of sessions after a shutdown's deadline gets this long to close its sockets.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Worker {
    clients: mpsc::Sender<TcpStream>,
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
        let run = move || runtime.block_on(work(node, handed, counted));
        let thread = std::thread::Builder::new().name(format!("holm-proxy-{number}")).spawn(run).map_err(failed)?;
        Ok(Self { clients, load, thread })
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

async fn work(node: Arc<Node>, mut handed: mpsc::Receiver<TcpStream>, load: Arc<AtomicUsize>) {
    let sessions = TaskTracker::new();
    while let Some(client) = handed.recv().await {
        let (node, load) = (Arc::clone(&node), Load(Arc::clone(&load)));
        sessions.spawn(async move {
            match adopt(client) {
                Ok((client, peer)) => session::serve(&node, client, peer).await,
                Err(error) => tracing::debug!(%error, "a client was gone before it was served"),
            }
            drop(load);
        });
    }
    sessions.close();
    let _ = tokio::time::timeout(LAST_PATIENCE, sessions.wait()).await;
}

fn adopt(client: TcpStream) -> std::io::Result<(tokio::net::TcpStream, std::net::SocketAddr)> {
    let peer = client.peer_addr()?;
    client.set_nonblocking(true)?;
    let client = tokio::net::TcpStream::from_std(client)?;
    client.set_nodelay(true)?;
    acceptor::keep_alive(&client)?;
    Ok((client, peer))
}
