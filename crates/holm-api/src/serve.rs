//! The API's listener.
//!
//! Promises: a client that sends its request slowly is cut off, and as many as like to cannot use up the process's files;
//! told to stop, it takes no new connection, lets requests in flight finish and returns.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// For a request's headers, and for an idle connection to send its next request.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(15);

/// People, scripts and scrapers, a quarter of the 1024 files that a process has by default.
const CONNECTIONS_MAX: usize = 256;

/// Until files are free again when the process has none left.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(50);

/// Serves until told to stop, then until the last answer is out; bound that wait with a deadline.
///
/// # Cancel safety
/// Safe: connections that are open go on to their end.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Both are safe to drop: no place and no connection is lost by not waiting for it.
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            next = async { (Arc::clone(&places).acquire_owned().await, listener.accept().await) } => next,
        };
        match accepted {
            Ok((socket, peer)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    converse(socket, Peer(peer.ip()), router, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the API cannot take a connection");
                tokio::time::sleep(OUT_OF_FILES_PAUSE).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

/// Who is at the other end of a request's connection; nobody, where there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Cancelled when the listener is told to stop, so that answers without an end come to one.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(pub(crate) CancellationToken);

async fn converse(socket: TcpStream, peer: Peer, router: Router, stop: CancellationToken) {
    // Answers are small and awaited: sent at once. A socket that refuses the option works all the same.
    let _ = socket.set_nodelay(true);
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT);
    let router = router.layer(Extension(peer)).layer(Extension(Stopping(stop.clone())));
    let connection = server.serve_connection(TokioIo::new(socket), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The client went away or was too slow: its business.
        tracing::debug!(%error, "an API connection ended early");
    }
}
