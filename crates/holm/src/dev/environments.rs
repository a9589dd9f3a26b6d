//! Which environments a directory has, remembered from its first start.
//!
//! The file says what to start before the catalog can be asked, since the catalog's own server is among it.

use std::fs;
use std::io;
use std::path::PathBuf;

use holm_core::environment::{Domain, EnvironmentKind, EnvironmentName};
use holm_core::error::{ErrorCode, Problem};
use holm_migrate::MigrationSet;
use serde::{Deserialize, Serialize};

use super::directory::Directory;
use super::{Args, demo};
use crate::private_file;

const FILE: &str = "environments.json";

/// One environment as `holm dev` sets it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DevEnvironment {
    /// Its name; the kind is the same word.
    pub(super) name: EnvironmentName,
    /// What it is for.
    pub(super) kind: EnvironmentKind,
    /// Where its tenants' subdomains live.
    pub(super) domain: Domain,
    /// A directory in Prisma's layout.
    pub(super) migrations: Option<PathBuf>,
    /// An SQL file for new tenants.
    pub(super) seed: Option<PathBuf>,
}

/// Everything the first start decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DevEnvironments {
    /// Whether they are the demo's.
    pub(super) demo: bool,
    /// In the order they were made.
    pub(super) environments: Vec<DevEnvironment>,
}

/// Reads what the directory has, or decides it from the arguments of the first start. Migrations and seed given now
/// replace those given then.
///
/// # Errors
/// The file cannot be read, `--demo` on a directory that was not made with it, or a path that does not exist.
pub(super) fn of(args: &Args, directory: &Directory) -> Result<DevEnvironments, Problem> {
    let path = directory.file(FILE);
    let mut known = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| unreadable(&path).because(error))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => first(args, directory)?,
        Err(error) => return Err(unreadable(&path).because(error)),
    };
    if args.demo && !known.demo {
        return Err(Problem::new(ErrorCode::InvalidConfig, format!("`{}` was not made with `--demo`", directory.path().display()))
            .next("start it without `--demo`, or use another directory: `holm dev --demo --dir .holm-demo`"));
    }
    if !known.demo {
        for environment in &mut known.environments {
            environment.migrations = existing(args.migrations.as_ref())?.or(environment.migrations.take());
            environment.seed = existing(args.seed.as_ref())?.or(environment.seed.take());
        }
    }
    if known.demo {
        demo::write_files(directory)?;
    }
    for migrations in known.environments.iter().filter_map(|environment| environment.migrations.as_ref()) {
        // The pool would find out too, but later and to nobody's face.
        MigrationSet::read(migrations)?;
    }
    let bytes = serde_json::to_vec_pretty(&known).expect("names and paths are JSON");
    private_file::write(&path, &bytes).map_err(|error| unreadable(&path).because(error))?;
    Ok(known)
}

fn first(args: &Args, directory: &Directory) -> Result<DevEnvironments, Problem> {
    if args.demo {
        return Ok(demo::environments(directory));
    }
    let environment = DevEnvironment {
        name: "development".parse().expect("a constant that is a name"),
        kind: EnvironmentKind::Development,
        domain: "localhost".parse().expect("a constant that is a domain"),
        migrations: existing(args.migrations.as_ref())?,
        seed: existing(args.seed.as_ref())?,
    };
    Ok(DevEnvironments { demo: false, environments: vec![environment] })
}

fn existing(path: Option<&PathBuf>) -> Result<Option<PathBuf>, Problem> {
    path.map(|path| {
        fs::canonicalize(path)
            .map_err(|error| Problem::new(ErrorCode::InvalidConfig, format!("`{}` cannot be read", path.display())).because(error))
    })
    .transpose()
}

fn unreadable(path: &std::path::Path) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, format!("`{}` cannot be used", path.display()))
        .next("mend or remove the file; the tenants themselves are in the catalog and are not touched")
}
