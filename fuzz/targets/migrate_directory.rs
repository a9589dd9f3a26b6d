//! A migrations directory as a stranger's repository may have it: lock file, name of a directory, script.
//!
//! The input is three parts with zero bytes between: the lock file (none if empty), the directory's name, the script.

#![no_main]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use holm_migrate::MigrationSet;
use libfuzzer_sys::fuzz_target;

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let base = if PathBuf::from("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
    base.join(format!("holm-fuzz-{}", std::process::id()))
});

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let (Some(lock), Some(name), Some(script)) = (parts.next(), parts.next(), parts.next()) else { return };
    let usable =
        !name.is_empty() && name.len() < 250 && !name.contains(&b'/') && name != b"." && name != b".." && name != b"migration_lock.toml";
    if !usable {
        return;
    }
    let directory = ROOT.join(OsStr::from_bytes(name));
    fs::create_dir_all(&directory).expect("there is room for a directory");
    fs::write(directory.join("migration.sql"), script).expect("there is room for a script");
    if !lock.is_empty() {
        fs::write(ROOT.join("migration_lock.toml"), lock).expect("there is room for a lock file");
    }
    let read = MigrationSet::read(&ROOT);
    fs::remove_dir_all(&*ROOT).expect("it is ours");
    match read {
        Ok(set) => {
            let [migration] = set.migrations() else { panic!("one directory is one migration") };
            assert_eq!((migration.name.as_str().as_bytes(), migration.sql.as_bytes()), (name, script));
        }
        Err(problem) => assert!(!holm_core::error::Problem::from(problem).next.is_empty(), "every refusal says what to do"),
    }
});
