//! The thread that accepts clients, hands each to the worker with the fewest, follows the feed, and shuts down in order.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_link::Feed;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::stop::Reason;
use super::worker::Worker;
use super::{Node, Shutdown, TlsRenewal, feed, tls};

/// Clients that the kernel keeps for us; it cuts this to its own limit.
const BACKLOG: i32 = 1024;
/// Out of file descriptors or memory: neither comes back at once, and accepting again would only burn the core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// A peer that vanished without a word is found after 60 s of silence and 5 probes.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// While the last clients leave; nobody waits for it but the shutdown.
const LINGER_LOOK: Duration = Duration::from_millis(20);
/// Every way out of a session is shorter than this.
const CLOSING_PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Parts {
    pub(super) node: Arc<Node>,
    pub(super) listener: TcpListener,
    pub(super) feed: Feed,
    pub(super) tls_renewal: Option<TlsRenewal>,
    pub(super) workers: usize,
    pub(super) asked: oneshot::Receiver<Shutdown>,
    pub(super) ready: oneshot::Sender<Result<(), Problem>>,
}

/// Binds the listener.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, Problem> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok::<TcpListener, std::io::Error>(socket.into())
    };
    bind().map_err(|error| cannot_listen(&error, Some(address)))
}

pub(super) fn local_addr(listener: &TcpListener) -> Result<SocketAddr, Problem> {
    listener.local_addr().map_err(|error| cannot_listen(&error, None))
}

fn cannot_listen(error: &std::io::Error, address: Option<SocketAddr>) -> Problem {
    let address = address.map_or_else(|| "its address".to_owned(), |address| format!("`{address}`"));
    Problem::new(ErrorCode::CannotListen, format!("the PostgreSQL proxy cannot listen on {address}"))
        .because(error)
        .next("give another address with `--proxy-listen`, or port 0 for any free one")
}

/// Has the kernel find out when a peer is gone without a word.
pub(super) fn keep_alive(stream: &tokio::net::TcpStream) -> std::io::Result<()> {
    SockRef::from(stream)
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL).with_retries(5))
}

pub(super) fn spawn(parts: Parts) -> Result<(), Problem> {
    let failed = |error: std::io::Error| Problem::new(ErrorCode::Internal, "the proxy's thread could not be started").because(error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    std::thread::Builder::new().name("holm-proxy".into()).spawn(move || runtime.block_on(run(parts))).map_err(failed)?;
    Ok(())
}

async fn run(parts: Parts) {
    let Parts { node, listener, feed, tls_renewal, workers, mut asked, ready } = parts;
    let (listener, workers) = match start(&node, listener, workers) {
        Ok(started) => started,
        Err(problem) => return drop(ready.send(Err(problem))),
    };
    if ready.send(Ok(())).is_err() {
        return;
    }
    let following = tokio::spawn(feed::follow(feed, Arc::clone(&node)));
    let clock = tokio::spawn({
        let node = Arc::clone(&node);
        async move { node.desks.keep_time().await }
    });
    let renewing = tls_renewal.map(|renewal| tokio::spawn(tls::keep(renewal)));
    let request = tokio::select! {
        request = &mut asked => request.ok(),
        // May be dropped half-way: a client that was not handed over is closed.
        () = accept(&listener, &workers) => None,
    };
    drop(listener);
    node.console.close();
    let (linger, patience, done) = match request {
        Some(Shutdown { linger, deadline, done }) => (linger, deadline, Some(done)),
        None => (Duration::ZERO, Duration::ZERO, None),
    };
    let _ = timeout(linger, all_gone(&workers)).await;
    close_sessions(&node, patience).await;
    // Only now: the control plane must not take this node for gone while it has sessions.
    following.abort();
    clock.abort();
    renewing.inspect(JoinHandle::abort);
    workers.into_iter().for_each(Worker::join);
    if let Some(done) = done {
        let _ = done.send(());
    }
}

fn start(node: &Arc<Node>, listener: TcpListener, workers: usize) -> Result<(tokio::net::TcpListener, Vec<Worker>), Problem> {
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| cannot_listen(&error, None))?;
    let workers: Vec<Worker> = (0..workers).map(|number| Worker::spawn(number, Arc::clone(node))).collect::<Result<_, _>>()?;
    node.homes.open(workers.iter().map(Worker::commands).collect());
    Ok((listener, workers))
}

async fn accept(listener: &tokio::net::TcpListener, workers: &[Worker]) {
    loop {
        // The client goes to another thread's runtime, so that it must leave this one's first.
        match listener.accept().await.and_then(|(client, _)| client.into_std()) {
            Ok(client) => {
                if let Some(worker) = workers.iter().min_by_key(|worker| worker.load()) {
                    worker.take(client);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "a client could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Waits until no client is left, from the hand-over on: one that is just logging in is no session yet, and will be one.
async fn all_gone(workers: &[Worker]) {
    while workers.iter().any(|worker| worker.load() > 0) {
        tokio::time::sleep(LINGER_LOOK).await;
    }
}

async fn close_sessions(node: &Node, patience: Duration) {
    node.sessions.ask_all(Reason::Draining);
    node.half_open.ask_all(Reason::ShuttingDown);
    if timeout(patience, node.sessions.empty()).await.is_ok() {
        return;
    }
    tracing::info!(sessions = node.sessions.count(), "sessions are cut: the shutdown's deadline is over");
    node.sessions.ask_all(Reason::ShuttingDown);
    if timeout(CLOSING_PATIENCE, node.sessions.empty()).await.is_err() {
        tracing::error!(sessions = node.sessions.count(), "sessions have not ended in time");
    }
}
