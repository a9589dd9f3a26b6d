//! One client's connection, from accept to close.
//!
//! Promises: heads are limited in size and time; the connection is cut when the session that it carries is, and finishes
//! the request it is carrying when the gateway drains.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Shared;
use super::counters::{Count, Held};
use super::forward;
use super::headers::Peer;
use super::socket::Socket;

/// What hyper reads ahead and holds back for one connection, a head that is too long included.
const BUFFER_BYTES: usize = 64 * 1024;
/// The longest head: Node accepts 16 KiB, nginx 32 KiB; cookies of single sign-on come close to the first.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// As Apache and hyper have it.
const HEADERS_MAX: usize = 100;
/// A client whose machine vanished is noticed by the kernel, tunnels included.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));

/// A client's side of what is carried.
#[derive(Debug)]
pub(super) struct Client {
    /// Where it comes from.
    pub(super) peer: Peer,
    /// Cuts the connection off.
    pub(super) cut: CancellationToken,
    _open: Held,
    _permit: OwnedSemaphorePermit,
}

impl Client {
    pub(super) fn new(shared: &Shared, stream: &TcpStream, permit: OwnedSemaphorePermit) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        SockRef::from(stream).set_tcp_keepalive(&KEEPALIVE)?;
        let address = stream.peer_addr()?.ip();
        let trusted = shared.config.trusted_proxies.contains(&address.to_canonical());
        let open = Count::hold(&shared.counters, |counters| &counters.connections_open);
        Ok(Self { peer: Peer { address, trusted }, cut: shared.cut.child_token(), _open: open, _permit: permit })
    }
}

/// Serves requests until either side closes.
pub(super) async fn serve(shared: Arc<Shared>, client: Client, stream: TcpStream) {
    let io = TokioIo::new(Socket::new(stream, shared.config.write_timeout));
    let client = Arc::new(client);
    let service = service_fn({
        let (shared, client) = (Arc::clone(&shared), Arc::clone(&client));
        move |request| forward::answer(Arc::clone(&shared), Arc::clone(&client), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.config.head_timeout)
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(io, service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let mut draining = false;
    loop {
        tokio::select! {
            () = client.cut.cancelled() => return,
            () = shared.drain.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            result = connection.as_mut() => {
                if let Err(error) = result {
                    debug!(peer.addr = %client.peer.address, %error, "gateway connection ended early");
                }
                return;
            }
        }
    }
}
