//! One PostgreSQL installation: its programs, its version and where it was found.
//!
//! Promises: an [`Installation`] has been run once and has every program that Holm uses.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::run::output_within;
use crate::version::{MAJOR_MAX, MAJOR_MIN, Version};

/// The programs that Holm uses; an installation without one of them is of no use.
pub const PROGRAMS: [&str; 5] = ["initdb", "postgres", "pg_dump", "psql", "pg_restore"];

/// Generous for a program that only prints its version, on a machine that is busy or has a cold disk.
const VERSION_DEADLINE: Duration = Duration::from_secs(10);

/// How an installation was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// The caller named its directory.
    Explicit,
    /// `postgres` is in `PATH`.
    Path,
    /// `pg_config` knows it.
    PgConfig,
    /// It lies where that distribution puts it.
    Usual(PathBuf),
    /// Holm fetched it earlier.
    Cache,
    /// Packages of the distribution, fetched just now.
    Distribution,
    /// The pinned archive, fetched just now.
    Archive,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit => f.write_str("the given directory"),
            Self::Path => f.write_str("PATH"),
            Self::PgConfig => f.write_str("pg_config"),
            Self::Usual(place) => write!(f, "{}", place.display()),
            Self::Cache => f.write_str("the cache"),
            Self::Distribution => f.write_str("the distribution's packages"),
            Self::Archive => f.write_str("the archive"),
        }
    }
}

/// A PostgreSQL that can be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installation {
    /// The directory of its programs.
    pub bin: PathBuf,
    /// Its version.
    pub version: Version,
    /// How it was found.
    pub source: Source,
    /// Directories with libraries that the system lacks, as `LD_LIBRARY_PATH` takes them.
    pub library_path: Option<OsString>,
}

/// Why a directory is not an installation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unusable {
    /// No trace of a server there; not worth telling anyone.
    Absent,
    /// Programs are missing.
    Incomplete(Vec<&'static str>),
    /// `postgres` does not run.
    Broken(String),
    /// A version that Holm does not run on.
    Unsupported(Version),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no PostgreSQL server"),
            Self::Incomplete(missing) => write!(f, "incomplete, without `{}`", missing.join("`, `")),
            Self::Broken(why) => write!(f, "broken: {why}"),
            Self::Unsupported(version) => write!(f, "version {version}, and Holm runs on {MAJOR_MIN} to {MAJOR_MAX}"),
        }
    }
}

impl Installation {
    /// Looks at a directory of programs and runs `postgres --version` from it.
    pub(crate) fn examine(bin: &Path, source: Source, library_path: Option<OsString>) -> Result<Self, Unusable> {
        let missing: Vec<_> = PROGRAMS.into_iter().filter(|program| !is_program(&bin.join(program))).collect();
        if ["postgres", "initdb"].iter().all(|program| bin.join(program).symlink_metadata().is_err()) {
            // Client programs alone, as `/usr/bin` has them, or nothing. A link that leads nowhere is something.
            return Err(Unusable::Absent);
        }
        if !missing.is_empty() {
            return Err(Unusable::Incomplete(missing));
        }
        let found = Self { bin: bin.to_owned(), version: Version { major: 0, minor: 0 }, source, library_path };
        let version = found.ask_version()?;
        if version.is_supported() { Ok(Self { version, ..found }) } else { Err(Unusable::Unsupported(version)) }
    }

    fn ask_version(&self) -> Result<Version, Unusable> {
        let output = output_within(self.command("postgres").arg("--version"), VERSION_DEADLINE)
            .map_err(|error| Unusable::Broken(format!("`postgres --version`: {error}")))?;
        if !output.status.success() {
            return Err(Unusable::Broken(format!("`postgres --version`: {}", crate::run::last_words(&output))));
        }
        let said = String::from_utf8_lossy(&output.stdout);
        Version::parse(&said).ok_or_else(|| Unusable::Broken(format!("`postgres --version` says `{}`", said.trim())))
    }

    /// One of its programs, ready for arguments, untouched by `PG…` variables of the caller's environment and without the
    /// secrets that are in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        for (name, _) in std::env::vars_os() {
            if [&b"PG"[..], b"HOLM_MASTER_KEY", b"HOLM_TOKEN", b"VAULT_"].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        if let Some(own) = &self.library_path {
            let inherited = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
            let directories =
                std::env::split_paths(own).chain(std::env::split_paths(&inherited).filter(|path| !path.as_os_str().is_empty()));
            command.env("LD_LIBRARY_PATH", std::env::join_paths(directories).unwrap_or_else(|_| own.clone()));
        }
        command
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
