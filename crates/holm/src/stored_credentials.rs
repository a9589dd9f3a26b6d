//! `credentials.json` of a development directory: the secrets with which the CLI prints URLs and opens sessions.
//!
//! Promises: a file that others may read is refused, since what it holds is then no secret. Never written here.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use holm_core::credential::{CredentialName, Level};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use serde::{Deserialize, Deserializer};

const FILE: &str = "credentials.json";

/// One credential of scope `app` with its secret.
#[derive(Debug, Deserialize)]
pub(crate) struct Stored {
    pub(crate) name: CredentialName,
    pub(crate) environment: EnvironmentName,
    pub(crate) level: Level,
    #[serde(deserialize_with = "secret")]
    pub(crate) secret: Secret<String>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// The credential of a level in an environment that is stored in a directory; `None` is a server that is not on this
/// machine, of which nothing is stored.
///
/// # Errors
/// There is none, or its file cannot be used.
pub(crate) fn find(directory: Option<&Path>, environment: &str, level: Level) -> Result<Stored, Problem> {
    let missing = |why: String| {
        Problem::new(ErrorCode::SecretNotHere, format!("no secret of a `{level}` credential of `{environment}` is stored on this machine"))
            .because(why)
            .next(format!("make one: `holm credential create my-{level} --env {environment} --level {level}`"))
            .next("then write the URL yourself: `postgresql://<credential>:<secret>@<proxy>:6432/<tenant>`")
    };
    let Some(directory) = directory else {
        return Err(missing("the server was given by URL, and only `holm dev` stores secrets".to_owned()));
    };
    let path = directory.join(FILE);
    let found = read(&path)?.into_iter().find(|known| known.environment.as_str() == environment && known.level == level);
    found.ok_or_else(|| missing(format!("`{}` has none", path.display())))
}

fn read(path: &Path) -> Result<Vec<Stored>, Problem> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(path, error)),
    };
    // Of the open file and not of the path, so that what was checked is what is read.
    let mode = file.metadata().map_err(|error| cannot(path, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(open_to_others(path, mode));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| cannot(path, error))?;
    serde_json::from_str(&text).map_err(|error| cannot(path, format_args!("line {} is not as `holm dev` writes it", error.line())))
}

fn open_to_others(path: &Path, mode: u32) -> Problem {
    Problem::new(ErrorCode::SecretNotHere, format!("`{}` is not used", path.display()))
        .because(format_args!("its mode is {:04o}: others on this machine may read the secrets", mode & 0o7777))
        .next(format!("close it: `chmod 600 {}`, and think about who has read it", quoted(path)))
}

fn cannot(path: &Path, why: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, format!("`{}` cannot be read", path.display())).because(why)
}

fn quoted(path: &Path) -> String {
    let shown = PathBuf::from(path).display().to_string();
    if shown.contains(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c))) {
        format!("'{}'", shown.replace('\'', "'\\''"))
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const ONE: &str = r#"[{"name":"production-rw","environment":"production","level":"rw","secret":"s3cret"}]"#;

    fn directory(content: &str, mode: u32) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        directory
    }

    #[test]
    fn a_secret_is_found_by_environment_and_level_and_by_no_other() {
        let directory = directory(ONE, 0o600);
        let found = find(Some(directory.path()), "production", Level::Rw).unwrap();
        assert_eq!((found.name.as_str(), found.secret.expose().as_str()), ("production-rw", "s3cret"));
        for (environment, level) in [("production", Level::Owner), ("staging", Level::Rw)] {
            assert_eq!(find(Some(directory.path()), environment, level).unwrap_err().code, ErrorCode::SecretNotHere);
        }
        assert_eq!(find(None, "production", Level::Rw).unwrap_err().code, ErrorCode::SecretNotHere);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_command_that_closes_it() {
        for mode in [0o640, 0o604, 0o644, 0o660] {
            let directory = directory(ONE, mode);
            let problem = find(Some(directory.path()), "production", Level::Rw).unwrap_err();
            assert!(problem.next[0].contains("chmod 600"), "{problem:?}");
            assert!(!format!("{problem:?}").contains("s3cret"));
        }
    }

    #[test]
    fn a_broken_file_is_an_error_that_shows_no_secret() {
        let directory = directory(&ONE.replace("\"rw\"", "\"s3cret\""), 0o600);
        let problem = find(Some(directory.path()), "production", Level::Rw).unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidConfig);
        assert!(!format!("{problem:?}").contains("s3cret"));
    }
}
