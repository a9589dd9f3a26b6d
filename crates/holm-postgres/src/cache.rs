//! The directory of fetched installations.
//!
//! Promises: an installation is there whole or not at all, and two processes that fetch at once fetch once.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::directory;
use crate::lock::FileLock;
use crate::roots::expand;

/// Names that begin so are unfinished; a `*` in a path does not match them.
const PARTIAL: &str = ".partial-";
/// Another process may be fetching some 40 MB over a slow line.
const LOCK_DEADLINE: Duration = Duration::from_secs(600);
/// Between two looks at a lock that another process holds.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A cache, locked against other processes while this lives.
pub(crate) struct Locked<'a> {
    root: &'a Path,
    _lock: FileLock,
}

/// A directory that is being filled; removed when dropped.
pub(crate) struct Partial {
    /// Where to put files.
    pub(crate) path: PathBuf,
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The program directories of everything in a cache: Debian's layout and that of archives.
pub(crate) fn program_directories(root: &Path) -> Vec<PathBuf> {
    ["*/usr/lib/postgresql/*/bin", "*/bin"].iter().flat_map(|layout| expand(&root.join(layout))).collect()
}

/// The library directories that came with a program directory of the cache, as `LD_LIBRARY_PATH` takes them.
pub(crate) fn library_path(root: &Path, bin: &Path) -> Option<OsString> {
    let tree = root.join(bin.strip_prefix(root).ok()?.iter().next()?);
    library_path_of(&tree)
}

/// The library directories of a tree of unpacked packages; none in an archive, whose programs know where theirs are.
pub(crate) fn library_path_of(tree: &Path) -> Option<OsString> {
    // Debian's multiarch names: `x86_64-linux-gnu`, `arm-linux-gnueabihf`.
    let layouts = ["usr/lib/*-gnu", "lib/*-gnu", "usr/lib/*-gnueabihf", "lib/*-gnueabihf"];
    let directories = layouts.iter().flat_map(|layout| expand(&tree.join(layout)));
    std::env::join_paths(directories).ok().filter(|path| !path.is_empty())
}

/// Locks a cache, made if need be, and clears what an interrupted process left in it.
pub(crate) fn lock(root: &Path) -> io::Result<Locked<'_>> {
    let begun = Instant::now();
    let lock = loop {
        match FileLock::try_new(&root.join(".lock"))? {
            Some(lock) => break lock,
            None if begun.elapsed() < LOCK_DEADLINE => std::thread::sleep(LOOK_AGAIN),
            None => return Err(io::Error::new(io::ErrorKind::TimedOut, "another process has been fetching into it for ten minutes")),
        }
    };
    for entry in fs::read_dir(root)?.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PARTIAL)) {
        fs::remove_dir_all(entry.path())?;
    }
    Ok(Locked { root, _lock: lock })
}

impl Locked<'_> {
    /// A new directory to fill, on the same file system as the place where it will be.
    pub(crate) fn partial(&self, purpose: &str) -> io::Result<Partial> {
        let path = self.root.join(format!("{PARTIAL}{purpose}"));
        directory::create_open(&path)?;
        Ok(Partial { path })
    }

    /// Moves a finished directory into place, in the stead of one that may be there and is of no use.
    pub(crate) fn keep(&self, finished: &Path, name: &str) -> io::Result<PathBuf> {
        let place = self.root.join(name);
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        fs::rename(finished, &place)?;
        Ok(place)
    }
}
