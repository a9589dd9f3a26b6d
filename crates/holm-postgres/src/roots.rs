//! Where PostgreSQL is looked for on a machine.
//!
//! `HOLM_PG_ROOTS` replaces every place: directories of programs, `*` allowed for a whole part of a path, joined by `:`;
//! empty means nowhere. `PATH` and `pg_config` are then left out as well.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Debian and Ubuntu, the PGDG packages for Red Hat's family, a source build, Homebrew on both kinds of Mac, Postgres.app.
const USUAL: [&str; 7] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/libexec/postgresql*",
];

/// The places to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roots {
    /// What `PATH` holds; `postgres` and `pg_config` are looked up in it.
    pub path: Option<OsString>,
    /// Directories of programs; a part of a path may have one `*`.
    pub usual: Vec<PathBuf>,
}

impl Roots {
    /// The places of this machine: `PATH` and the usual directories, or what `HOLM_PG_ROOTS` says.
    pub fn from_env() -> Self {
        match std::env::var_os("HOLM_PG_ROOTS") {
            Some(roots) => Self { path: None, usual: std::env::split_paths(&roots).filter(|root| !root.as_os_str().is_empty()).collect() },
            None => Self { path: std::env::var_os("PATH"), usual: USUAL.iter().map(PathBuf::from).collect() },
        }
    }

    /// Nowhere.
    pub fn none() -> Self {
        Self { path: None, usual: Vec::new() }
    }

    /// The directories in `PATH` that have a program, links followed to where the program really lies.
    pub(crate) fn in_path(&self, program: &str) -> Vec<PathBuf> {
        let Some(path) = &self.path else { return Vec::new() };
        std::env::split_paths(path)
            .map(|directory| directory.join(program))
            .filter(|candidate| candidate.symlink_metadata().is_ok())
            .map(|candidate| candidate.canonicalize().unwrap_or(candidate))
            .filter_map(|real| real.parent().map(Path::to_owned))
            .collect()
    }

    /// The usual directories that exist.
    pub(crate) fn existing(&self) -> Vec<PathBuf> {
        self.usual.iter().flat_map(|pattern| expand(pattern)).collect()
    }
}

/// The directories that a path with `*` in its parts means.
pub(crate) fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        found = match part {
            Component::Normal(name) if name.to_string_lossy().contains('*') => {
                let name = name.to_string_lossy();
                found.iter().flat_map(|base| entries_like(base, &name)).collect()
            }
            other => found.into_iter().map(|base| base.join(other)).collect(),
        };
    }
    found.retain(|path| path.is_dir());
    found
}

fn entries_like(base: &Path, pattern: &str) -> Vec<PathBuf> {
    let (start, end) = pattern.split_once('*').unwrap_or((pattern, ""));
    let Ok(entries) = std::fs::read_dir(base) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // As in a shell, a star does not mean hidden entries.
            !name.starts_with('.') && name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}
