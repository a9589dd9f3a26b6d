//! What Holm shows a server that asks for a certificate, and what such a server says when it does not take it.
//!
//! Promises: a key that is not the certificate's is refused before any server sees either. What was made of a key is forgotten
//! with the next connection after the last who has the certificate. Refuses to choose: a server is shown the one certificate that is its cluster's, whichever
//! authorities it names, so that its refusal is in its own words.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use holm_core::cluster::client_certificate::{ClientCertificate, Mark};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{AlertDescription, Error, InconsistentKeys};

use crate::TlsError;

/// One for each cluster that is shown one; the engine reads its own anew for each connection.
static MADE: Mutex<Vec<(Mark, Arc<SingleCertAndKey>)>> = Mutex::new(Vec::new());

/// Why a certificate cannot be shown. The words have nothing of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// What is in PEM is no certificate.
    #[error(
        "the client certificate is malformed, or of version 1, which TLS does not take here: `openssl x509 -req` makes such a one without `-extfile`"
    )]
    Malformed,
    /// What is in PEM is no key, or one of a kind that TLS does not know here.
    #[error("the private key is malformed, or of a kind that cannot be used: an RSA, ECDSA or Ed25519 key can")]
    Key,
    /// They do not belong together.
    #[error("the private key is not the one of the client certificate")]
    OtherKey,
}

/// Whether a certificate could be shown at all.
///
/// # Errors
/// [`Unusable`].
pub fn check_client(certificate: &ClientCertificate) -> Result<(), Unusable> {
    certified(certificate).map(drop)
}

/// What a handshake answers with when it is asked.
pub(crate) fn resolver(certificate: &ClientCertificate) -> Result<Arc<dyn ResolvesClientCert>, Unusable> {
    let made = || MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, known)) = made().iter().find(|(mark, _)| mark.is_of(certificate)) {
        return Ok(Arc::<SingleCertAndKey>::clone(known));
    }
    let new = Arc::new(SingleCertAndKey::from(certified(certificate)?));
    let mut made = made();
    made.retain(|(mark, _)| !mark.is_over());
    made.push((certificate.mark(), Arc::clone(&new)));
    Ok(new)
}

/// Forgets what was made of keys that nobody has any more.
pub(crate) fn forget() {
    MADE.lock().unwrap_or_else(PoisonError::into_inner).retain(|(mark, _)| !mark.is_over());
}

fn certified(certificate: &ClientCertificate) -> Result<CertifiedKey, Unusable> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.chain().as_pem().as_bytes()).collect();
    let chain = chain.map_err(|_| Unusable::Malformed)?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key().expose_pem().expose().as_bytes()).map_err(|_| Unusable::Key)?;
    // rustls would pass a certificate that it cannot read as one whose key it cannot compare.
    let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).map_err(|_| Unusable::Key)?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(Unusable::OtherKey),
        Err(Error::InconsistentKeys(_)) => Err(Unusable::Key),
        Err(_) => Err(Unusable::Malformed),
    }
}

/// What a server says with the alert that ends a connection, if it is about the certificate that it was shown, or was not.
pub(crate) const fn refusal(error: &Error) -> Option<&'static str> {
    let Error::AlertReceived(alert) = error else { return None };
    Some(match alert {
        AlertDescription::UnknownCA => "unknown_ca: it leads to no authority that the server knows",
        AlertDescription::CertificateExpired => "certificate_expired",
        AlertDescription::CertificateRevoked => "certificate_revoked",
        AlertDescription::BadCertificate => "bad_certificate",
        AlertDescription::UnsupportedCertificate => "unsupported_certificate: it is not meant for clients, perhaps",
        AlertDescription::CertificateUnknown => "certificate_unknown",
        AlertDescription::CertificateRequired => "certificate_required: it was shown none",
        AlertDescription::AccessDenied => "access_denied",
        AlertDescription::DecryptError => "decrypt_error: it does not take what the key has signed",
        _ => return None,
    })
}

/// An error of a connection, with the server's words in the place of the alert's number where they are about the certificate.
pub(crate) fn told(error: io::Error) -> io::Error {
    let Some(alert) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return error };
    match refusal(alert) {
        Some(said) => io::Error::new(error.kind(), TlsError::Refused(said)),
        None => error,
    }
}

/// What a server said of the certificate that it was shown, where that ended a connection: in TLS 1.3 it says so only once the
/// handshake is over for us.
pub fn refused(error: &io::Error) -> Option<TlsError> {
    let mut next = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    while let Some(cause) = next {
        if let Some(refused @ TlsError::Refused(_)) = cause.downcast_ref::<TlsError>() {
            return Some(refused.clone());
        }
        next = cause.downcast_ref::<io::Error>().map_or_else(|| cause.source(), |io| io.get_ref().map(|inner| inner as _));
    }
    None
}

#[cfg(test)]
mod tests {
    use holm_core::secret::Secret;
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["holm".to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn given(chain: &str, key: &str) -> ClientCertificate {
        ClientCertificate::given(Some(chain), Some(&Secret::new(key.to_owned()))).unwrap().unwrap()
    }

    #[test]
    fn a_certificate_goes_with_its_own_key_and_no_other() {
        let ((chain, key), (_, other)) = (pair(), pair());
        assert_eq!(check_client(&given(&chain, &key)), Ok(()));
        assert_eq!(check_client(&given(&chain, &other)), Err(Unusable::OtherKey));
        let nonsense = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(check_client(&given(&chain, nonsense)), Err(Unusable::Key));
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(check_client(&given(nonsense, &key)), Err(Unusable::Malformed));
    }

    #[test]
    fn what_was_made_of_a_key_is_made_once_and_forgotten_after_the_last_who_has_it() {
        let (chain, key) = pair();
        let certificate = given(&chain, &key);
        let (first, second) = (resolver(&certificate).unwrap(), resolver(&certificate.clone()).unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        let mark = certificate.mark();
        drop((certificate, second));
        let weak = Arc::downgrade(&first);
        drop(first);
        assert!(mark.is_over());
        // The next that is made takes the place.
        let next = given(&chain, &key);
        resolver(&next).unwrap();
        assert_eq!(weak.strong_count(), 0);
    }

    #[test]
    fn a_servers_alert_about_the_certificate_is_told_in_words_however_deep_it_is() {
        let alert = Error::AlertReceived(AlertDescription::UnknownCA);
        let error = io::Error::other(told(io::Error::new(io::ErrorKind::InvalidData, alert)));
        assert!(refused(&error).unwrap().to_string().contains("unknown_ca"));
        let other = told(io::Error::other(Error::AlertReceived(AlertDescription::HandshakeFailure)));
        assert!(refused(&other).is_none() && refused(&io::ErrorKind::BrokenPipe.into()).is_none());
    }
}
