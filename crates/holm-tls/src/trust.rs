//! Whom one believes to be a server: what a handshake is configured with.
//!
//! Promises: a certificate that leads to none of the roots, is not valid now or is not meant for servers is refused in every mode,
//! and in `verify-full` one that is not for the host. Made once for each way to speak to a cluster, since the system's roots are
//! some 150 files to read; whoever changes those has to start Holm anew.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use holm_core::cluster::tls::{RootCertificates, Roots, ServerTls};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// The protocol's ALPN name: a server of another protocol that shares certificate and authority refuses it (PostgreSQL 17;
/// older ones take no notice).
const ALPN: &[u8] = b"postgresql";

/// An installation has tens of clusters; what was changed more often than that is made anew.
const KEPT_MAX: usize = 1024;

static KEPT: LazyLock<Mutex<HashMap<ServerTls, Arc<ClientConfig>>>> = LazyLock::new(Mutex::default);

/// Why there are no roots to verify with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// What was given is in PEM and no certificate.
    #[error("the root certificate cannot be used: {0}")]
    Unusable(String),
    /// The operating system has none.
    #[error("the operating system has no root certificates")]
    NoneOnSystem,
}

/// Whether a server could be verified in this way at all.
///
/// # Errors
/// [`RootsError`].
///
/// # Cancel safety
/// Safe.
pub async fn check(tls: &ServerTls) -> Result<(), RootsError> {
    config(tls).await.map(drop)
}

/// What a handshake is configured with; nothing where there is none.
pub(crate) async fn config(tls: &ServerTls) -> Result<Option<Arc<ClientConfig>>, RootsError> {
    if !tls.is_encrypted() {
        return Ok(None);
    }
    let known = KEPT.lock().unwrap_or_else(PoisonError::into_inner).get(tls).cloned();
    if known.is_some() {
        return Ok(known);
    }
    let wanted = tls.clone();
    // It reads files.
    let made = tokio::task::spawn_blocking(move || made(&wanted)).await.expect("reading certificates does not panic")?;
    let made = Arc::new(made);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
    kept.insert(tls.clone(), Arc::clone(&made));
    Ok(Some(made))
}

fn made(tls: &ServerTls) -> Result<ClientConfig, RootsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    // TLS 1.2 and 1.3.
    let builder = builder.with_safe_default_protocol_versions().expect("the provider has suites for both versions");
    let mut config = match tls {
        ServerTls::VerifyCa(roots) => {
            let verifier = AnyName::new(roots, &provider)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
        }
        ServerTls::VerifyFull(Roots::Given(roots)) => builder.with_root_certificates(store(roots)?).with_no_client_auth(),
        ServerTls::VerifyFull(Roots::System) | ServerTls::Disable => builder.with_root_certificates(system()?).with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn certificates(roots: &RootCertificates) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(roots.as_pem().as_bytes()).collect();
    certificates.map_err(|error| RootsError::Unusable(error.to_string()))
}

fn store(roots: &RootCertificates) -> Result<RootCertStore, RootsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(roots)? {
        store.add(certificate).map_err(|error| RootsError::Unusable(error.to_string()))?;
    }
    Ok(store)
}

fn system() -> Result<RootCertStore, RootsError> {
    let mut store = RootCertStore::empty();
    let (usable, unusable) = store.add_parsable_certificates(system_certificates());
    tracing::debug!(usable, unusable, "read the operating system's root certificates");
    if usable == 0 { Err(RootsError::NoneOnSystem) } else { Ok(store) }
}

fn system_certificates() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "some of the operating system's root certificates cannot be read");
    }
    found.certs
}

/// The operating system's roots in PEM, for programs that take a file. Blocks.
pub fn system_roots_pem() -> String {
    system_certificates().iter().map(|certificate| pem(certificate)).collect()
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// `verify-ca`: a certificate that leads to one of the roots, whatever names are in it.
#[derive(Debug)]
struct AnyName {
    store: RootCertStore,
    given: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyName {
    fn new(roots: &RootCertificates, provider: &CryptoProvider) -> Result<Self, RootsError> {
        Ok(Self { store: store(roots)?, given: certificates(roots)?, algorithms: provider.signature_verification_algorithms })
    }
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(shown)?;
        match verify_server_cert_signed_by_trust_anchor(&certificate, &self.store, between, now, self.algorithms.all) {
            Ok(()) => {}
            // What `openssl req -x509` makes for a server is an authority's certificate by its own account. Given as the root it
            // is the very one that is to be believed; what is looked at first, its time, still counts.
            Err(rustls::Error::InvalidCertificate(why)) if !is_about_time(&why) && self.given.iter().any(|given| given == shown) => {}
            Err(error) => return Err(error),
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

const fn is_about_time(why: &CertificateError) -> bool {
    matches!(
        why,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    )
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate() -> rcgen::Certificate {
        CertificateParams::new(vec!["db.example".to_owned()]).unwrap().self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn roots_that_are_written_out_for_programs_are_read_back_as_they_were() {
        let certificate = certificate();
        let written = pem(certificate.der());
        let roots: RootCertificates = written.parse().unwrap();
        assert_eq!(roots.as_pem(), written);
        assert_eq!(certificates(&roots).unwrap(), [certificate.der().clone()]);
    }

    #[tokio::test]
    async fn a_way_to_verify_is_made_once_and_what_is_no_certificate_never() {
        let roots: RootCertificates = certificate().pem().parse().unwrap();
        for tls in [ServerTls::VerifyCa(roots.clone()), ServerTls::VerifyFull(Roots::Given(roots))] {
            let (first, second) = (config(&tls).await.unwrap().unwrap(), config(&tls).await.unwrap().unwrap());
            assert!(Arc::ptr_eq(&first, &second));
        }
        assert!(config(&ServerTls::Disable).await.unwrap().is_none());
        let broken: RootCertificates = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".parse().unwrap();
        assert!(matches!(check(&ServerTls::VerifyCa(broken)).await, Err(RootsError::Unusable(_))));
    }
}
