//! Channel binding `tls-server-end-point` (RFC 5929, section 4): both sides name the certificate that the server showed, so
//! that a client notices somebody between who shows another one, whatever it was made to trust.
//!
//! Promises: the hash is the one that the certificate is signed with, SHA-256 instead of MD5 and SHA-1. Where the RFC leaves it
//! undefined there is none: Ed25519 has no hash of its own, and of RSA-PSS libpq knew none before PostgreSQL 16; a client
//! that was offered a binding it cannot compute would give up.

use aws_lc_rs::digest::{self, Algorithm};

use crate::certificate;

/// What identifies a server's end of a TLS connection: a hash of 28 to 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndPoint(Box<[u8]>);

impl EndPoint {
    /// The end that shows a certificate, given in DER.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let certificate = certificate::parse(der).ok()?;
        let hash = hash_of(certificate.signature_algorithm)?;
        Some(Self(digest::digest(hash, der).as_ref().into()))
    }

    /// The hash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The hash for a signature algorithm, by its object identifier.
fn hash_of(signature_algorithm: &[u8]) -> Option<&'static Algorithm> {
    // 1.2.840.113549.1.1 and 1.2.840.10045.4 (RFC 8017, RFC 5758).
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    if let Some(with) = signature_algorithm.strip_prefix(RSA) {
        return match with {
            // MD5, SHA-1, SHA-256.
            [4 | 5 | 11] => Some(&digest::SHA256),
            [12] => Some(&digest::SHA384),
            [13] => Some(&digest::SHA512),
            [14] => Some(&digest::SHA224),
            _ => None,
        };
    }
    match signature_algorithm.strip_prefix(ECDSA)? {
        // SHA-1, SHA-256.
        [1] | [3, 2] => Some(&digest::SHA256),
        [3, 1] => Some(&digest::SHA224),
        [3, 3] => Some(&digest::SHA384),
        [3, 4] => Some(&digest::SHA512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PKCS_RSA_SHA512,
        SignatureAlgorithm,
    };

    use super::*;

    fn signed_with(algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        CertificateParams::new(vec!["proxy.example".to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_hash_is_that_of_the_signature_and_none_where_there_is_none() {
        let expected: [(&'static SignatureAlgorithm, Option<&Algorithm>); 5] = [
            (&PKCS_ECDSA_P256_SHA256, Some(&digest::SHA256)),
            (&PKCS_ECDSA_P384_SHA384, Some(&digest::SHA384)),
            (&PKCS_RSA_SHA256, Some(&digest::SHA256)),
            (&PKCS_RSA_SHA512, Some(&digest::SHA512)),
            (&PKCS_ED25519, None),
        ];
        for (algorithm, hash) in expected {
            let der = signed_with(algorithm);
            let end_point = EndPoint::of_certificate(&der);
            assert_eq!(end_point.as_ref().map(EndPoint::as_bytes), hash.map(|hash| digest::digest(hash, &der)).as_ref().map(AsRef::as_ref));
        }
    }

    #[test]
    fn md5_and_sha_1_become_sha_256_as_rfc_5929_says() {
        let rsa = |last: u8| hash_of(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last]);
        for (last, hash) in [(4, &digest::SHA256), (5, &digest::SHA256), (11, &digest::SHA256), (14, &digest::SHA224)] {
            assert_eq!(rsa(last), Some(hash), "{last}");
        }
        assert_eq!(hash_of(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01]), Some(&digest::SHA256));
        // RSA-PSS, MD2, nothing, and one with something behind it.
        assert!(rsa(10).is_none() && rsa(2).is_none() && hash_of(&[]).is_none());
        assert!(hash_of(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02, 0x01]).is_none());
    }

    #[test]
    fn what_is_no_certificate_is_no_end() {
        assert_eq!(EndPoint::of_certificate(b""), None);
        assert_eq!(EndPoint::of_certificate(b"\x30\x03\x02\x01\x05"), None);
    }
}
