//! What Holm shows a server that asks who it is: a certificate, those that lead to its authority, and the private key, in PEM.
//!
//! Promises: of what is given nothing but the certificates and the one key is kept; the key is in no `Debug`, and wiped when nobody
//! has it any more. Whether they belong together and are good today is TLS's and the clock's to say.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Weak};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::pem;
use crate::secret::Secret;

/// A certificate and a few between it and its authority are some 6 KiB; every node holds them.
const CHAIN_LENGTH_MAX: usize = 16 * 1024;

/// An RSA key of 8192 bits is 6.5 KiB.
const KEY_LENGTH_MAX: usize = 16 * 1024;

/// Kinds of private keys in PEM: PKCS #8, and what `openssl` wrote before.
const KINDS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// A certificate in PEM, and behind it those that lead to its authority.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CertificateChain(Arc<str>);

/// A private key in PEM, and nothing else.
#[derive(Clone, Debug)]
pub struct ClientKey(Secret<String>);

/// A chain and the key of its first certificate.
#[derive(Clone)]
pub struct ClientCertificate(Arc<Pair>);

struct Pair {
    chain: CertificateChain,
    key: ClientKey,
}

/// A certificate that was seen, known again as long as somebody has it. Does not keep the key.
#[derive(Clone, Debug)]
pub struct Mark(Weak<Pair>);

/// What cannot be shown to anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClientCertificate {
    /// The certificates.
    #[error("the client certificate cannot be used: {0}")]
    Chain(&'static str),
    /// The key.
    #[error("the private key of the client certificate cannot be used: {0}")]
    Key(&'static str),
    /// One is of no use without the other.
    #[error("a client certificate and its private key are given together, or neither")]
    Half,
    /// Nobody would ask for it.
    #[error("a client certificate is of no use with `sslmode=disable`")]
    Unused,
}

impl CertificateChain {
    /// The certificates in PEM.
    pub fn as_pem(&self) -> &str {
        &self.0
    }
}

impl FromStr for CertificateChain {
    type Err = InvalidClientCertificate;

    fn from_str(text: &str) -> Result<Self, InvalidClientCertificate> {
        if text.contains("PRIVATE KEY-----") {
            return Err(InvalidClientCertificate::Chain("there is a private key in it, which is given by itself"));
        }
        let kept = pem::certificates(text, CHAIN_LENGTH_MAX).map_err(|why| match why {
            pem::Not::TooLong => InvalidClientCertificate::Chain("it is longer than 16 KiB"),
            other => InvalidClientCertificate::Chain(other.as_str()),
        })?;
        Ok(Self(kept.into()))
    }
}

impl fmt::Debug for CertificateChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateChain({} bytes)", self.0.len())
    }
}

impl From<CertificateChain> for String {
    fn from(chain: CertificateChain) -> Self {
        chain.0.as_ref().into()
    }
}

impl TryFrom<String> for CertificateChain {
    type Error = InvalidClientCertificate;

    fn try_from(text: String) -> Result<Self, InvalidClientCertificate> {
        text.parse()
    }
}

impl ClientKey {
    /// The key in PEM.
    pub const fn expose_pem(&self) -> &Secret<String> {
        &self.0
    }
}

impl FromStr for ClientKey {
    type Err = InvalidClientCertificate;

    /// What stands before and behind it, as `openssl ecparam` writes it, is left out.
    fn from_str(text: &str) -> Result<Self, InvalidClientCertificate> {
        let refuse = |why| Err(InvalidClientCertificate::Key(why));
        if text.contains("ENCRYPTED") {
            return refuse("it is encrypted: give it without a passphrase, as `openssl pkey -in FILE` writes it");
        }
        if text.len() > KEY_LENGTH_MAX {
            return refuse("it is longer than 16 KiB");
        }
        let mut found = KINDS.iter().filter_map(|kind| {
            let (_, begun) = text.split_once(&*format!("-----BEGIN {kind}-----"))?;
            Some((kind, begun.split_once(&*format!("-----END {kind}-----"))))
        });
        let (kind, (body, after)) = match (found.next(), found.next()) {
            (None, _) => return refuse("there is no private key in PEM in it"),
            (Some((_, None)), _) => return refuse("the private key in it has no end"),
            (Some((kind, Some(body))), None) => (kind, body),
            (Some(_), Some(_)) => return refuse("there is more than one private key in it"),
        };
        if after.contains("PRIVATE KEY-----") {
            return refuse("there is more than one private key in it");
        }
        let is_base64 = |line: &str| line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        if body.trim().is_empty() || !body.split_ascii_whitespace().all(is_base64) {
            return refuse("the private key in it is not in base64");
        }
        // The room beforehand: text that grows leaves copies behind that nobody wipes.
        let mut kept = Zeroizing::new(String::with_capacity(text.len() + 4 * body.lines().count() + 64));
        kept.extend(["-----BEGIN ", kind, "-----\n"]);
        body.split_ascii_whitespace().for_each(|line| kept.extend([line, "\n"]));
        kept.extend(["-----END ", kind, "-----\n"]);
        Ok(Self(Secret::new(std::mem::take(&mut *kept))))
    }
}

