//! A directory for what is only needed while a command runs.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Its owner's alone, and removed when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one; the name is nobody's to guess.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn within(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!(".holm-{}", uuid::Uuid::new_v4().simple()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
