//! Whom to write to, as the environment says it; nobody where nothing is said.

use std::path::PathBuf;

use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::mail::MailConfig;

/// What the environment says. A variable that is set to nothing counts as not set.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// `HOLM_SMTP_URL`
    url: Option<Secret<String>>,
    /// `HOLM_SMTP_URL_FILE`
    url_file: Option<PathBuf>,
    /// `HOLM_SMTP_CA_FILE`
    authority: Option<PathBuf>,
    /// `HOLM_MAIL_FROM`
    from: Option<Secret<String>>,
    /// `HOLM_MAIL_TO`
    to: Option<Secret<String>>,
}

impl Settings {
    pub(super) fn from_environment() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            url: text("HOLM_SMTP_URL").map(Secret::new),
            url_file: text("HOLM_SMTP_URL_FILE").map(PathBuf::from),
            authority: text("HOLM_SMTP_CA_FILE").map(PathBuf::from),
            from: text("HOLM_MAIL_FROM").map(Secret::new),
            to: text("HOLM_MAIL_TO").map(Secret::new),
        }
    }
}

/// # Errors
/// [`ErrorCode::InvalidConfig`] for settings that cannot be used, or of which some are missing.
pub(super) fn of(settings: &Settings) -> Result<Option<MailConfig>, Problem> {
    let url = match (&settings.url, &settings.url_file) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(invalid("`HOLM_SMTP_URL` and `HOLM_SMTP_URL_FILE` are both set", "set one of them")),
        (Some(url), None) => url.clone(),
        (None, Some(path)) => Secret::new(
            std::fs::read_to_string(path)
                .map_err(|error| invalid("the file of `HOLM_SMTP_URL_FILE` cannot be read", "let Holm's user read it").because(error))?,
        ),
    };
    let (Some(from), Some(to)) = (&settings.from, &settings.to) else {
        return Err(invalid("a mail server is set, and not from whom or to whom to write", "set `HOLM_MAIL_FROM` and `HOLM_MAIL_TO`"));
    };
    let mut config = MailConfig::new(&url, from.expose(), to.expose())?;
    config.authority.clone_from(&settings.authority);
    Ok(Some(config))
}

fn invalid(what: &str, next: &str) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, what).next(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Option<Secret<String>> {
        Some(Secret::new(text.to_owned()))
    }

    #[test]
    fn nothing_set_is_off_and_half_of_it_is_refused() {
        assert!(of(&Settings::default()).unwrap().is_none());
        let whole = || Settings {
            url: secret("smtp://127.0.0.1:1025"),
            from: secret("holm@example.com"),
            to: secret("ops@example.com"),
            ..Settings::default()
        };
        assert!(of(&whole()).unwrap().is_some());
        for half in [
            Settings { from: None, ..whole() },
            Settings { to: None, ..whole() },
            Settings { url_file: Some(PathBuf::from("/nowhere")), ..whole() },
            Settings { url: None, url_file: Some(PathBuf::from("/nowhere")), ..whole() },
        ] {
            assert_eq!(of(&half).unwrap_err().code, ErrorCode::InvalidConfig, "{half:?}");
        }
    }
}