impl ClientCertificate {
    /// From its parts, of which nobody knows yet whether they belong together.
    pub fn new(chain: CertificateChain, key: ClientKey) -> Self {
        Self(Arc::new(Pair { chain, key }))
    }

    /// From what was given: both texts, or neither.
    ///
    /// # Errors
    /// [`InvalidClientCertificate`].
    pub fn given(chain: Option<&str>, key: Option<&Secret<String>>) -> Result<Option<Self>, InvalidClientCertificate> {
        match (chain, key) {
            (None, None) => Ok(None),
            (Some(chain), Some(key)) => Ok(Some(Self::new(chain.parse()?, key.expose().parse()?))),
            (Some(_), None) | (None, Some(_)) => Err(InvalidClientCertificate::Half),
        }
    }

    /// What is shown.
    pub fn chain(&self) -> &CertificateChain {
        &self.0.chain
    }

    /// What proves that it is one's own.
    pub fn key(&self) -> &ClientKey {
        &self.0.key
    }

    /// By which it is known again.
    pub fn mark(&self) -> Mark {
        Mark(Arc::downgrade(&self.0))
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({} bytes)", self.0.chain.0.len())
    }
}

impl Mark {
    /// Whether it is of this one, and not only of one alike.
    pub fn is_of(&self, certificate: &ClientCertificate) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&certificate.0))
    }

    /// Whether nobody has it any more.
    pub fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    fn key(kind: &str) -> String {
        format!("-----BEGIN {kind}-----\nc2VjcmV0\n-----END {kind}-----\n")
    }

    #[test]
    fn of_what_is_given_the_certificates_and_the_one_key_are_kept() {
        let chain: CertificateChain = format!("subject=holm\r\n{CERTIFICATE}between\n{CERTIFICATE}").parse().unwrap();
        assert_eq!(chain.as_pem(), [CERTIFICATE, CERTIFICATE].concat());
        for kind in KINDS {
            let around =
                format!("-----BEGIN EC PARAMETERS-----\nAA==\n-----END EC PARAMETERS-----\n{}rest", key(kind).replace('\n', "\r\n"));
            assert_eq!(around.parse::<ClientKey>().unwrap().expose_pem().expose(), &key(kind));
        }
    }

    #[test]
    fn what_is_neither_is_refused_and_no_word_of_it_repeated() {
        for (text, why) in [
            (String::new(), "no private key"),
            (CERTIFICATE.to_owned(), "no private key"),
            (key("ENCRYPTED PRIVATE KEY"), "encrypted"),
            (key("RSA PRIVATE KEY").replace("c2V", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nc2V"), "encrypted"),
            (key("PRIVATE KEY").replace("END", "FIN"), "no end"),
            (key("PRIVATE KEY").replace("c2VjcmV0", "c2Vjc!V0"), "base64"),
            (key("PRIVATE KEY").replace("c2VjcmV0", ""), "base64"),
            (key("PRIVATE KEY").repeat(2), "more than one"),
            (key("PRIVATE KEY") + &key("EC PRIVATE KEY"), "more than one"),
            (key("PRIVATE KEY").replace("c2VjcmV0", &"c2VjcmV0".repeat(3000)), "16 KiB"),
        ] {
            let refused = text.parse::<ClientKey>().unwrap_err().to_string();
            assert!(refused.contains(why) && !refused.contains("c2V"), "{refused}");
        }
        for (text, why) in [
            ("nothing".to_owned(), "no certificate"),
            (format!("{CERTIFICATE}{}", key("PRIVATE KEY")), "private key"),
            (CERTIFICATE.repeat(400), "16 KiB"),
        ] {
            let refused = text.parse::<CertificateChain>().unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn a_certificate_without_its_key_is_refused_and_a_key_is_never_printed() {
        let secret = Secret::new(key("PRIVATE KEY"));
        assert!(ClientCertificate::given(None, None).unwrap().is_none());
        assert_eq!(ClientCertificate::given(Some(CERTIFICATE), None).unwrap_err(), InvalidClientCertificate::Half);
        assert_eq!(ClientCertificate::given(None, Some(&secret)).unwrap_err(), InvalidClientCertificate::Half);
        let whole = ClientCertificate::given(Some(CERTIFICATE), Some(&secret)).unwrap().unwrap();
        assert!(!format!("{whole:?} {:?}", whole.key()).contains("c2V"));
    }

    #[test]
    fn a_mark_knows_the_one_that_it_is_of_until_nobody_has_it() {
        let secret = Secret::new(key("PRIVATE KEY"));
        let [one, alike] = [(), ()].map(|()| ClientCertificate::given(Some(CERTIFICATE), Some(&secret)).unwrap().unwrap());
        let mark = one.mark();
        assert!(mark.is_of(&one.clone()) && !mark.is_of(&alike));
        drop(one);
        assert!(mark.is_over());
    }
}
