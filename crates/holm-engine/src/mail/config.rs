//! Whom to write to, and by which server; personal data and a password, so that nothing of it is printed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use lettre::message::Mailbox;
use reqwest::Url;

/// What comes within this of the first is in one mail.
const GATHER: Duration = Duration::from_secs(15);

/// Mails are this far apart.
const INTERVAL: Duration = Duration::from_secs(300);

/// A mail server.
#[derive(Clone)]
pub struct Relay {
    pub(super) host: String,
    pub(super) port: u16,
    /// TLS from the first byte.
    pub(super) wrapped: bool,
    pub(super) login: Option<(String, Secret<String>)>,
}

/// Whom to write to.
#[derive(Clone)]
pub struct MailConfig {
    /// By which server.
    pub relay: Relay,
    /// From whom.
    pub(super) from: Mailbox,
    /// To whom.
    pub(super) to: Vec<Mailbox>,
    /// Certificates of an authority of one's own, in PEM.
    pub authority: Option<PathBuf>,
    /// How long a mail waits for more to tell.
    pub gather: Duration,
    /// How far mails are apart.
    pub interval: Duration,
}

impl MailConfig {
    /// Reads `smtp[s]://user:password@host:port` and addresses, those of `to` joined by commas.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidConfig`], repeating neither.
    pub fn new(url: &Secret<String>, from: &str, to: &str) -> Result<Self, Problem> {
        let invalid = |what: &str, next: &str| Problem::new(ErrorCode::InvalidConfig, what).next(next);
        let relay = Relay::read(url.expose().trim()).ok_or_else(|| {
            invalid(
                "`HOLM_SMTP_URL` cannot be used",
                "write it as `smtps://user:password@mail.example.com:465`, or with `smtp` for STARTTLS",
            )
        })?;
        let from = from.trim().parse();
        let from = from.map_err(|_| invalid("`HOLM_MAIL_FROM` is not an address", "write it as `holm@example.com`"))?;
        let to: Result<Vec<Mailbox>, _> = to.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::parse).collect();
        let to = to.ok().filter(|to| !to.is_empty());
        let to =
            to.ok_or_else(|| invalid("`HOLM_MAIL_TO` is not a list of addresses", "write it as `ops@example.com,anna@example.com`"))?;
        Ok(Self { relay, from, to, authority: None, gather: GATHER, interval: INTERVAL })
    }

    /// Where mails go, for a person who may know: no address, only the server and how many there are.
    pub(crate) fn summary(&self) -> String {
        format!("{} recipients, by `{}:{}`", self.to.len(), self.relay.host, self.relay.port)
    }
}

impl Relay {
    fn read(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let (wrapped, port) = match url.scheme() {
            "smtps" => (true, 465),
            "smtp" => (false, 587),
            _ => return None,
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return None;
        }
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) => Some((decoded(user)?, Secret::new(decoded(password)?))),
            (_, None) => return None,
        };
        Some(Self { host, port: url.port().unwrap_or(port), wrapped, login })
    }

    /// Whether it is on this machine, where a password cannot be overheard on the way.
    pub(super) fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailConfig").field("relay", &self.relay).field("recipients", &self.to.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, from: &str, to: &str) -> Result<MailConfig, Problem> {
        MailConfig::new(&Secret::new(url.to_owned()), from, to)
    }

    #[test]
    fn a_server_is_read_with_its_login_and_its_usual_port() {
        let relay =
            config("smtps://anna%40example.com:p%3Ass@mail.example.com", "holm@example.com", "a@example.com, b@example.com").unwrap();
        assert_eq!((relay.relay.port, relay.relay.wrapped, relay.to.len()), (465, true, 2));
        let (user, password) = relay.relay.login.clone().unwrap();
        assert_eq!((user.as_str(), password.expose().as_str()), ("anna@example.com", "p:ss"));
        assert_eq!(config("smtp://mail.example.com", "a@example.com", "a@example.com").unwrap().relay.port, 587);
        assert!(!format!("{relay:?}").contains("anna") && !format!("{relay:?}").contains("p:ss"), "{relay:?}");
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_not_repeated() {
        let good = "smtp://u:secret-word@mail.example.com:2525";
        for (url, from, to) in [
            ("http://u:secret-word@mail.example.com", "a@example.com", "a@example.com"),
            ("smtp://secret-word@mail.example.com", "a@example.com", "a@example.com"),
            ("smtp://u:secret-word@mail.example.com/x", "a@example.com", "a@example.com"),
            (good, "secret-word", "a@example.com"),
            (good, "a@example.com", "secret-word"),
            (good, "a@example.com", " , "),
            (good, "a@example.com\r\nBcc: secret-word@example.com", "a@example.com"),
        ] {
            let problem = config(url, from, to).unwrap_err();
            assert_eq!(problem.code, ErrorCode::InvalidConfig);
            assert!(!format!("{problem:?}").contains("secret-word"), "{problem:?}");
        }
    }
}
