//! Directories that a server's account can reach and nobody else can read.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::Path;

use crate::account::Account;

/// Creates the directories above `path` that are missing, such that others may pass through but not list them.
pub(crate) fn create_parents(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    if parent.as_os_str().is_empty() || parent.is_dir() {
        return Ok(());
    }
    create_parents(parent)?;
    create_open(parent)
}

/// Creates one directory that others may pass through but not list, whatever the umask says.
pub(crate) fn create_open(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o711).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o711)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates `path` with mode 0700, or makes sure that it is so, owned by the account that runs the server.
pub(crate) fn create_private(path: &Path, account: Option<&Account>) -> io::Result<()> {
    create_parents(path)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    hand_over(path, account)?;
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// Gives a file or directory to the account that runs the server.
pub(crate) fn hand_over(path: &Path, account: Option<&Account>) -> io::Result<()> {
    account.map_or(Ok(()), |account| chown(path, Some(account.uid), Some(account.gid)))
}
