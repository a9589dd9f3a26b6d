//! A connection to a server: TCP, or TLS over it.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use holm_pgwire::scram::choice::Channel;
use tokio::io::{AsyncBufRead as _, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio_rustls::client::TlsStream;

use crate::client;

/// One server's bytes, whichever way they come.
#[derive(Debug)]
pub struct Stream(Way);

#[derive(Debug)]
enum Way {
    /// As they are.
    Plain(TcpStream),
    /// Encrypted. On the heap, so that those in the clear stay as small as they are.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) const fn plain(tcp: TcpStream) -> Self {
        Self(Way::Plain(tcp))
    }

    pub(crate) fn tls(session: TlsStream<TcpStream>) -> Self {
        Self(Way::Tls(Box::new(session)))
    }

    /// Whether it is encrypted.
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.0, Way::Tls(_))
    }

    /// The socket, for its options.
    pub fn tcp(&self) -> &TcpStream {
        match &self.0 {
            Way::Plain(tcp) => tcp,
            Way::Tls(session) => session.get_ref().0,
        }
    }

    /// What a login over it can be bound to.
    pub fn channel(&self) -> Channel {
        match &self.0 {
            Way::Plain(_) => Channel::Clear,
            Way::Tls(session) => crate::channel(session),
        }
    }

    /// The public key that the server has proved to have, as its certificate has it: a `SubjectPublicKeyInfo` in DER. None in the clear.
    pub fn server_key(&self) -> Option<Vec<u8>> {
        match &self.0 {
            Way::Plain(_) => None,
            Way::Tls(session) => crate::server_key(session),
        }
    }

    /// Whether the server has said nothing that was not read, and has not closed. Whoever waits for it to say something is
    /// not woken any more.
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        match &mut self.0 {
            Way::Plain(tcp) => matches!(tcp.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock),
            // What TLS says for itself is taken in on the way.
            Way::Tls(session) => {
                // Not within the task's budget: when that is used up, everything looks quiet.
                let read = unconstrained(poll_fn(|cx| Pin::new(&mut **session).poll_read(cx, &mut ReadBuf::new(&mut byte))));
                pin!(read).poll(&mut Context::from_waker(Waker::noop())).is_pending()
            }
        }
    }

    /// Ends our side at once, without TLS's word for it: for a server that does not take even that.
    pub fn hang_up(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let tcp = match &mut self.0 {
            Way::Plain(tcp) => tcp,
            Way::Tls(session) => session.get_mut().0,
        };
        // Never pending: it is one system call.
        let _ = Pin::new(tcp).poll_shutdown(&mut cx);
    }
}

/// Why a server closed before it had read everything: it may have said so, and that is to be read still. What it said in PostgreSQL's
/// words stays for whoever reads on.
fn last_word(session: &mut TlsStream<TcpStream>, error: io::Error) -> io::Error {
    let read = unconstrained(poll_fn(|cx| Pin::new(&mut *session).poll_fill_buf(cx).map_ok(drop)));
    match pin!(read).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(said)) => {
            let said = client::told(said);
            if client::refused(&said).is_some() { said } else { error }
        }
        _ => error,
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Way::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Way::Tls(session) => Pin::new(&mut **session).poll_read(cx, buf).map_err(client::told),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Way::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Way::Tls(session) => Pin::new(&mut **session).poll_write(cx, buf).map_err(|error| last_word(session, error)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            // A TCP socket keeps nothing back.
            Way::Plain(_) => Poll::Ready(Ok(())),
            Way::Tls(session) => Pin::new(&mut **session).poll_flush(cx).map_err(|error| last_word(session, error)),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Way::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Way::Tls(session) => Pin::new(&mut **session).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use holm_core::cluster::tls::ServerTls;
    use rcgen::{CertificateParams, KeyPair};
    use rustls::ServerConfig;
    use rustls::crypto::aws_lc_rs;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A server that is stopped amid what it is sent says so and closes.
    #[tokio::test]
    async fn what_a_server_says_before_it_hangs_up_is_read_whole_after_a_write_that_failed() {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let tls = ServerTls::VerifyCa(certificate.pem().parse().unwrap());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            tcp.set_nodelay(true).unwrap();
            let mut session = TlsAcceptor::from(Arc::new(config)).accept(tcp).await.unwrap();
            session.write_all(b"EFATAL").await.unwrap();
            session.flush().await.unwrap();
            // A reset, as when there is something unread.
            session.get_ref().0.set_zero_linger().unwrap();
        });
        let tcp = TcpStream::connect(address).await.unwrap();
        let mut stream = Stream::tls(crate::handshake(tcp, "localhost", &tls, None).await.unwrap());
        serving.await.unwrap();
        while stream.write_all(&[0; 1024]).await.is_ok() {}
        let mut said = Vec::new();
        let end = stream.read_to_end(&mut said).await;
        assert_eq!(said, b"EFATAL", "{end:?}");
    }
}
