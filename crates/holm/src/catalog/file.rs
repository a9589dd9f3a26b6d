//! A backup's file: a line that says what it is, a line of facts, and what `pg_dump` wrote.
//!
//! Promises: what is not whole is not read; a file is its owner's alone and never written over. It has no key in it: what is
//! sealed in the catalog stays sealed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_core::error::{ErrorCode, Problem};
use holm_store::backup::Facts;
use holm_store::sealed::Sealed;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The first word; the number is the format's.
const MAGIC: &str = "HOLM-CATALOG-BACKUP 1";

/// Facts are some hundred bytes, and some tens for each master key.
const HEAD_MAX: u64 = 1 << 20;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) holm_version: String,
    pub(super) schema_version: i32,
    pub(super) installation: Option<String>,
    pub(super) route_version: u64,
    pub(super) taken_at: Timestamp,
    pub(super) tenants: u64,
    pub(super) master_keys: Vec<NeededKey>,
    pub(super) dump_bytes: u64,
    pub(super) dump_sha256: String,
}

/// A master key by name, and what only it opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NeededKey {
    pub(super) id: String,
    pub(super) key_check: String,
}

impl Manifest {
    pub(super) fn of(facts: &Facts, dump: &Path) -> Result<Self, Problem> {
        let (dump_bytes, dump_sha256) = measure(dump).map_err(|error| unusable(dump, &error))?;
        let needed = |(id, check): &(_, Sealed)| NeededKey { id: format!("{id}"), key_check: STANDARD.encode(check.as_bytes()) };
        Ok(Self {
            holm_version: env!("CARGO_PKG_VERSION").to_owned(),
            schema_version: facts.schema_version,
            installation: facts.installation.map(|id| id.to_string()),
            route_version: facts.route_version.0,
            taken_at: facts.at,
            tenants: facts.tenants,
            master_keys: facts.master_keys.iter().map(needed).collect(),
            dump_bytes,
            dump_sha256,
        })
    }

    /// As the engine takes it.
    pub(super) fn facts(&self) -> Result<Facts, String> {
        let mut master_keys = Vec::new();
        for key in &self.master_keys {
            let check = STANDARD.decode(&key.key_check).map_err(|error| error.to_string())?;
            master_keys.push((key.id.parse().map_err(|_| format!("`{}` names no master key", key.id))?, Sealed::new(check)));
        }
        let installation = self.installation.as_ref().map(|text| text.parse().map_err(|_| format!("`{text}` names no installation")));
        Ok(Facts {
            installation: installation.transpose()?,
            schema_version: self.schema_version,
            route_version: holm_core::route::RouteVersion(self.route_version),
            at: self.taken_at,
            tenants: self.tenants,
            master_keys,
        })
    }
}

/// Puts a dump and its facts together at a place where nothing is.
pub(super) fn write(path: &Path, manifest: &Manifest, dump: &Path) -> Result<(), Problem> {
    let facts = serde_json::to_string(manifest).expect("texts and numbers are JSON");
    let partial = beside(path);
    let write = || {
        let mut file = private(&partial)?;
        writeln!(file, "{MAGIC} {}", hex(digest(&SHA256, facts.as_bytes()).as_ref()))?;
        writeln!(file, "{facts}")?;
        io::copy(&mut File::open(dump)?, &mut file)?;
        file.sync_all()?;
        // Fails where something is, which a rename would not.
        fs::hard_link(&partial, path)
    };
    let written = write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => unusable(path, &error),
    });
    let _ = fs::remove_file(&partial);
    written
}

