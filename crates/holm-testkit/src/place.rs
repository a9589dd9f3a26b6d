//! Where test servers keep their files: one directory per test process, locked while the process lives.
//!
//! `HOLM_TEST_DIR` names the directory above; it must be one that every user can pass through when tests run as root.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use holm_postgres::lock::FileLock;
use tokio::sync::OnceCell;

use crate::eventually;
use crate::tmpfs;

/// The directory of this process and the lock that says that it lives.
struct Place {
    directory: PathBuf,
    _alive: FileLock,
}

/// The file that a living process holds the lock of.
const ALIVE: &str = "alive";

/// Removing the files of a few servers takes a fraction of a second; of many on a slow disk, far longer.
const SWEEP_PATIENCE: Duration = Duration::from_secs(2);

static PLACE: OnceCell<Place> = OnceCell::const_new();
static SERVERS: AtomicU32 = AtomicU32::new(0);

/// A new directory for one server's files; what dead processes left is removed first, once per process.
pub(crate) async fn new_directory() -> PathBuf {
    let place = PLACE.get_or_init(claim).await;
    let directory = place.directory.join(SERVERS.fetch_add(1, Ordering::Relaxed).to_string());
    make(&directory);
    directory
}

async fn claim() -> Place {
    let base = base();
    make(&base);
    // Nobody sweeps between the creation of our directory and its lock.
    let free = async || FileLock::try_new(&base.join("sweep.lock")).expect("lock the test directory");
    let guard = eventually(Duration::from_secs(60), "another test process has claimed its directory", free).await;
    let dead = dead_directories(&base);
    // Another container may use the same directory and the same pid.
    let directory =
        (0..).map(|n| base.join(format!("{}-{n}", std::process::id()))).find(|path| !path.exists()).expect("some number is free");
    make(&directory);
    let alive = FileLock::try_new(&directory.join(ALIVE)).expect("lock this process's directory").expect("nobody else knows it");
    drop(guard);
    sweep(dead).await;
    Place { directory, _alive: alive }
}

fn base() -> PathBuf {
    // Not the temporary directory of the environment: it may be closed to the user that runs servers, or too long for a socket.
    let uid = rustix::process::geteuid().as_raw();
    std::env::var_os("HOLM_TEST_DIR").map_or_else(|| PathBuf::from(format!("/tmp/holm-test-{uid}")), PathBuf::from)
}

/// Directories whose process has ended, locked by us so that no second sweeper takes them.
fn dead_directories(base: &Path) -> Vec<(PathBuf, FileLock)> {
    let directories = fs::read_dir(base).expect("list the test directory").flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    directories.filter_map(|path| FileLock::try_new(&path.join(ALIVE)).ok().flatten().map(|lock| (path, lock))).collect()
}

/// Removes what dead processes left, in a thread that goes on when it takes longer than a test should wait.
async fn sweep(dead: Vec<(PathBuf, FileLock)>) {
    let (done, swept) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime for the sweep");
        runtime.block_on(async {
            for (directory, lock) in dead {
                remove(&directory).await;
                drop(lock);
            }
        });
        let _ = done.send(());
    });
    let _ = tokio::time::timeout(SWEEP_PATIENCE, swept).await;
}

/// Removes a directory of servers; whatever still runs in it is stopped first.
async fn remove(directory: &Path) {
    for server in fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let _ = holm_postgres::postmaster::stop_leftover(&server.join("data")).await;
        tmpfs::unmount_leftover(&server);
    }
    // The lock file goes last, so that an interrupted sweep is taken up by the next one.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten().filter(|entry| entry.file_name() != ALIVE) {
        let _ = fs::remove_dir_all(entry.path());
    }
    let _ = fs::remove_dir_all(directory);
}

/// Makes a directory that others may pass through; refuses one that somebody else prepared for us.
fn make(path: &Path) {
    match DirBuilder::new().mode(0o711).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o711)).expect("open the test directory for the server's user"),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => panic!("create `{}`: {error}", path.display()),
    }
    let found = fs::symlink_metadata(path).expect("look at the test directory");
    assert!(found.is_dir() && found.uid() == rustix::process::geteuid().as_raw(), "`{}` is not ours", path.display());
}
