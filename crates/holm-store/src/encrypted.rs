//! The driver's connections to the catalog over TLS.
//!
//! Promises: as everywhere, who encrypts verifies (`holm_tls`), and a login is bound to the certificate that was shown.
//! A host that accepts and then says nothing does not keep the next one from being tried.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use holm_core::cluster::tls::ServerTls;
use holm_tls::TlsError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use crate::address::unbracketed;

/// Two round trips and a signature; the driver's own deadline ends with TCP's handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Makes what the driver asks for; in the clear it never asks.
#[derive(Clone)]
pub(crate) struct Encrypting(pub(crate) ServerTls);

/// A handshake with one host.
pub(crate) struct Handshake {
    tls: ServerTls,
    host: String,
}

/// A connection that tells the driver what a login over it can be bound to.
pub(crate) struct Bound(tokio_rustls::client::TlsStream<Socket>);

impl MakeTlsConnect<Socket> for Encrypting {
    type Stream = Bound;
    type TlsConnect = Handshake;
    type Error = Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, Infallible> {
        Ok(Handshake { tls: self.0.clone(), host: unbracketed(host).to_owned() })
    }
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Bound;
    type Error = TlsError;
    type Future = Pin<Box<dyn Future<Output = Result<Bound, TlsError>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let handshake = timeout(HANDSHAKE_TIMEOUT, holm_tls::handshake(socket, &self.host, &self.tls, None));
            handshake.await.unwrap_or_else(|_| Err(TlsError::Broken(Arc::new(io::ErrorKind::TimedOut.into())))).map(Bound)
        })
    }
}

impl TlsStream for Bound {
    fn channel_binding(&self) -> ChannelBinding {
        holm_tls::end_point(&self.0).map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
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
