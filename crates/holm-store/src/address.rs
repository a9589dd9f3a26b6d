//! Where the catalog is and how it is spoken to: a URL as libpq has it, and certificates beside it.
//!
//! Promises: what encrypts verifies; no text of the URL that could hold the password is repeated in a refusal. Several hosts are
//! heeded, as the driver does: a catalog may have a standby.

use holm_core::cluster::asked::Asked;
use holm_core::cluster::tls::{InvalidServerTls, RootCertificates, ServerTls};
use holm_core::error::{ErrorCode, Problem};
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation};

/// Where, as whom, and over what.
#[derive(Clone, Debug)]
pub struct CatalogAddress {
    /// For the driver; what of TLS it knows is said.
    pub config: Config,
    /// How it is spoken to.
    pub tls: ServerTls,
}

/// Why a catalog's address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It is no URL, or has parameters that PostgreSQL does not know. The driver's own words could repeat a part of it.
    #[error("it cannot be read as a URL with parameters that PostgreSQL knows")]
    Url,
    /// It cannot be spoken to like that.
    #[error(transparent)]
    Tls(#[from] InvalidServerTls),
    /// PostgreSQL speaks no TLS there, and a certificate is for a name or an address.
    #[error("TLS is for hosts that are reached by TCP, and every one of them has a name or an address")]
    Socket,
    /// A handshake at once, and nothing to be encrypted.
    #[error("it says `sslnegotiation=direct` without an `sslmode` that encrypts")]
    Direct,
}

impl From<AddressError> for Problem {
    fn from(error: AddressError) -> Self {
        let next = match error {
            AddressError::Url => "give it as `postgresql://user:password@host:port/database`",
            AddressError::Socket => "say `sslmode=disable`, or name the host",
            AddressError::Tls(_) | AddressError::Direct => {
                "end it with `?sslmode=verify-full`, and name the certificates of who issued the server's with \
                 `--catalog-ssl-root-cert FILE` if the system does not know them; `sslmode=disable` only where nobody else is on the way"
            }
        };
        Self::new(ErrorCode::InvalidConfig, "the catalog's address cannot be used").because(error).next(next)
    }
}

impl CatalogAddress {
    /// Reads a URL, and the roots that are given beside it.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn read(url: &str, roots: Option<RootCertificates>) -> Result<Self, AddressError> {
        if !(url.starts_with("postgresql://") || url.starts_with("postgres://")) {
            return Err(AddressError::Url);
        }
        let (url, asked) = Asked::split(url)?;
        let config: Config = url.expose().parse().map_err(|_| AddressError::Url)?;
        // Written in a way that is not taken out, as in `%73slmode`.
        match config.get_ssl_mode() {
            SslMode::Prefer | SslMode::Disable => {}
            _ => return Err(InvalidServerTls::Weak("require").into()),
        }
        let tls = asked.with(None, roots)?;
        let by_tcp = |host: &Host| matches!(host, Host::Tcp(name) if !name.is_empty());
        if tls.is_encrypted() && (config.get_hosts().is_empty() || !config.get_hosts().iter().all(by_tcp)) {
            return Err(AddressError::Socket);
        }
        if !tls.is_encrypted() && config.get_ssl_negotiation() == SslNegotiation::Direct {
            return Err(AddressError::Direct);
        }
        Ok(Self::new(config, tls))
    }

    /// From its parts.
    pub fn new(mut config: Config, tls: ServerTls) -> Self {
        config.ssl_mode(if tls.is_encrypted() { SslMode::Require } else { SslMode::Disable });
        if tls.must_bind() {
            config.channel_binding(ChannelBinding::Require);
        }
        Self { config, tls }
    }

    /// Whether what goes to it can be read by whoever is on the way.
    pub fn is_in_the_clear(&self) -> bool {
        let is_near = |host: &Host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => name == "localhost" || unbracketed(name).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
        };
        let are_near = match self.config.get_hostaddrs() {
            [] => self.config.get_hosts().iter().all(is_near),
            // These are connected to, whatever the hosts are called.
            addresses => addresses.iter().all(std::net::IpAddr::is_loopback),
        };
        !self.tls.is_encrypted() && !are_near
    }
}

/// As a certificate has it, where a URL has an IPv6 address in brackets.
pub(crate) fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[test]
    fn how_the_catalog_is_spoken_to_is_said_in_its_url_and_what_protects_from_nobody_is_refused() {
        let root = || Some(ROOT.parse().unwrap());
        for (url, roots, mode, binding, clear) in [
            ("postgresql://u:p@db.example.com/d", None, "disable", ChannelBinding::Prefer, true),
            ("postgresql://u:p@127.0.0.1/d", None, "disable", ChannelBinding::Prefer, false),
            ("postgresql://u:p@[::1]:6000/d", None, "disable", ChannelBinding::Prefer, false),
            ("postgresql://u:p@%2Frun%2Fpostgresql/d", None, "disable", ChannelBinding::Prefer, false),
            ("postgresql://u:p@localhost,db.example.com/d", None, "disable", ChannelBinding::Prefer, true),
            ("postgresql://u:p@localhost/d?hostaddr=203.0.113.5", None, "disable", ChannelBinding::Prefer, true),
            ("postgresql://u:p@db.example.com/d?hostaddr=127.0.0.1", None, "disable", ChannelBinding::Prefer, false),
            ("postgresql://u:p@db.example.com/d?sslmode=verify-full", None, "verify-full", ChannelBinding::Prefer, false),
            ("postgresql://u:p@db.example.com/d", root(), "verify-full", ChannelBinding::Prefer, false),
            ("postgresql://u:p@db.example.com/d?sslmode=verify-ca", root(), "verify-ca", ChannelBinding::Require, false),
        ] {
            let address = CatalogAddress::read(url, roots).unwrap();
            assert_eq!((address.tls.mode().as_str(), address.config.get_channel_binding()), (mode, binding), "{url}");
            let driver = if mode == "disable" { SslMode::Disable } else { SslMode::Require };
            assert_eq!((address.config.get_ssl_mode(), address.is_in_the_clear()), (driver, clear), "{url}");
        }
        for url in [
            "not a url",
            "postgresql://u:hunter22@h:99999/d",
            "postgresql://u:hunter22@h/d?sslmode=require",
            "postgresql://u:hunter22@h/d?sslmode=prefer",
            "postgresql://u:hunter22@h/d?sslmode=verify-ca",
            "postgresql://u:hunter22@h/d?%73slmode=require",
            "postgresql://u:hunter22@h/d?sslrootcert=/etc/passwd",
            "postgresql://u:hunter22@h/d?sslnegotiation=direct",
            "postgresql://u:hunter22@h/d?nonsense=1",
            "postgresql://u:hunter22@%2Frun%2Fpostgresql/d?sslmode=verify-full",
            "postgresql://u:hunter22@h,%2Frun%2Fpostgresql/d?sslmode=verify-full",
            "postgresql:///d?hostaddr=10.0.0.5&user=u&password=hunter22&sslmode=verify-full",
            "postgresql://u@h/d?sslmode=disable?password=hunter22",
            "host=h user=u password=hunter22 sslmode=prefer",
        ] {
            let problem = Problem::from(CatalogAddress::read(url, None).unwrap_err());
            assert_eq!(problem.code, ErrorCode::InvalidConfig);
            assert!(!format!("{problem:?}").contains("hunter22") && !problem.next.is_empty(), "{problem:?}");
        }
    }
}
