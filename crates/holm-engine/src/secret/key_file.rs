//! Master keys in files: `master.key`, and beside it `master.key.<id>` for every other one that is still needed.
//!
//! Promises: a key is made whole or not at all, readable to its owner only, and a file with a key is never written to or
//! removed, only renamed. Refuses a file of another length, so that a cut-off copy is noticed before anything is sealed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use holm_core::error::{ErrorCode, Problem};
use holm_core::key::MasterKeyId;
use holm_core::secret::Secret;

use super::master_key::MasterKey;
use super::random;

/// Where keys lie.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
    /// Those that were read: files are looked at again only for a key that is not among them.
    read: Arc<Mutex<Vec<MasterKey>>>,
}

impl KeyFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, read: Arc::default() }
    }

    /// The key in `master.key`, if there is that file.
    ///
    /// # Errors
    /// [`ErrorCode::WrongMasterKey`] when it cannot be read, or has not exactly 32 bytes.
    pub(crate) fn first(&self) -> Result<Option<MasterKey>, Problem> {
        read(&self.path)
    }

    /// The key of a name; one that was put there while Holm runs is found too.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub(crate) fn find(&self, id: &MasterKeyId) -> Result<Option<MasterKey>, Problem> {
        let among = |keys: &[MasterKey]| keys.iter().find(|key| key.id().name() == *id).cloned();
        if let Some(key) = among(&self.read.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(Some(key));
        }
        Ok(among(&self.all()?))
    }

    /// Every key that is here.
    ///
    /// # Errors
    /// As [`Self::first`], for any of the files.
    pub(crate) fn all(&self) -> Result<Vec<MasterKey>, Problem> {
        let mut keys: Vec<MasterKey> = self.first()?.into_iter().collect();
        for path in self.beside().map_err(|error| unusable(&self.path, &error))? {
            keys.extend(read(&path)?);
        }
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&keys);
        Ok(keys)
    }

    /// Makes `master.key` with a new key; if somebody else does so at once, theirs is taken.
    ///
    /// # Errors
    /// The file cannot be made or read.
    pub(crate) fn create(&self) -> Result<MasterKey, Problem> {
        make(&self.path, random::bytes()).map_err(|error| unusable(&self.path, &error))?;
        self.first()?.ok_or_else(|| unusable(&self.path, &io::Error::from(ErrorKind::NotFound)))
    }

    /// Makes a new key beside the first.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn create_next(&self) -> Result<MasterKey, Problem> {
        let bytes = random::bytes();
        let key = MasterKey::from_bytes(bytes);
        let path = self.named(&key.id().name());
        make(&path, bytes).map_err(|error| unusable(&path, &error))?;
        Ok(key)
    }

    /// Gives the current key the name `master.key`, and the one that had it the name of its id. Cut anywhere, every key still
    /// lies under one of the names.
    ///
    /// # Errors
    /// The files cannot be renamed.
    pub(crate) fn settle(&self, current: &MasterKeyId) -> Result<(), Problem> {
        let first = self.first()?;
        if first.as_ref().is_some_and(|key| key.id().name() == *current) {
            return Ok(());
        }
        let rename = || {
            if let Some(first) = &first {
                link(&self.path, &self.named(&first.id().name()))?;
            }
            fs::rename(self.named(current), &self.path)?;
            sync_directory(&self.path)
        };
        rename().map_err(|error| unusable(&self.path, &error))
    }

    fn named(&self, id: &MasterKeyId) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{id}"));
        PathBuf::from(name)
    }

    /// Files of the form `master.key.<16 hex digits>`.
    fn beside(&self) -> io::Result<Vec<PathBuf>> {
        let Some(name) = self.path.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
        let entries = match fs::read_dir(directory_of(&self.path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let is_id = |id: &str| id.len() == 16 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let file = entry.file_name();
            if file.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.')).is_some_and(is_id) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }
}

fn read(path: &Path) -> Result<Option<MasterKey>, Problem> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => Secret::new(other.map_err(|error| unusable(path, &error))?),
    };
    let key = <[u8; 32]>::try_from(bytes.expose().as_slice()).map_err(|_| wrong_length(path, bytes.expose().len()))?;
    Ok(Some(MasterKey::from_bytes(key)))
}

/// Makes the file under another name and links it into place: linking, unlike renaming, replaces nothing, so that of two
/// processes that start at once both read the key of one.
fn make(path: &Path, key: [u8; 32]) -> io::Result<()> {
    let key = Secret::new(key);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{:016x}", u64::from_ne_bytes(random::bytes())));
    let draft = PathBuf::from(name);
    let linked = write(&draft, &key).and_then(|()| link(&draft, path));
    let removed = fs::remove_file(&draft);
    linked.and(removed)?;
    sync_directory(path)
}

/// A name that is taken stays as it is.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn write(draft: &Path, key: &Secret<[u8; 32]>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(key.expose())?;
    file.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
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

    fn file(directory: &tempfile::TempDir) -> KeyFile {
        KeyFile::new(directory.path().join("master.key"))
    }

    fn count(directory: &tempfile::TempDir) -> usize {
        fs::read_dir(directory.path()).unwrap().count()
    }

    #[test]
    fn reading_makes_no_file_and_making_makes_one_that_only_its_owner_reads() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory);
        assert!(file.first().unwrap().is_none() && file.all().unwrap().is_empty());
        assert_eq!(count(&directory), 0);
        let made = file.create().unwrap();
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.create().unwrap().id(), made.id(), "a second making changes nothing");
        assert_eq!(count(&directory), 1, "a draft was left behind");
    }

    #[test]
    fn processes_that_start_at_once_agree_on_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory);
        let keys: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| file.create().unwrap().id())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn a_cut_off_key_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory);
        for content in [&b""[..], &[7; 31], &[7; 33]] {
            fs::write(&file.path, content).unwrap();
            assert_eq!(file.first().unwrap_err().code, ErrorCode::WrongMasterKey);
            assert_eq!(file.create().unwrap_err().code, ErrorCode::WrongMasterKey);
            assert_eq!(fs::read(&file.path).unwrap(), content);
        }
    }

    #[test]
    fn a_directory_that_does_not_exist_is_a_problem_with_a_step_to_take() {
        let directory = tempfile::tempdir().unwrap();
        let problem = KeyFile::new(directory.path().join("absent/master.key")).create().unwrap_err();
        assert_eq!(problem.code, ErrorCode::WrongMasterKey);
        assert!(!problem.next.is_empty());
    }

    #[test]
    fn the_current_key_gets_the_first_name_and_no_key_is_ever_without_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory);
        let (old, new) = (file.create().unwrap(), file.create_next().unwrap());
        assert_eq!(file.first().unwrap().unwrap().id(), old.id());
        for _ in 0..2 {
            file.settle(&new.id().name()).unwrap();
            assert_eq!(file.first().unwrap().unwrap().id(), new.id());
            let ids: Vec<_> = file.all().unwrap().iter().map(MasterKey::id).collect();
            assert_eq!(ids, [new.id(), old.id()]);
        }
        // Cut after the link and before the rename: both names are there, and the next run goes on.
        file.settle(&old.id().name()).unwrap();
        fs::hard_link(&file.path, file.named(&old.id().name())).unwrap();
        file.settle(&new.id().name()).unwrap();
        assert_eq!(file.first().unwrap().unwrap().id(), new.id());
        assert_eq!(count(&directory), 2);
    }
}
