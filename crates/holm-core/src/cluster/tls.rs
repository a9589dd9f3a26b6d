//! Whether a cluster is spoken to over TLS, and whom one believes to be it, in PostgreSQL's words.
//!
//! Promises: what encrypts also verifies; a mode has just the root certificates that it has a use for. Refuses `allow`,
//! `prefer` and `require`: with the first two whoever stands between decides whether anything is encrypted, with the third
//! they may be the server. Whether a certificate can be used as a root is TLS's to say.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::pem;

/// A cloud provider's roots of one region are some 8 KiB; the API reads twice as much as this in one request, and every node holds
/// them.
const ROOTS_LENGTH_MAX: usize = 32 * 1024;

/// How Holm speaks to a cluster.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub enum ServerTls {
    /// In the clear: on one machine, or over a network where nobody else is.
    #[default]
    Disable,
    /// Over TLS, with a server whose certificate leads to one of these roots, whatever name is in it.
    VerifyCa(RootCertificates),
    /// Over TLS, with a server whose certificate also is for the host name or the address that Holm connects to.
    VerifyFull(Roots),
}

/// Who vouches for a server.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Roots {
    /// Whoever the operating system trusts.
    System,
    /// These and nobody else.
    Given(RootCertificates),
}

/// PostgreSQL's `sslmode`, as far as Holm knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SslMode {
    /// In the clear.
    Disable,
    /// Encrypted, the certificate verified.
    VerifyCa,
    /// Encrypted, the certificate and the name in it verified.
    VerifyFull,
}

/// Certificates in PEM, one or more, and nothing else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RootCertificates(Arc<str>);

/// Words that do not make a [`ServerTls`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServerTls {
    /// A word of PostgreSQL's that protects from nobody who stands between.
    #[error("`sslmode={0}` lets whoever stands between read along: say `verify-full`, `verify-ca` or `disable`")]
    Weak(&'static str),
    /// No word of PostgreSQL's.
    #[error("`{0}` is no `sslmode`: say `verify-full`, `verify-ca` or `disable`")]
    Unknown(String),
    /// The same, and not like one: a parameter that was put behind it in a wrong way may have a password in it.
    #[error("what stands there is no `sslmode`: say `verify-full`, `verify-ca` or `disable`")]
    Unlike,
    /// There is nothing to verify.
    #[error("a root certificate is of no use with `sslmode=disable`")]
    RootsUnused,
    /// PostgreSQL refuses the same: anybody gets a certificate of some name from one of those.
    #[error("`sslmode=verify-ca` needs a root certificate: with those of the system anybody has a certificate that leads to one")]
    RootsMissing,
    /// Nobody can tell which of them is meant.
    #[error("`sslmode` is said twice")]
    Twice,
    /// Whose file it would be depends on where the URL is read.
    #[error("`sslrootcert` names a file, which is not read for a URL")]
    File,
    /// What was given as roots is something else.
    #[error("the root certificate cannot be used: {0}")]
    NotRoots(&'static str),
}

impl SslMode {
    /// PostgreSQL's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SslMode {
    type Err = InvalidServerTls;

    fn from_str(text: &str) -> Result<Self, InvalidServerTls> {
        match text {
            "disable" => Ok(Self::Disable),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            "allow" => Err(InvalidServerTls::Weak("allow")),
            "prefer" => Err(InvalidServerTls::Weak("prefer")),
            "require" => Err(InvalidServerTls::Weak("require")),
            other if other.len() <= 16 && other.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') => {
                Err(InvalidServerTls::Unknown(other.to_owned()))
            }
            _ => Err(InvalidServerTls::Unlike),
        }
    }
}

impl ServerTls {
    /// From its parts.
    ///
    /// # Errors
    /// [`InvalidServerTls`] for roots where nothing is verified, and for none where the system's would be of no use.
    pub fn new(mode: SslMode, roots: Option<RootCertificates>) -> Result<Self, InvalidServerTls> {
        match (mode, roots) {
            (SslMode::Disable, None) => Ok(Self::Disable),
            (SslMode::Disable, Some(_)) => Err(InvalidServerTls::RootsUnused),
            (SslMode::VerifyCa, Some(roots)) => Ok(Self::VerifyCa(roots)),
            (SslMode::VerifyCa, None) => Err(InvalidServerTls::RootsMissing),
            (SslMode::VerifyFull, Some(roots)) => Ok(Self::VerifyFull(Roots::Given(roots))),
            (SslMode::VerifyFull, None) => Ok(Self::VerifyFull(Roots::System)),
        }
    }

    /// The mode.
    pub const fn mode(&self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::VerifyCa(_) => SslMode::VerifyCa,
            Self::VerifyFull(_) => SslMode::VerifyFull,
        }
    }

    /// The roots that were given; none where those of the system count, or nothing is verified.
    pub const fn given_roots(&self) -> Option<&RootCertificates> {
        match self {
            Self::VerifyCa(roots) | Self::VerifyFull(Roots::Given(roots)) => Some(roots),
            Self::Disable | Self::VerifyFull(Roots::System) => None,
        }
    }

    /// Whether anything is encrypted.
    pub const fn is_encrypted(&self) -> bool {
        !matches!(self, Self::Disable)
    }

    /// Whether a login must be bound to the server's certificate. Where the name is not looked at, every server of the same
    /// authority could pass for this one; bound to the certificate that was shown, its login is of no use to another.
    pub const fn must_bind(&self) -> bool {
        matches!(self, Self::VerifyCa(_))
    }
}

