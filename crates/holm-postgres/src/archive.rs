//! PostgreSQL from an archive whose checksum is known beforehand.
//!
//! Promises: nothing of an archive is unpacked before its SHA-256 is right, wherever it was downloaded from. The version is
//! pinned: "the latest" is never asked for.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};

use crate::cache::Locked;
use crate::run::{last_words, output_within};

/// The pinned release of theseus-rs/postgresql-binaries.
const VERSION: &str = "18.6.0";
/// Its major version.
const MAJOR: u16 = 18;
/// Where releases are; `HOLM_PG_MIRROR` replaces it.
const BASE: &str = "https://github.com/theseus-rs/postgresql-binaries/releases/download";

/// The archives of the release with their SHA-256. Only checksums that projects independent of each other have published
/// alike are here. Linux on 64-bit ARM is absent since only one has: there, name an archive yourself.
const PINNED: [(&str, &str); 3] = [
    ("x86_64-unknown-linux-gnu", "bb3d09f876b2383e25a8c9ce09e32d185a03656a23d074f5195542b1b1b3ca61"),
    ("aarch64-apple-darwin", "a257bcdb8aa3301a13d6a5bcec48f8c9517045b7cbae71e50788b2615539e95b"),
    ("x86_64-apple-darwin", "f8918fbe747e0d79bda58ad8f8afcf23ac384b847ff3af18856f0825ba54b031"),
];

/// The archives have 13 to 25 MB; more than this is something else.
const BYTES_MAX: u64 = 200 << 20;
/// For a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(15);
/// For the whole download over a slow line.
const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(300);
/// For unpacking some 60 MB.
const UNPACK_DEADLINE: Duration = Duration::from_secs(120);

/// An archive with its checksum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Archive {
    /// Where it is: a URL, or the path of a `.tar.gz` file.
    pub location: String,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
    /// The major version, where it is known beforehand.
    pub major: Option<u16>,
    /// Whether a person named it; then it is fetched instead of the distribution's packages.
    pub named: bool,
}

impl Archive {
    /// The archive that `HOLM_PG_ARCHIVE` and `HOLM_PG_ARCHIVE_SHA256` name, or the pinned one for this machine, if there is one.
    pub fn from_env() -> Option<Self> {
        let named = std::env::var("HOLM_PG_ARCHIVE").ok().zip(std::env::var("HOLM_PG_ARCHIVE_SHA256").ok());
        let mirror = std::env::var("HOLM_PG_MIRROR").ok();
        match named {
            Some((location, sha256)) => Some(Self { location, sha256, major: None, named: true }),
            None => Self::pinned(target()?, mirror.as_deref()),
        }
    }

    fn pinned(target: &str, mirror: Option<&str>) -> Option<Self> {
        let (target, sha256) = PINNED.iter().find(|(name, _)| *name == target)?;
        let base = mirror.unwrap_or(BASE).trim_end_matches('/');
        let location = format!("{base}/{VERSION}/postgresql-{VERSION}-{target}.tar.gz");
        Some(Self { location, sha256: (*sha256).to_owned(), major: Some(MAJOR), named: false })
    }

    /// Downloads, checks and unpacks it into the cache, and returns the directory of its programs.
    pub(crate) fn fetch(&self, cache: &Locked<'_>) -> Result<PathBuf, String> {
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("its SHA-256 must be 64 hex digits".to_owned());
        }
        let told = |error: io::Error| error.to_string();
        let work = cache.partial("archive").map_err(told)?;
        let file = work.path.join("archive.tar.gz");
        tracing::info!(location = %self.location, "downloading PostgreSQL");
        let found = self.obtain(&file)?;
        if !found.eq_ignore_ascii_case(&self.sha256) {
            return Err(format!("its SHA-256 is `{found}` and must be `{}`; it was thrown away", self.sha256));
        }
        let tree = work.path.join("tree");
        fs::create_dir(&tree).map_err(told)?;
        let mut tar = Command::new("tar");
        let unpacked =
            output_within(tar.arg("-xzf").arg(&file).arg("-C").arg(&tree), UNPACK_DEADLINE).map_err(|error| format!("`tar`: {error}"))?;
        if !unpacked.status.success() {
            return Err(format!("`tar`: {}", last_words(&unpacked)));
        }
        let root = root_of(&tree).ok_or("it has no `bin/postgres`")?;
        open_to_all(&root).map_err(told)?;
        let kept = cache.keep(&root, &format!("archive-{}", &found[..16])).map_err(told)?;
        Ok(kept.join("bin"))
    }

    /// Copies or downloads the archive and returns its SHA-256.
    fn obtain(&self, file: &Path) -> Result<String, String> {
        if self.location.contains("://") {
            let (location, file) = (self.location.clone(), file.to_owned());
            // A thread of its own, since the caller may already be inside a runtime.
            let downloading = std::thread::spawn(move || download(&location, &file));
            downloading.join().unwrap_or_else(|_| Err("the download panicked".to_owned()))
        } else {
            fs::copy(&self.location, file).and_then(|_| sha256_of(file)).map_err(|error| error.to_string())
        }
    }
}

