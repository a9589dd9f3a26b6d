//! Locks between processes, held on a file.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::directory;

/// A file's lock, until dropped.
///
/// Closing the file would not be enough: a process that another thread is just starting has, between fork and exec, a copy
/// of the descriptor, and with it the lock (flock(2)).
#[derive(Debug)]
pub struct FileLock(File);

impl Drop for FileLock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl FileLock {
    /// Takes the lock of a file, made if need be; `None` when another process, or another part of this one, has it.
    ///
    /// # Errors
    /// The file cannot be made or locked.
    pub fn try_new(path: &Path) -> io::Result<Option<Self>> {
        directory::create_parents(path)?;
        let file = File::options().create(true).append(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_dropped_lock_is_free_at_once_even_while_processes_are_being_started() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("below/lock");
        std::thread::scope(|scope| {
            let starting = scope.spawn(|| (0..200).for_each(|_| drop(Command::new("true").status())));
            while !starting.is_finished() {
                let held = FileLock::try_new(&path).unwrap().expect("nobody else has it");
                assert!(FileLock::try_new(&path).unwrap().is_none());
                drop(held);
            }
        });
    }
}
