//! TLS towards clients.

use std::io;
use std::sync::Arc;

use holm_core::error::{ErrorCode, Problem};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::TlsFiles;

/// The ALPN name of the protocol (PostgreSQL 17): keeps a browser's TLS, or another server's, from being mistaken for ours.
const ALPN: &[u8] = b"postgresql";

/// A certificate, ready for handshakes.
#[derive(Clone)]
pub(super) struct Tls(TlsAcceptor);

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
        let wrong = |what: &std::path::Path, why: &dyn std::fmt::Display| {
            Problem::new(ErrorCode::InvalidConfig, format!("the TLS file `{}` cannot be used", what.display()))
                .because(why)
                .next("give a certificate chain and its private key, both in PEM")
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
            .and_then(Iterator::collect)
            .map_err(|error| wrong(&files.certificate, &error))?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(&files.key, &error))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&files.certificate, &error))?;
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(|error| wrong(&files.certificate, &error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    pub(super) async fn accept(&self, stream: TcpStream, begun: Begun) -> io::Result<TlsStream<TcpStream>> {
        let stream = self.0.accept(stream).await?;
        if begun == Begun::Direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "direct TLS without the ALPN protocol `postgresql`"));
        }
        Ok(stream)
    }
}
