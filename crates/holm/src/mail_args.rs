//! Whom to write to, as flags and environment say it; nobody where nothing is said.
//!
//! Promises: half of it is refused before anything starts. The server's password is read from a file or from the environment:
//! arguments are seen by others.

use std::path::PathBuf;

use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::mail::MailConfig;

/// The mail server, from whom and to whom.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct MailArgs {
    /// A file with the mail server's URL, `smtps://user:password@host:465`; or the URL itself in `HOLM_SMTP_URL`
    #[arg(long, value_name = "FILE", env = "HOLM_SMTP_URL_FILE")]
    smtp_url_file: Option<PathBuf>,
    /// Certificates of an authority of your own for the mail server, in PEM
    #[arg(long, value_name = "FILE", env = "HOLM_SMTP_CA_FILE")]
    smtp_ca_file: Option<PathBuf>,
    /// From whom mails about what needs a person are
    #[arg(long, value_name = "ADDRESS", env = "HOLM_MAIL_FROM", hide_env_values = true)]
    mail_from: Option<String>,
    /// To whom they are, several joined by commas
    #[arg(long, value_name = "ADDRESSES", env = "HOLM_MAIL_TO", hide_env_values = true)]
    mail_to: Option<String>,
}

impl MailArgs {
    /// What was said. A variable that is set to nothing counts as not set.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidConfig`] for settings that cannot be used, or of which some are missing.
    pub(crate) fn config(&self) -> Result<Option<MailConfig>, Problem> {
        let url = std::env::var("HOLM_SMTP_URL").ok().filter(|value| !value.is_empty()).map(Secret::new);
        self.with_url(url)
    }

    fn with_url(&self, url: Option<Secret<String>>) -> Result<Option<MailConfig>, Problem> {
        let url = match (url, given(self.smtp_url_file.as_ref())) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(invalid("`HOLM_SMTP_URL` and a file with it are both set", "set one of them")),
            (Some(url), None) => url,
            (None, Some(path)) => Secret::new(std::fs::read_to_string(path).map_err(|error| {
                invalid("the file with the mail server's URL cannot be read", "let Holm's user read it").because(error)
            })?),
        };
        let text = |said: &Option<String>| said.clone().filter(|text| !text.is_empty());
        let (Some(from), Some(to)) = (text(&self.mail_from), text(&self.mail_to)) else {
            return Err(invalid("a mail server is set, and not from whom or to whom to write", "set `HOLM_MAIL_FROM` and `HOLM_MAIL_TO`"));
        };
        let mut config = MailConfig::new(&url, &from, &to)?;
        config.authority = given(self.smtp_ca_file.as_ref()).cloned();
        Ok(Some(config))
    }
}

fn given(path: Option<&PathBuf>) -> Option<&PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}

fn invalid(what: &str, next: &str) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, what).next(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_is_off_and_half_of_it_is_refused() {
        let url = || Some(Secret::new("smtp://127.0.0.1:1025".to_owned()));
        let whole = || MailArgs {
            mail_from: Some("holm@example.com".to_owned()),
            mail_to: Some("ops@example.com".to_owned()),
            ..MailArgs::default()
        };
        let nowhere = || Some(PathBuf::from("/nowhere"));
        assert!(MailArgs::default().with_url(None).unwrap().is_none());
        assert!(whole().with_url(None).unwrap().is_none());
        assert!(whole().with_url(url()).unwrap().is_some());
        assert!(MailArgs { smtp_url_file: Some(PathBuf::new()), ..whole() }.with_url(url()).unwrap().is_some(), "empty is not set");
        for (half, url) in [
            (MailArgs { mail_from: None, ..whole() }, url()),
            (MailArgs { mail_to: Some(String::new()), ..whole() }, url()),
            (MailArgs { smtp_url_file: nowhere(), ..whole() }, url()),
            (MailArgs { smtp_url_file: nowhere(), ..whole() }, None),
        ] {
            assert_eq!(half.with_url(url).unwrap_err().code, ErrorCode::InvalidConfig, "{half:?}");
        }
    }
}
