//! Connections to a cluster over TLS, for our own login and for the driver's.
//!
//! Promises: the driver binds its login to the certificate that was shown, and where a login must be bound answers to nothing
//! else, least of all with a password. Nothing waits for ever: deadlines are the caller's, and a peer that falls silent later
//! is noticed by the system.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use holm_core::cluster::ServerAddress;
use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::tls::ServerTls;
use holm_core::error::{ErrorCode, Problem};
use holm_pgwire::scram::choice::Channel;
use holm_tls::Stream;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_postgres::config::{ChannelBinding as Wanted, SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, Connection};

use super::client_certificate;
use super::connect::Access;
use super::trouble::ClusterError;

/// A connection, encrypted if the cluster is to be spoken to so.
///
/// # Cancel safety
/// Safe: the server sees a client that went away.
pub(crate) async fn connect(act: &'static str, access: &Access) -> Result<Stream, ClusterError> {
    let Access { address, tls, client_certificate, .. } = access;
    let wire = |source| ClusterError::Wire { act, source };
    let stream = TcpStream::connect((&*address.host, address.port)).await.map_err(wire)?;
    stream.set_nodelay(true).map_err(wire)?;
    let shown = client_certificate.as_ref();
    holm_tls::encrypt(stream, &address.host, tls, shown).await.map_err(|source| ClusterError::Tls { act, source })
}

/// What whoever is on the way could do.
pub(crate) fn in_the_clear(address: &ServerAddress, tls: &ServerTls) -> Option<String> {
    if tls.is_encrypted() || address.is_loopback() {
        return None;
    }
    Some("what goes to it is not encrypted (`sslmode` is `disable`): whoever is on the way reads and changes it".to_owned())
}

/// Refuses what no server could be verified with, or could take, before anything is asked of one; warns of one in the clear.
///
/// # Errors
/// [`ErrorCode::InvalidValue`]
///
/// # Cancel safety
/// Safe.
pub(crate) async fn usable(address: &ServerAddress, tls: &ServerTls, shown: Option<&ClientCertificate>) -> Result<(), Problem> {
    if let Some(note) = in_the_clear(address, tls) {
        tracing::warn!(%address, "a server is taken up, and {note}");
    }
    holm_tls::check(tls).await.map_err(|error| {
        Problem::new(ErrorCode::InvalidValue, "the server's certificate could not be verified")
            .because(error)
            .next("give the certificates of who issued the server's, in PEM: `--ssl-root-cert FILE`")
    })?;
    shown.map_or(Ok(()), |shown| client_certificate::usable(shown, tls, Timestamp::now()))
}

/// As the driver has it for connections that it makes itself.
pub(crate) fn tcp_user_timeout(stream: &Stream, patience: Duration) -> io::Result<()> {
    socket2::SockRef::from(stream.tcp()).set_tcp_user_timeout(Some(patience))
}

/// Has the driver log in over a connection that is encrypted.
pub(crate) async fn log_in(
    config: &Config,
    stream: Stream,
    tls: &ServerTls,
) -> Result<(Client, Connection<Stream, Bound>), tokio_postgres::Error> {
    let mut config = config.clone();
    // TLS is there: it is not to be asked for again, and what it gives is used.
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    config.channel_binding(if tls.must_bind() { Wanted::Require } else { Wanted::Prefer });
    config.connect_raw(stream, Already).await
}

/// The end of a handshake that is over.
struct Already;

/// A stream that tells the driver what a login over it can be bound to.
pub(crate) struct Bound(Stream);

impl TlsConnect<Stream> for Already {
    type Stream = Bound;
    type Error = io::Error;
    type Future = Ready<io::Result<Bound>>;

    fn connect(self, stream: Stream) -> Self::Future {
        ready(Ok(Bound(stream)))
    }
}

impl TlsStream for Bound {
    fn channel_binding(&self) -> ChannelBinding {
        match self.0.channel() {
            Channel::EndPoint(end_point) => ChannelBinding::tls_server_end_point(end_point.as_bytes().to_vec()),
            Channel::Clear | Channel::Unhashed => ChannelBinding::none(),
        }
    }
}

impl AsyncRead for Bound {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Bound {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
