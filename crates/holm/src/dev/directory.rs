//! The directory of a `holm dev`: what lies in it, and that one process uses it at a time.
//!
//! Promises: mode 0700, one lock, absolute paths. As root, what PostgreSQL must reach lies under `/var/lib/holm/<name>`
//! instead, since `/root` and temporary directories are closed to the servers' user.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use holm_core::error::{ErrorCode, Problem};
use holm_postgres::lock::FileLock;

/// An opened and locked directory.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Held for the life of the process; the kernel lets go of it however that ends.
    _lock: FileLock,
}

impl Directory {
    /// Opens or makes the directory.
    ///
    /// # Errors
    /// It cannot be made, or another `holm dev` uses it (6004).
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        let cannot = |error: io::Error| {
            Problem::new(ErrorCode::InvalidConfig, format!("the directory `{}` cannot be used", path.display()))
                .because(error)
                .next("choose one that you may write to with `--dir DIR`")
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(cannot)?;
        let path = fs::canonicalize(path).map_err(cannot)?;
        let lock = FileLock::try_new(&path.join("lock")).map_err(cannot)?.ok_or_else(|| {
            Problem::new(ErrorCode::DirectoryInUse, format!("another `holm dev` uses `{}`", path.display()))
                .next("stop it with Ctrl-C, or choose another directory with `--dir DIR`")
        })?;
        Ok(Self { path, _lock: lock })
    }

    /// A file of the directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_user_at_a_time_and_is_free_when_that_one_ends() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let first = Directory::open(&path).unwrap();
        assert_eq!(Directory::open(&path).unwrap_err().code, ErrorCode::DirectoryInUse);
        drop(first);
        assert!(Directory::open(&path).is_ok());
    }

    #[test]
    fn a_path_that_is_a_file_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let problem = Directory::open(file.path()).unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidConfig);
        assert!(problem.what.contains(file.path().to_str().unwrap()));
    }
}
