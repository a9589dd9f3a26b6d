//! TLS towards PostgreSQL servers, for whoever opens a connection to one.
//!
//! Promises: where a cluster is to be spoken to over TLS nothing but the request for it goes out in the clear, and nothing that
//! came in the clear is read as if it had come through TLS (CVE-2021-23222). Whose certificate is not believed hears
//! nothing. No session is resumed, so that every connection sees the certificate that it is bound to. What Holm shows of itself is
//! its cluster's, and is shown to whoever is believed to be it alone.
//! Refuses to wait or to give up: deadlines are the caller's.

mod client;
mod stream;
mod trust;

use std::io;
use std::sync::Arc;

use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::tls::ServerTls;
use holm_pgwire::message::{SSL_REQUEST, TLS_YES};
use holm_pgwire::scram::choice::Channel;
use holm_pgwire::scram::end_point::EndPoint;
use rustls::pki_types::ServerName;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, OtherError};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use self::client::{Unusable, check_client, refused};
pub use self::stream::Stream;
pub use self::trust::{RootsError, check, system_roots_pem};

/// Why there is no TLS. The words name neither host nor address: some are told to a tenant's app.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsError {
    /// It said `N`.
    #[error("the server does not speak TLS")]
    NotOffered,
    /// It said something else than `S` or `N`.
    #[error("the server answered the request for TLS with what is no answer")]
    NoAnswer,
    /// The connection ended or broke.
    #[error("the connection broke before TLS had begun")]
    Broken(#[source] Arc<io::Error>),
    /// Its certificate is not one to believe.
    #[error("the server's certificate is not believed: {0}")]
    Distrusted(&'static str, #[source] rustls::Error),
    /// It does not take the certificate that it is shown, or wants one.
    #[error("the server wants another client certificate: {0}")]
    Refused(&'static str),
    /// What is to be shown cannot be.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// It does not speak the same TLS, or no TLS at all.
    #[error("the TLS handshake with the server failed")]
    Handshake(#[source] rustls::Error),
    /// No certificate can be for the host name.
    #[error("no certificate can be for the server's host name")]
    HostName,
    /// There is nothing to verify with.
    #[error(transparent)]
    Roots(#[from] RootsError),
}

/// Has a connection to `host` encrypted as `tls` says, and shows what is to be shown if the server asks for it; gives it back as it is
/// where nothing is to be encrypted.
///
/// # Errors
/// [`TlsError`]; the connection is closed then.
///
/// # Cancel safety
/// Safe: the connection is closed, and the server sees a client that left before it said who it is.
pub async fn encrypt(mut tcp: TcpStream, host: &str, tls: &ServerTls, shown: Option<&ClientCertificate>) -> Result<Stream, TlsError> {
    if !tls.is_encrypted() {
        return Ok(Stream::plain(tcp));
    }
    // What there is nothing to verify with is not asked for.
    check(tls).await?;
    server_name(host)?;
    match shown {
        Some(shown) => drop(client::resolver(shown)?),
        None => client::forget(),
    }
    tcp.write_all(&SSL_REQUEST).await.map_err(broken)?;
    // One byte and no more: what follows it is the handshake's to read, and anything else fails there.
    match tcp.read_u8().await.map_err(broken)? {
        TLS_YES => {}
        b'N' => return Err(TlsError::NotOffered),
        _ => return Err(TlsError::NoAnswer),
    }
    Ok(Stream::tls(handshake(tcp, host, tls, shown).await?))
}

/// The handshake alone, with a server that has said that it speaks TLS.
///
/// # Errors
/// [`TlsError`]; the connection is closed then. Nothing is to be encrypted: [`TlsError::NotOffered`].
///
/// # Cancel safety
/// Safe: the connection is closed.
pub async fn handshake<S>(stream: S, host: &str, tls: &ServerTls, shown: Option<&ClientCertificate>) -> Result<TlsStream<S>, TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut config = trust::config(tls).await?.ok_or(TlsError::NotOffered)?;
    if let Some(shown) = shown {
        // What is dear in it, whom to believe, is shared.
        Arc::make_mut(&mut config).client_auth_cert_resolver = client::resolver(shown)?;
    }
    TlsConnector::from(config).connect(server_name(host)?, stream).await.map_err(failed)
}

/// What a login over an encrypted connection can be bound to, as `tls-server-end-point` has it (RFC 5929); nothing where the
/// certificate's signature names no hash for it.
pub fn end_point<S>(session: &TlsStream<S>) -> Option<Vec<u8>> {
    match channel(session) {
        Channel::EndPoint(end_point) => Some(end_point.as_bytes().to_vec()),
        Channel::Clear | Channel::Unhashed => None,
    }
}

fn channel<S>(session: &TlsStream<S>) -> Channel {
    let shown = session.get_ref().1.peer_certificates().and_then(<[_]>::first);
    shown.and_then(|shown| EndPoint::of_certificate(shown)).map_or(Channel::Unhashed, Channel::EndPoint)
}

fn server_key<S>(session: &TlsStream<S>) -> Option<Vec<u8>> {
    let shown = session.get_ref().1.peer_certificates()?.first()?;
    // It was read in the handshake, so that it can be read.
    Some(ParsedCertificate::try_from(shown).ok()?.subject_public_key_info().as_ref().to_vec())
}

fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(host.to_owned()).map_err(|_| TlsError::HostName)
}

fn broken(error: io::Error) -> TlsError {
    TlsError::Broken(Arc::new(error))
}

fn failed(error: io::Error) -> TlsError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).cloned() {
        Some(rustls::Error::InvalidCertificate(why)) => TlsError::Distrusted(reason(&why), rustls::Error::InvalidCertificate(why)),
        Some(other) => client::refusal(&other).map_or(TlsError::Handshake(other), TlsError::Refused),
        None => broken(error),
    }
}

/// What a person can act on; rustls's own words name hosts.
fn reason(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::UnknownIssuer => "it leads to no root certificate that was given",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the host name is not among its alternative names"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => "it is not meant for servers",
        CertificateError::BadSignature => "its signature is wrong",
        CertificateError::Other(OtherError(other)) if other.to_string().contains("CaUsedAsEndEntity") => {
            "it is a certificate authority's own, and no server's"
        }
        _ => "it is malformed, or signed in a way that is not accepted",
    }
}