/// Reads a backup whole, and leaves its dump at `dump`.
///
/// # Errors
/// [`ErrorCode::BackupDamaged`] for what is no backup, or not a whole one.
pub(super) fn read(path: &Path, dump: &Path) -> Result<Manifest, Problem> {
    let mut file = BufReader::new(File::open(path).map_err(|error| unusable(path, &error))?);
    let damaged = |why: &str| {
        Problem::new(ErrorCode::BackupDamaged, format!("`{}` is not a whole backup of a catalog", path.display()))
            .because(why)
            .next("use another copy of it; nothing was written")
    };
    let first = line(&mut file).map_err(|_| damaged("its first line is not that of a backup"))?;
    let said = first.strip_prefix(MAGIC).map(str::trim).ok_or_else(|| damaged("its first line is not that of a backup of this format"))?;
    let facts = line(&mut file).map_err(|_| damaged("its facts cannot be read"))?;
    if hex(digest(&SHA256, facts.as_bytes()).as_ref()) != said {
        return Err(damaged("its facts were changed"));
    }
    let manifest: Manifest = serde_json::from_str(&facts).map_err(|error| damaged(&error.to_string()))?;
    let mut out = private(dump).map_err(|error| unusable(dump, &error))?;
    io::copy(&mut file, &mut out).map_err(|error| unusable(path, &error))?;
    drop(out);
    let (bytes, sha256) = measure(dump).map_err(|error| unusable(dump, &error))?;
    if (bytes, sha256.as_str()) != (manifest.dump_bytes, manifest.dump_sha256.as_str()) {
        return Err(damaged("its contents are not those that were written"));
    }
    Ok(manifest)
}

/// Refuses early; [`write`] refuses for certain.
pub(super) fn exists(path: &Path) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, format!("`{}` is there already and is not written over", path.display()))
        .next("name a file that is not there yet")
}

/// A new file that only its owner may read.
pub(super) fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

pub(super) fn unusable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, format!("`{}` cannot be used", path.display())).because(error)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    path.with_file_name(name)
}

fn line(file: &mut BufReader<File>) -> io::Result<String> {
    let mut text = String::new();
    file.take(HEAD_MAX).read_line(&mut text)?;
    text.strip_suffix('\n').map(str::to_owned).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn measure(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut context, mut bytes) = (File::open(path)?, Context::new(&SHA256), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hex(context.finish().as_ref())));
        }
        context.update(&buffer[..read]);
        bytes += u64::try_from(read).expect("a buffer's length");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn backup(directory: &Path) -> PathBuf {
        let (dump, path) = (directory.join("dump"), directory.join("catalog.backup"));
        fs::write(&dump, b"what pg_dump wrote\n\nand more").unwrap();
        let facts = Facts {
            installation: None,
            schema_version: 6,
            route_version: holm_core::route::RouteVersion(7),
            at: Timestamp::UNIX_EPOCH,
            tenants: 3,
            master_keys: vec![("4f1d22c09b7e3a55".parse().unwrap(), Sealed::new(*b"check"))],
        };
        let manifest = Manifest::of(&facts, &dump).unwrap();
        assert_eq!(manifest.facts().unwrap(), facts);
        write(&path, &manifest, &dump).unwrap();
        path
    }

    #[test]
    fn a_backup_is_its_owners_alone_reads_back_and_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = backup(directory.path());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let manifest = read(&path, &directory.path().join("out")).unwrap();
        assert_eq!(fs::read(directory.path().join("out")).unwrap(), b"what pg_dump wrote\n\nand more");
        let before = fs::read(&path).unwrap();
        assert!(write(&path, &manifest, &directory.path().join("dump")).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3, "nothing partial is left");
    }

    #[test]
    fn a_backup_that_was_cut_or_changed_anywhere_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let whole = fs::read(backup(directory.path())).unwrap();
        let (path, out) = (directory.path().join("damaged"), directory.path().join("out"));
        let refused = |bytes: &[u8], what: &str| {
            fs::write(&path, bytes).unwrap();
            let _ = fs::remove_file(&out);
            assert_eq!(read(&path, &out).unwrap_err().code, ErrorCode::BackupDamaged, "{what}");
        };
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x01;
            refused(&changed, &format!("byte {at}"));
            refused(&whole[..at], &format!("cut at {at}"));
        }
        refused(&[whole.as_slice(), b"x"].concat(), "longer");
    }
}