/// The name that archives give to this machine.
fn target() -> Option<&'static str> {
    match (std::env::consts::ARCH, std::env::consts::OS, cfg!(target_env = "musl")) {
        ("x86_64", "linux", false) => Some("x86_64-unknown-linux-gnu"),
        ("aarch64", "macos", _) => Some("aarch64-apple-darwin"),
        ("x86_64", "macos", _) => Some("x86_64-apple-darwin"),
        _ => None,
    }
}

fn download(location: &str, file: &Path) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let whole = tokio::time::timeout(DOWNLOAD_DEADLINE, download_into(location, file)).await;
        whole.unwrap_or_else(|_| Err(format!("the download took longer than {} s", DOWNLOAD_DEADLINE.as_secs())))
    })
}

async fn download_into(location: &str, file: &Path) -> Result<String, String> {
    let client = reqwest::Client::builder().connect_timeout(CONNECT_DEADLINE).read_timeout(CONNECT_DEADLINE).build().map_err(chain)?;
    let mut response = client.get(location).send().await.and_then(reqwest::Response::error_for_status).map_err(chain)?;
    let mut file = File::create(file).map_err(|error| error.to_string())?;
    let (mut hash, mut bytes) = (Context::new(&SHA256), 0_u64);
    while let Some(chunk) = response.chunk().await.map_err(chain)? {
        bytes += chunk.len() as u64;
        if bytes > BYTES_MAX {
            return Err(format!("it has more than {BYTES_MAX} bytes"));
        }
        hash.update(&chunk);
        file.write_all(&chunk).map_err(|error| error.to_string())?;
    }
    Ok(hex(hash.finish().as_ref()))
}

/// An error with its causes; reqwest keeps them apart.
fn chain(error: reqwest::Error) -> String {
    // The caller names the place already.
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn sha256_of(file: &Path) -> io::Result<String> {
    let (mut hash, mut file, mut buffer) = (Context::new(&SHA256), File::open(file)?, vec![0; 64 << 10]);
    loop {
        let read = io::Read::read(&mut file, &mut buffer)?;
        if read == 0 {
            return Ok(hex(hash.finish().as_ref()));
        }
        hash.update(&buffer[..read]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The directory that has `bin/postgres`: the archive's own top, or the one directory in it.
fn root_of(tree: &Path) -> Option<PathBuf> {
    let inside = fs::read_dir(tree).ok()?.flatten().map(|entry| entry.path());
    std::iter::once(tree.to_owned()).chain(inside).find(|root| root.join("bin/postgres").is_file())
}

/// Lets the account that runs servers read it, whatever the umask was.
fn open_to_all(root: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(root, fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_archive_is_a_fixed_version_with_its_checksum_and_a_mirror_changes_only_the_place() {
        let pinned = Archive::pinned("x86_64-unknown-linux-gnu", None).unwrap();
        let mirrored = Archive::pinned("x86_64-unknown-linux-gnu", Some("http://mirror.example/pg/")).unwrap();
        assert_eq!(mirrored.location, "http://mirror.example/pg/18.6.0/postgresql-18.6.0-x86_64-unknown-linux-gnu.tar.gz");
        assert!(pinned.location.starts_with("https://github.com/theseus-rs/postgresql-binaries/releases/download/18.6.0/"));
        assert_eq!(pinned.sha256, mirrored.sha256);
        assert_eq!(Archive::pinned("riscv64-unknown-linux-gnu", None), None);
        assert!(PINNED.iter().all(|(_, sha256)| sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit())));
    }
}
