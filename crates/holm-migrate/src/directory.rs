//! Reads a migrations directory from disk.
//!
//! Promises: nothing outside the directory is read, nothing larger than the limits is held, and no special file is opened.
//! What Prisma ignores is ignored (files beside the lock file); what Prisma and Holm could see differently is refused.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::migration::{InvalidName, MigrationName};
use crate::problem::{DirectoryProblem, Fault};

/// The script in each migration's directory.
pub(crate) const SCRIPT: &str = "migration.sql";

/// Says for which database the scripts are.
const LOCK_FILE: &str = "migration_lock.toml";

/// A schema of several thousand tables has less; what is larger carries data, which belongs in the seed.
const SCRIPT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// All scripts are held in memory at once, so eight of the largest.
const SET_BYTES_MAX: u64 = 8 * SCRIPT_BYTES_MAX;

/// Two a day for ten years, and then some; keeps a wrong path from being read for minutes.
const COUNT_MAX: usize = 10_000;

/// Prisma's lock file has three lines.
const LOCK_BYTES_MAX: u64 = 64 * 1024;

/// The scripts of a directory by name, in no order.
pub(crate) fn read(path: &Path) -> Result<Vec<(MigrationName, String)>, DirectoryProblem> {
    let root = fs::canonicalize(path).map_err(|e| unreadable(path, &e))?;
    if !root.is_dir() {
        return Err(at(path, Fault::NotADirectory));
    }
    check_provider(&path.join(LOCK_FILE), &root)?;
    let mut scripts = Vec::new();
    let mut bytes_left = SET_BYTES_MAX;
    for name in names(path)? {
        let sql = read_script(path, &root, &name)?;
        bytes_left = bytes_left
            .checked_sub(u64::try_from(sql.len()).unwrap_or(u64::MAX))
            .ok_or_else(|| at(path, Fault::TooLarge { bytes_max: SET_BYTES_MAX }))?;
        scripts.push((name, sql));
    }
    Ok(scripts)
}

/// The directories below, which are the migrations.
fn names(path: &Path) -> Result<Vec<MigrationName>, DirectoryProblem> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(|e| unreadable(path, &e))? {
        let entry = entry.map_err(|e| unreadable(path, &e))?;
        let kind = entry.file_type().map_err(|e| unreadable(&entry.path(), &e))?;
        // Prisma passes over a link to a directory, silently; whoever made it meant something.
        if kind.is_symlink() && entry.path().is_dir() {
            return Err(at(&entry.path(), Fault::Link));
        }
        if !kind.is_dir() {
            continue;
        }
        if names.len() == COUNT_MAX {
            return Err(at(path, Fault::TooMany { count_max: COUNT_MAX }));
        }
        let name = entry.file_name();
        let name = name.to_str().ok_or(InvalidName::NotUtf8).and_then(str::parse);
        names.push(name.map_err(|invalid| at(&entry.path(), Fault::Name(invalid)))?);
    }
    // The first fault that is reported should not depend on the file system's order.
    names.sort();
    Ok(names)
}

fn read_script(path: &Path, root: &Path, name: &MigrationName) -> Result<String, DirectoryProblem> {
    let directory = path.join(name.as_str());
    let file = directory.join(SCRIPT);
    match read_file(&file, root, SCRIPT_BYTES_MAX)? {
        Some(sql) => Ok(sql),
        None => Err(at(&directory, Fault::NoScript { nested: holds_migrations(&directory) })),
    }
}

/// Whether somebody gave `prisma` where `prisma/migrations` was meant.
fn holds_migrations(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    directory.join(LOCK_FILE).is_file() || entries.flatten().take(COUNT_MAX).any(|entry| entry.path().join(SCRIPT).is_file())
}

/// No lock file, no check, as in Prisma; with one, its provider must be PostgreSQL (P3019).
fn check_provider(file: &Path, root: &Path) -> Result<(), DirectoryProblem> {
    let Some(text) = read_file(file, root, LOCK_BYTES_MAX)? else { return Ok(()) };
    let Some(provider) = text.lines().find_map(|line| line.trim_start().strip_prefix("provider")) else { return Ok(()) };
    let provider = provider.trim_start_matches([' ', '\t', '=']).trim_end().trim_matches(['"', '\'']);
    if matches!(provider, "postgresql" | "postgres") { Ok(()) } else { Err(at(file, Fault::Provider(provider.chars().take(80).collect()))) }
}

/// A file's text; `None` when there is no such file.
fn read_file(file: &Path, root: &Path, bytes_max: u64) -> Result<Option<String>, DirectoryProblem> {
    let real = match fs::canonicalize(file) {
        Ok(real) => real,
        // A link that leads nowhere is not an absent file.
        Err(e) if e.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(file).is_err() => return Ok(None),
        Err(e) => return Err(unreadable(file, &e)),
    };
    if !real.starts_with(root) {
        return Err(at(file, Fault::Link));
    }
    // Opening a FIFO would wait for a writer.
    if !fs::metadata(&real).map_err(|e| unreadable(file, &e))?.is_file() {
        return Err(at(file, Fault::NotAFile));
    }
    let mut bytes = Vec::new();
    let read = File::open(&real).and_then(|open| open.take(bytes_max + 1).read_to_end(&mut bytes));
    read.map_err(|e| unreadable(file, &e))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > bytes_max) {
        return Err(at(file, Fault::TooLarge { bytes_max }));
    }
    String::from_utf8(bytes).map(Some).map_err(|e| {
        let valid = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        at(file, Fault::NotUtf8 { line: 1 + valid.iter().filter(|byte| **byte == b'\n').count() })
    })
}

fn at(path: &Path, fault: Fault) -> DirectoryProblem {
    DirectoryProblem { path: PathBuf::from(path), fault }
}

fn unreadable(path: &Path, error: &io::Error) -> DirectoryProblem {
    at(path, if error.kind() == io::ErrorKind::NotFound { Fault::Absent } else { Fault::Unreadable(error.to_string()) })
}

#[cfg(test)]
mod tests;
