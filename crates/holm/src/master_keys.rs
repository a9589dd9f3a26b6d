//! Where the master key comes from: Vault, the environment, or a file of the directory, in this order.
//!
//! Promises: files that are there go on opening what their keys wrapped, so that an installation can move from a file to
//! another source by a rotation. Refuses two sources at once that would both want to be first.

use std::path::PathBuf;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::secret::master_keys::{KeySource, MasterKeys};
use holm_engine::secret::vault::{VaultConfig, VaultToken};

/// A hundred years; more is a slip of the finger.
const DAYS_MAX: u64 = 36_500;

/// What the environment says about master keys. A variable that is set to nothing counts as not set.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// `HOLM_MASTER_KEY`
    key: Option<Secret<String>>,
    /// `HOLM_MASTER_KEY_PREVIOUS`, several joined by commas.
    previous: Option<Secret<String>>,
    /// `HOLM_VAULT_KEY`
    vault_key: Option<String>,
    /// `HOLM_VAULT_MOUNT`
    vault_mount: Option<String>,
    /// `HOLM_VAULT_TOKEN_FILE`
    vault_token_file: Option<PathBuf>,
    /// `VAULT_ADDR`
    vault_address: Option<String>,
    /// `VAULT_TOKEN`
    vault_token: Option<Secret<String>>,
    /// `VAULT_NAMESPACE`
    vault_namespace: Option<String>,
    /// `HOLM_MASTER_KEY_ROTATE_DAYS`
    rotate_days: Option<String>,
}

impl Settings {
    pub(super) fn from_environment() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            key: text("HOLM_MASTER_KEY").map(Secret::new),
            previous: text("HOLM_MASTER_KEY_PREVIOUS").map(Secret::new),
            vault_key: text("HOLM_VAULT_KEY"),
            vault_mount: text("HOLM_VAULT_MOUNT"),
            vault_token_file: text("HOLM_VAULT_TOKEN_FILE").map(PathBuf::from),
            vault_address: text("VAULT_ADDR"),
            vault_token: text("VAULT_TOKEN").map(Secret::new),
            vault_namespace: text("VAULT_NAMESPACE"),
            rotate_days: text("HOLM_MASTER_KEY_ROTATE_DAYS"),
        }
    }
}

/// The sources that the settings name, the one for new keys first.
///
/// # Errors
/// [`ErrorCode::WrongMasterKey`] for a key of another length; [`ErrorCode::InvalidConfig`] for settings that contradict.
pub(super) fn of(settings: &Settings, file: PathBuf) -> Result<MasterKeys, Problem> {
    let given = settings.key.iter().cloned().chain(previous(settings)).collect::<Vec<_>>();
    let file = KeySource::file(file);
    let keys = match (&settings.vault_key, &settings.key) {
        (Some(_), Some(_)) => {
            return Err(invalid(
                "`HOLM_VAULT_KEY` and `HOLM_MASTER_KEY` both name a master key",
                "move the former one to `HOLM_MASTER_KEY_PREVIOUS`",
            ));
        }
        (Some(key), None) => {
            let keys = MasterKeys::new(KeySource::vault(vault(settings, key)?)?).and(file);
            if given.is_empty() { keys } else { keys.and(KeySource::given(&given)?) }
        }
        (None, Some(_)) => MasterKeys::new(KeySource::given(&given)?).and(file),
        (None, None) if given.is_empty() => MasterKeys::new(file),
        (None, None) => MasterKeys::new(file).and(KeySource::given(&given)?),
    };
    Ok(match &settings.rotate_days {
        None => keys,
        Some(days) => keys.rotate_after(period(days)?),
    })
}

fn previous(settings: &Settings) -> impl Iterator<Item = Secret<String>> + '_ {
    let texts = settings.previous.iter().flat_map(|text| text.expose().split(','));
    texts.filter(|text| !text.trim().is_empty()).map(|text| Secret::new(text.to_owned()))
}

fn vault(settings: &Settings, key: &str) -> Result<VaultConfig, Problem> {
    let address = settings.vault_address.clone();
    let address = address.ok_or_else(|| invalid("`HOLM_VAULT_KEY` is set and `VAULT_ADDR` is not", "say where Vault listens"))?;
    let token = match (&settings.vault_token_file, &settings.vault_token) {
        (Some(file), _) => VaultToken::File(file.clone()),
        (None, Some(token)) => VaultToken::Given(token.clone()),
        (None, None) => return Err(invalid("there is no token for Vault", "set `HOLM_VAULT_TOKEN_FILE` or `VAULT_TOKEN`")),
    };
    let mount = settings.vault_mount.clone().unwrap_or_else(|| "transit".to_owned());
    Ok(VaultConfig { address, mount, key: key.to_owned(), token, namespace: settings.vault_namespace.clone() })
}

fn period(days: &str) -> Result<Duration, Problem> {
    let days = days.parse::<u64>().ok().filter(|days| (1..=DAYS_MAX).contains(days));
    let days = days
        .ok_or_else(|| invalid("`HOLM_MASTER_KEY_ROTATE_DAYS` is not a number of days", "write it as `HOLM_MASTER_KEY_ROTATE_DAYS=365`"))?;
    Ok(Duration::from_secs(days * 24 * 60 * 60))
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

    fn code(settings: &Settings) -> Option<ErrorCode> {
        of(settings, PathBuf::from("/nowhere/master.key")).err().map(|problem| problem.code)
    }

    #[test]
    fn a_key_of_another_length_is_refused_and_not_repeated() {
        let good = "ab".repeat(32);
        assert_eq!(code(&Settings { key: secret(&good), previous: secret(&format!("{good}, {good},")), ..Settings::default() }), None);
        for wrong in ["short", &"ab".repeat(31), &"ab".repeat(33), &format!("{good}0")] {
            for settings in [
                Settings { key: secret(wrong), ..Settings::default() },
                Settings { previous: secret(wrong), ..Settings::default() },
                Settings { key: secret(&good), previous: secret(wrong), ..Settings::default() },
            ] {
                let problem = of(&settings, PathBuf::from("/nowhere/master.key")).unwrap_err();
                assert_eq!(problem.code, ErrorCode::WrongMasterKey);
                assert!(!format!("{problem:?}").contains(wrong), "{problem:?}");
            }
        }
    }

    #[test]
    fn settings_that_contradict_or_lack_something_are_refused() {
        let vault = || Settings {
            vault_key: Some("holm".to_owned()),
            vault_address: Some("http://127.0.0.1:8200".to_owned()),
            vault_token: secret("token"),
            ..Settings::default()
        };
        assert_eq!(code(&vault()), None);
        for wrong in [
            Settings { key: secret(&"ab".repeat(32)), ..vault() },
            Settings { vault_address: None, ..vault() },
            Settings { vault_token: None, ..vault() },
            Settings { vault_key: Some("../sys/seal".to_owned()), ..vault() },
            Settings { vault_address: Some("vault".to_owned()), ..vault() },
            Settings { rotate_days: Some("0".to_owned()), ..vault() },
            Settings { rotate_days: Some("soon".to_owned()), ..vault() },
        ] {
            assert_eq!(code(&wrong), Some(ErrorCode::InvalidConfig), "{wrong:?}");
        }
    }
}
