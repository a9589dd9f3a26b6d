//! The credentials of a development directory: one of each level in each environment, their secrets in a file that only
//! its owner may read, so that `tenant url` prints what connects.
//!
//! Promises: the file and the catalog agree after every start, whichever of them a crash left behind.

use std::fs;
use std::io;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holm_core::actor::Actor;
use holm_core::credential::{CredentialName, Level};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::control::Control;
use holm_engine::credential::{self, CredentialScope, NewCredential};
use serde::{Deserialize, Serialize};

use super::directory::Directory;
use crate::private_file;

const FILE: &str = "credentials.json";

/// One entry of the file.
#[derive(Serialize, Deserialize)]
struct Stored {
    name: CredentialName,
    environment: EnvironmentName,
    level: Level,
    secret: String,
}

/// 256 random bits, in letters that need no escaping in a URL.
pub(crate) fn random_secret() -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the system's random source answers once it has started");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Makes what is missing in the file or in the catalog.
///
/// # Errors
/// The file cannot be used, or the catalog does not answer.
pub(super) async fn ensure(control: &Control, by: &Actor, directory: &Directory, environments: &[EnvironmentName]) -> Result<(), Problem> {
    let mut stored = read(directory)?;
    for environment in environments {
        for level in Level::ALL {
            if !stored.iter().any(|known| known.environment == *environment && known.level == level) {
                let name = format!("{environment}-{level}").parse().expect("an environment's name, a hyphen and a level");
                stored.push(Stored { name, environment: environment.clone(), level, secret: random_secret() });
            }
        }
    }
    // The file first: a secret that only the catalog has could never be used.
    let bytes = serde_json::to_vec_pretty(&stored).expect("names and secrets are JSON");
    private_file::write(&directory.file(FILE), &bytes).map_err(|error| cannot(directory, error))?;
    for entry in &stored {
        issue(control, by, entry).await?;
    }
    Ok(())
}

/// The name and secret of an environment's credential of a level.
///
/// # Errors
/// The file has none, or cannot be read.
pub(super) fn secret(
    directory: &Directory,
    environment: &EnvironmentName,
    level: Level,
) -> Result<(CredentialName, Secret<String>), Problem> {
    let found = read(directory)?.into_iter().find(|known| known.environment == *environment && known.level == level);
    let stored = found
        .ok_or_else(|| Problem::new(ErrorCode::SecretNotHere, format!("no `{level}` credential of `{environment}` is stored here")))?;
    Ok((stored.name, Secret::new(stored.secret)))
}

async fn issue(control: &Control, by: &Actor, entry: &Stored) -> Result<(), Problem> {
    let new = NewCredential {
        environment: entry.environment.clone(),
        name: entry.name.clone(),
        scope: CredentialScope::App,
        level: entry.level,
        secret: Some(Secret::new(entry.secret.clone())),
    };
    match credential::issue(control, by, new).await {
        Ok(_) => Ok(()),
        // It is there from an earlier start; its secret is the file's, since the file is written first.
        Err(problem) if problem.code == ErrorCode::CredentialTaken => Ok(()),
        Err(problem) => Err(problem),
    }
}

fn read(directory: &Directory) -> Result<Vec<Stored>, Problem> {
    match fs::read(directory.file(FILE)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| cannot(directory, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(cannot(directory, error)),
    }
}

fn cannot(directory: &Directory, error: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, format!("`{}` cannot be used", directory.file(FILE).display())).because(error)
}
