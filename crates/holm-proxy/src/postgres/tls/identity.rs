//! What the proxy shows at a handshake, and whom it believes, made from the files that say so.
//!
//! Promises: a key that is not the certificate's is refused. Each identity resumes its own sessions and no other's, so that
//! none outlives the certificate that it began with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use holm_core::error::{ErrorCode, Problem};
use holm_pgwire::scram::end_point::EndPoint;
use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::ALPN;
use super::revoked::Revoked;
use crate::postgres::TlsFiles;

pub(super) struct Identity {
    pub(super) acceptor: TlsAcceptor,
    pub(super) end_point: Option<Arc<EndPoint>>,
    /// When the first of the revocation lists is over, if there are any.
    pub(super) lists_until: Option<Timestamp>,
    /// Of what the files say.
    digest: digest::Digest,
}

impl Identity {
    /// Whether both come from the same bytes.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.digest.as_ref() == other.digest.as_ref()
    }

    /// Reads the files. Blocks.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidConfig`] with the file that cannot be used.
    pub(super) fn read(files: &TlsFiles) -> Result<Self, Problem> {
        let (certificate, key) = (contents(&files.certificate)?, contents(&files.key)?);
        let mut digest = digest::Context::new(&digest::SHA256);
        let read = |path: &'_ PathBuf| Ok::<_, Problem>((path.clone(), contents(path)?));
        let authorities = files.clients.as_ref().map(|clients| read(&clients.authorities)).transpose()?;
        let revoked = files.clients.as_ref().and_then(|clients| clients.revoked.as_ref()).map(read).transpose()?;
        for contents in [&certificate, &key].into_iter().chain([&authorities, &revoked].into_iter().flatten().map(|(_, contents)| contents))
        {
            digest.update(&contents.len().to_be_bytes());
            digest.update(contents);
        }
        let revoked = revoked.map(|(path, pem)| Ok::<_, Problem>((Revoked::read(&path, &pem, Timestamp::now())?, path))).transpose()?;
        let lists_until = revoked.as_ref().map(|(revoked, _)| revoked.until);
        let wrong = |error: &dyn std::fmt::Display| unusable(&files.certificate, error);
        let chain = certificates(&files.certificate, &certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| unusable(&files.key, &error))?;
        let end_point = chain.first().and_then(|certificate| EndPoint::of_certificate(certificate)).map(Arc::new);
        if end_point.is_none() {
            tracing::info!("channel binding is not offered: the certificate is signed with an algorithm that has no hash for it");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| wrong(&error))?;
        let builder = match &authorities {
            None => builder.with_no_client_auth(),
            Some((path, pem)) => builder.with_client_cert_verifier(verifier((path, pem), revoked, provider)?),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| wrong(&error))?;
        if authorities.is_some() {
            // A session that is resumed shows no certificate again, and the one it showed may be over by then.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), end_point, lists_until, digest: digest.finish() })
    }
}

fn verifier(
    (path, pem): (&Path, &[u8]),
    revoked: Option<(Revoked, PathBuf)>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        roots.add(certificate).map_err(|error| unusable(path, &error))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let (verifier, path) = match revoked {
        None => (verifier, path.to_owned()),
        // Without being told, it would go by a list that is over.
        Some((revoked, path)) => (verifier.with_crls(revoked.lists).enforce_revocation_expiration(), path),
    };
    verifier.build().map_err(|error| unusable(&path, &error))
}

fn contents(path: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|error| unusable(path, &error))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(unusable(path, &"there is no certificate in it")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unusable(path, &error)),
    }
}

pub(super) fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, format!("the TLS file `{}` cannot be used", path.display()))
        .because(why)
        .next("give a certificate chain and its private key, and authorities for clients and their revocation lists if clients are to be asked, all in PEM")
}
