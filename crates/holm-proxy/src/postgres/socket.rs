//! A TCP socket that can leave one worker's runtime and come to another's, also from within a TLS session.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket, at a runtime or between two.
#[derive(Debug)]
pub(super) enum Socket {
    Here(TcpStream),
    Between(std::net::TcpStream),
    /// It could not be taken along.
    Lost,
}

impl Socket {
    /// Leaves its runtime.
    pub(super) fn depart(&mut self) {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Here(stream) => stream.into_std().map_or(Self::Lost, Self::Between),
            other => other,
        };
    }

    /// Comes to the runtime of this thread.
    pub(super) fn arrive(&mut self) {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Between(stream) => TcpStream::from_std(stream).map_or(Self::Lost, Self::Here),
            other => other,
        };
    }

    fn here(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        match self {
            Self::Here(stream) => Ok(Pin::new(stream)),
            Self::Between(_) | Self::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().here()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().here()?.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A TCP socket keeps nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().here()?.poll_shutdown(cx)
    }
}
