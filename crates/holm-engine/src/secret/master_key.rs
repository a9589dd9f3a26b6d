//! The master key: 32 bytes in a file of its own, which seal every secret of the catalog.
//!
//! Promises: the file is made whole or not at all, readable to its owner only, and an existing one is never written to.
//! Refuses a file of another length, so that a cut-off copy is noticed before anything is sealed with it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;

use super::random;

/// Which key sealed a value: stands in front of each, so that a wrong key is told from a damaged value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KeyId(pub(crate) [u8; 8]);

/// The key that seals the catalog's secrets.
#[derive(Clone, Debug)]
pub struct MasterKey {
    key: Secret<[u8; 32]>,
    id: KeyId,
}

impl MasterKey {
    /// Takes over 32 random bytes.
    pub fn from_bytes(key: [u8; 32]) -> Self {
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), b"holm master key id");
        let mut id = [0; 8];
        id.copy_from_slice(&mac.as_ref()[..8]);
        Self { key: Secret::new(key), id: KeyId(id) }
    }

    /// Reads the key from its file, and makes the file with a new key where there is none. It blocks on the disk.
    ///
    /// # Errors
    /// [`ErrorCode::WrongMasterKey`] when the file cannot be read or made, or has not exactly 32 bytes.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let bytes = match fs::read(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => create(path).and_then(|()| fs::read(path)),
            other => other,
        };
        let bytes = Secret::new(bytes.map_err(|e| unusable(path, &e))?);
        let key = <[u8; 32]>::try_from(bytes.expose().as_slice()).map_err(|_| wrong_length(path, bytes.expose().len()))?;
        Ok(Self::from_bytes(key))
    }

    pub(crate) const fn id(&self) -> KeyId {
        self.id
    }

    pub(crate) const fn expose(&self) -> &[u8; 32] {
        self.key.expose()
    }
}

/// Makes the file under another name and links it into place: linking, unlike renaming, replaces nothing, so that of two
/// processes that start at once both read the key of one.
fn create(path: &Path) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{:016x}", u64::from_ne_bytes(random::bytes())));
    let draft = PathBuf::from(name);
    let linked = write(&draft).and_then(|()| match fs::hard_link(&draft, path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    let removed = fs::remove_file(&draft);
    linked.and(removed)?;
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

fn write(draft: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    let key = Secret::new(random::bytes::<32>());
    file.write_all(key.expose())?;
    file.sync_all()
}

fn unusable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(ErrorCode::WrongMasterKey, format!("the master key in `{}` could not be read or made", path.display()))
        .because(error)
        .next(format!("see to it that Holm's user can read `{}` and write to its directory", path.display()))
}

fn wrong_length(path: &Path, length: usize) -> Problem {
    Problem::new(ErrorCode::WrongMasterKey, format!("the master key in `{}` has {length} bytes instead of 32", path.display()))
        .next("put the file back from where you keep a copy; a new key cannot open what the old one sealed")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_start_makes_a_key_that_only_its_owner_reads_and_the_next_one_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let made = MasterKey::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(MasterKey::open(&path).unwrap().expose(), made.expose());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "a draft was left behind");
    }

    #[test]
    fn processes_that_start_at_once_agree_on_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let keys: Vec<[u8; 32]> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| *MasterKey::open(&path).unwrap().expose())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn a_cut_off_key_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        for content in [&b""[..], &[7; 31], &[7; 33]] {
            fs::write(&path, content).unwrap();
            let problem = MasterKey::open(&path).unwrap_err();
            assert_eq!(problem.code, ErrorCode::WrongMasterKey);
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_directory_that_does_not_exist_is_a_problem_with_a_step_to_take() {
        let directory = tempfile::tempdir().unwrap();
        let problem = MasterKey::open(&directory.path().join("absent/master.key")).unwrap_err();
        assert_eq!(problem.code, ErrorCode::WrongMasterKey);
        assert!(!problem.next.is_empty());
    }

    #[test]
    fn a_key_is_never_printed() {
        let text = format!("{:?}", MasterKey::from_bytes([0xab; 32]));
        assert!(!text.contains("171") && text.contains("[redacted]"), "{text}");
    }
}