impl RootCertificates {
    /// The certificates in PEM.
    pub fn as_pem(&self) -> &str {
        &self.0
    }
}

impl FromStr for RootCertificates {
    type Err = InvalidServerTls;

    /// What stands between the certificates, as `openssl` writes it, is left out.
    fn from_str(text: &str) -> Result<Self, InvalidServerTls> {
        let refuse = |why| Err(InvalidServerTls::NotRoots(why));
        if text.contains("PRIVATE KEY-----") {
            return refuse("there is a private key in it, which must not leave its server");
        }
        match pem::certificates(text, ROOTS_LENGTH_MAX) {
            Ok(kept) => Ok(Self(kept.into())),
            Err(pem::Not::TooLong) => refuse("it is longer than 32 KiB"),
            Err(other) => refuse(other.as_str()),
        }
    }
}

impl Hash for RootCertificates {
    /// Of the end alone, the signature of a certificate: it is hashed at every login.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes = self.0.as_bytes();
        bytes.get(bytes.len().saturating_sub(128)..).hash(state);
    }
}

impl fmt::Debug for RootCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootCertificates({} bytes)", self.0.len())
    }
}

impl From<RootCertificates> for String {
    fn from(roots: RootCertificates) -> Self {
        roots.0.as_ref().into()
    }
}

impl TryFrom<String> for RootCertificates {
    type Error = InvalidServerTls;

    fn try_from(text: String) -> Result<Self, InvalidServerTls> {
        text.parse()
    }
}

/// As an operation's state has it.
#[derive(Serialize, Deserialize)]
struct Written {
    sslmode: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ssl_root_cert: Option<RootCertificates>,
}

impl From<ServerTls> for Written {
    fn from(tls: ServerTls) -> Self {
        Self { sslmode: tls.mode().as_str().to_owned(), ssl_root_cert: tls.given_roots().cloned() }
    }
}

impl TryFrom<Written> for ServerTls {
    type Error = InvalidServerTls;

    fn try_from(written: Written) -> Result<Self, InvalidServerTls> {
        Self::new(written.sslmode.parse()?, written.ssl_root_cert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    const ROOT: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    fn roots() -> RootCertificates {
        ROOT.parse().unwrap()
    }

    #[test]
    fn what_encrypts_verifies_and_the_rest_is_refused_by_name() {
        for weak in ["allow", "prefer", "require"] {
            let refused = weak.parse::<SslMode>().unwrap_err();
            assert_eq!(refused, InvalidServerTls::Weak(weak));
            assert!(refused.to_string().contains(weak) && refused.to_string().contains("verify-full"));
        }
        assert_eq!("Verify-Full".parse::<SslMode>(), Err(InvalidServerTls::Unknown("Verify-Full".to_owned())));
        for mode in [SslMode::Disable, SslMode::VerifyCa, SslMode::VerifyFull] {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
    }

    #[test]
    fn a_mode_has_just_the_roots_that_it_has_a_use_for() {
        let cases = [
            (SslMode::Disable, None, Ok(ServerTls::Disable)),
            (SslMode::Disable, Some(roots()), Err(InvalidServerTls::RootsUnused)),
            (SslMode::VerifyCa, Some(roots()), Ok(ServerTls::VerifyCa(roots()))),
            (SslMode::VerifyCa, None, Err(InvalidServerTls::RootsMissing)),
            (SslMode::VerifyFull, Some(roots()), Ok(ServerTls::VerifyFull(Roots::Given(roots())))),
            (SslMode::VerifyFull, None, Ok(ServerTls::VerifyFull(Roots::System))),
        ];
        for (mode, given, expected) in cases {
            let made = ServerTls::new(mode, given.clone());
            assert_eq!(made, expected);
            let Ok(made) = made else { continue };
            assert_eq!((made.mode(), made.given_roots()), (mode, given.as_ref()));
            assert_eq!((made.is_encrypted(), made.must_bind()), (mode != SslMode::Disable, mode == SslMode::VerifyCa));
            let text = serde_json::to_string(&made).unwrap();
            assert_eq!(serde_json::from_str::<ServerTls>(&text).unwrap(), made);
        }
        assert!(serde_json::from_str::<ServerTls>(r#"{"sslmode":"require"}"#).is_err());
        assert!(serde_json::from_str::<ServerTls>(r#"{"sslmode":"verify-ca"}"#).is_err());
    }

    #[test]
    fn of_roots_the_certificates_are_kept_and_what_is_none_is_refused() {
        let two = format!("Subject: CN=root\r\n{}and another\n{ROOT}\n\n", ROOT.replace('\n', "\r\n"));
        assert_eq!(two.parse::<RootCertificates>().unwrap().as_pem(), [ROOT, ROOT].concat());
        for (text, why) in [
            (String::new(), "no certificate"),
            ("AAAA".to_owned(), "no certificate"),
            (format!("{BEGIN}\nAAAA\n"), "no end"),
            (format!("{BEGIN}\n{END}\n"), "base64"),
            (format!("{BEGIN}\nA!\n{END}\n"), "base64"),
            (format!("{ROOT}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "private key"),
            (ROOT.repeat(2000), "32 KiB"),
        ] {
            let refused = text.parse::<RootCertificates>().unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
