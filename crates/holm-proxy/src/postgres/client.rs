//! The client's end of a session: TCP, or TLS over it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use holm_pgwire::certificate;
use holm_pgwire::scram::end_point::EndPoint;
use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::Socket;
use super::tls::Encrypted;

/// One client's bytes, whichever way they come.
#[derive(Debug)]
pub(super) enum Client {
    /// As they are.
    Plain(Socket),
    /// Encrypted.
    Tls(Box<Encrypted>),
    /// A TLS handshake has the socket, or lost it.
    Away,
}

impl Client {
    pub(super) const fn is_encrypted(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    fn socket(&mut self) -> Option<&mut Socket> {
        match self {
            Self::Plain(socket) => Some(socket),
            Self::Tls(session) => Some(session.stream.get_mut().0),
            Self::Away => None,
        }
    }

    /// Leaves this worker.
    pub(super) fn depart(&mut self) {
        self.socket().into_iter().for_each(Socket::depart);
    }

    /// Comes to this worker.
    pub(super) fn arrive(&mut self) {
        self.socket().into_iter().for_each(Socket::arrive);
    }

    /// The host that the client thinks it is connected to.
    pub(super) fn server_name(&self) -> Option<&str> {
        match self {
            Self::Tls(session) => session.stream.get_ref().1.server_name(),
            Self::Plain(_) | Self::Away => None,
        }
    }

    /// The version of TLS, if it is encrypted.
    pub(super) fn tls_version(&self) -> Option<&'static str> {
        let Self::Tls(session) = self else { return None };
        Some(match session.stream.get_ref().1.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLS",
        })
    }

    /// Whether the certificate that the client showed, and TLS believed, gives it this name.
    pub(super) fn is_certified_as(&self, name: &str) -> bool {
        let Self::Tls(session) = self else { return false };
        let shown = session.stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        shown.and_then(|shown| certificate::parse(shown).ok()?.names().ok()).is_some_and(|names| names.contains(&name))
    }

    /// What the client can bind its proof to.
    pub(super) fn end_point(&self) -> Option<Arc<EndPoint>> {
        match self {
            Self::Tls(session) => session.end_point.clone(),
            Self::Plain(_) | Self::Away => None,
        }
    }
}

impl AsyncRead for Client {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(session) => Pin::new(&mut session.stream).poll_read(cx, buf),
            Self::Away => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Client {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(session) => Pin::new(&mut session.stream).poll_write(cx, buf),
            Self::Away => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(session) => Pin::new(&mut session.stream).poll_flush(cx),
            // As a TCP socket, which keeps nothing back.
            Self::Plain(_) | Self::Away => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(session) => Pin::new(&mut session.stream).poll_shutdown(cx),
            Self::Away => Poll::Ready(Ok(())),
        }
    }
}
