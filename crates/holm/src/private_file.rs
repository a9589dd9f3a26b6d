//! Files that only their owner may read, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What the extension of a file begins with that is being written, before the process' id.
const DRAFT: &str = "new-";

/// Writes a file with mode 0600 beside its place and renames it there, so that a reader or a crash never meets half of it; it is
/// on disk, under its name, when this returns.
///
/// # Errors
/// Those of the file system; the old file is then untouched, unless only the name of the new one may not be on disk yet.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(format!("{DRAFT}{}", std::process::id()));
    let written = create(&beside).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.and_then(|()| sync_directory_of(path))
}

/// Whether a name is that of a write of a file that was cut.
pub(super) fn is_draft_of(name: &str, of: &str) -> bool {
    let draft = Path::new(of).with_extension(DRAFT);
    let process = draft.to_str().and_then(|draft| name.strip_prefix(draft));
    process.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Has what was renamed or removed beside a file on disk.
///
/// # Errors
/// Those of the file system.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_file_is_its_owners_alone_and_replaces_the_old_one_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        write(&path, b"first").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_cut_write_left_is_known_by_its_name() {
        let draft = Path::new("routes").with_extension(format!("{DRAFT}12"));
        assert!(is_draft_of(draft.to_str().unwrap(), "routes"));
        for name in ["routes", "routes.new-", "routes.new-1a", "routes.refused-12", "other.new-12"] {
            assert!(!is_draft_of(name, "routes"), "{name}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fs::create_dir(&path).unwrap();
        assert!(write(&path, b"x").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
