//! TLS towards clients.
//!
//! Promises: what a handshake began with it ends with, whatever the files say meanwhile; sessions that are open are not
//! touched by a new certificate. What is bound to a certificate is bound to that of its own handshake.

mod identity;
mod renewal;
mod revoked;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use holm_core::error::Problem;
use holm_pgwire::scram::end_point::EndPoint;
use jiff::Timestamp;
use tokio_rustls::server::TlsStream;

use self::identity::Identity;
pub use self::renewal::TlsRenewal;
pub(super) use self::renewal::keep;
use self::renewal::{Look, Renewed, Stamp};
pub(super) use self::revoked::reason;
use super::TlsFiles;
use super::socket::Socket;

/// The ALPN name of the protocol (PostgreSQL 17): keeps a browser's TLS, or another server's, from being mistaken for ours.
const ALPN: &[u8] = b"postgresql";

/// What is shown to clients, and the files that it comes from.
pub(super) struct Tls {
    files: TlsFiles,
    current: ArcSwap<Identity>,
    /// How the files looked when they were last read, with success or without.
    seen: Mutex<Stamp>,
}

/// A TLS session with a client.
#[derive(Debug)]
pub(super) struct Encrypted {
    pub(super) stream: TlsStream<Socket>,
    /// What a client can bind its proof to: the certificate of this handshake, and not one that came later.
    pub(super) end_point: Option<Arc<EndPoint>>,
}

/// How a client came to TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Begun {
    /// It asked with SSLRequest.
    Negotiated,
    /// It began with its first byte, and so must name the protocol.
    Direct,
}

impl Tls {
    pub(super) fn load(files: &TlsFiles) -> Result<Self, Problem> {
        // Before they are read: what changes in between is seen as a change.
        let seen = Stamp::of(files);
        let identity = Identity::read(files)?;
        Ok(Self { files: files.clone(), current: ArcSwap::from_pointee(identity), seen: Mutex::new(seen) })
    }

    /// Reads the files again, and has handshakes from now on use what is new in them. Blocks.
    ///
    /// # Errors
    /// They cannot be used; what was in use stays.
    fn renew(&self, look: Look) -> Result<Renewed, Problem> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Stamp::of(&self.files);
        if look == Look::IfChanged && now == *seen {
            return Ok(Renewed::Untouched);
        }
        *seen = now;
        let identity = Identity::read(&self.files)?;
        if identity.is_same(&self.current.load()) {
            return Ok(Renewed::Same);
        }
        self.current.store(Arc::new(identity));
        Ok(Renewed::Replaced)
    }

    /// When the first of the revocation lists in use was over, if it is.
    fn lists_over(&self, now: Timestamp) -> Option<Timestamp> {
        self.current.load().lists_until.filter(|until| *until <= now)
    }

    pub(super) async fn accept(&self, stream: Socket, begun: Begun) -> io::Result<Encrypted> {
        let identity = self.current.load_full();
        let stream = identity.acceptor.accept(stream).await?;
        if begun == Begun::Direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "direct TLS without the ALPN protocol `postgresql`"));
        }
        Ok(Encrypted { stream, end_point: identity.end_point.clone() })
    }
}
