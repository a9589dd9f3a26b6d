//! The promises of the finder, on directories made for the purpose: nothing of this machine is looked at.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use holm_core::error::{ErrorCode, Problem};
use holm_postgres::archive::Archive;
use holm_postgres::finder::Finder;
use holm_postgres::installation::{Installation, PROGRAMS, Source};
use holm_postgres::roots::Roots;
use tempfile::TempDir;

fn nowhere(cache: &TempDir) -> Finder {
    Finder { explicit: None, cache: cache.path().join("cache"), roots: Roots::none(), network: false, archive: None }
}

/// Puts programs into a directory that say that version, or that fail when it is `None`.
fn install(bin: &Path, version: Option<&str>, programs: &[&str]) {
    fs::create_dir_all(bin).expect("make the directory of programs");
    for program in programs {
        let script = match version {
            Some(version) => format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n"),
            None => "#!/bin/sh\necho 'cannot open shared object file' >&2\nexit 127\n".to_owned(),
        };
        fs::write(bin.join(program), script).expect("write a program");
        fs::set_permissions(bin.join(program), fs::Permissions::from_mode(0o755)).expect("make it a program");
    }
}

fn why(result: Result<Installation, Problem>) -> String {
    let problem = result.expect_err("nothing is to be found");
    assert_eq!(problem.code, ErrorCode::PostgresNotFound);
    problem.why.expect("a reason is given")
}

#[test]
fn r33_without_postgresql_and_without_a_network_the_exact_command_is_given() {
    let directory = TempDir::new().unwrap();
    let problem = nowhere(&directory).find().unwrap_err();
    assert_eq!(problem.code, ErrorCode::PostgresNotFound);
    let known = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if known.lines().any(|line| line == "ID=debian") {
        assert!(problem.next[0] == "apt-get install postgresql" || problem.next[0] == "sudo apt-get install postgresql", "{problem:?}");
    }
    assert!(problem.next.iter().any(|step| step.contains("HOLM_PG_BIN")), "{problem:?}");
    assert!(!directory.path().join("cache").exists(), "a search alone leaves nothing");
}

#[test]
fn the_newest_of_the_usual_places_is_found_and_what_cannot_be_used_is_passed_over() {
    let directory = TempDir::new().unwrap();
    let bin = |name: &str| directory.path().join(name).join("bin");
    install(&bin("13"), Some("13.9"), &PROGRAMS);
    install(&bin("15"), Some("15.18 (Debian 15.18-0+deb12u1)"), &PROGRAMS);
    install(&bin("16"), Some("16.2"), &PROGRAMS);
    install(&bin("17"), None, &PROGRAMS);
    install(&bin("18"), Some("18.1"), &["initdb", "postgres", "psql"]);
    install(&bin("19"), Some("19devel"), &PROGRAMS);
    let mut finder = nowhere(&directory);
    finder.roots.usual = vec![directory.path().join("*/bin")];
    let found = finder.find().unwrap();
    assert_eq!((found.bin, found.version.major, found.source), (bin("16"), 16, Source::Usual(bin("16"))));

    fs::remove_dir_all(bin("15")).unwrap();
    fs::remove_dir_all(bin("16")).unwrap();
    std::os::unix::fs::symlink("/nonexistent/postgres", directory.path().join("postgres")).unwrap();
    finder.roots.path = Some(directory.path().into());
    let why = why(finder.find());
    for part in ["version 13.9", "cannot open shared object file", "without `pg_dump`, `pg_restore`", "version 19.0", "without `initdb`"] {
        assert!(why.contains(part), "`{part}` is not in: {why}");
    }
}

#[test]
fn path_comes_before_the_usual_places_and_links_are_followed() {
    let directory = TempDir::new().unwrap();
    let (old, new, links) = (directory.path().join("14/bin"), directory.path().join("16/bin"), directory.path().join("links"));
    install(&old, Some("14.1"), &PROGRAMS);
    install(&new, Some("16.1"), &PROGRAMS);
    fs::create_dir(&links).unwrap();
    std::os::unix::fs::symlink(old.join("postgres"), links.join("postgres")).unwrap();
    let mut finder = nowhere(&directory);
    finder.roots = Roots { path: Some(links.into()), usual: vec![directory.path().join("*/bin")] };
    let found = finder.find().unwrap();
    assert_eq!((found.source, found.version.major), (Source::Path, 14));
    assert_eq!(found.bin, old.canonicalize().unwrap());

    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "16\n").unwrap();
    assert_eq!(finder.find_for(&data).unwrap().version.major, 16, "a data directory needs its own major version");
    fs::write(data.join("PG_VERSION"), "17\n").unwrap();
    assert!(finder.find_for(&data).unwrap_err().what.contains("PostgreSQL 17"));
}

#[test]
fn pg_config_is_asked() {
    let directory = TempDir::new().unwrap();
    let (bin, path) = (directory.path().join("somewhere"), directory.path().join("path"));
    install(&bin, Some("17.0"), &PROGRAMS);
    install(&path, None, &["pg_config"]);
    fs::write(path.join("pg_config"), format!("#!/bin/sh\n[ \"$1\" = --bindir ] && echo '{}'\n", bin.display())).unwrap();
    let mut finder = nowhere(&directory);
    finder.roots.path = Some(path.into());
    assert_eq!(finder.find().unwrap().source, Source::PgConfig);
}

#[test]
fn an_explicit_path_is_used_or_refused_and_nothing_else_is_looked_at() {
    let directory = TempDir::new().unwrap();
    let (good, bad) = (directory.path().join("good/bin"), directory.path().join("bad/bin"));
    install(&good, Some("15.1"), &PROGRAMS);
    install(&bad, Some("15.1"), &["postgres"]);
    let mut finder = nowhere(&directory);
    finder.roots.usual = vec![good.clone()];
    finder.explicit = Some(bad);
    assert!(why(finder.find()).contains("without `initdb`, `pg_dump`, `psql`, `pg_restore`"));
    finder.explicit = Some(good);
    assert_eq!(finder.find().unwrap().source, Source::Explicit);
}

#[test]
fn the_cache_is_used_without_a_network_and_unfinished_downloads_are_not() {
    let directory = TempDir::new().unwrap();
    let finder = nowhere(&directory);
    install(&finder.cache.join(".partial-tree/usr/lib/postgresql/15/bin"), Some("15.1"), &PROGRAMS);
    why(finder.find());
    install(&finder.cache.join("postgresql-15_15.1/usr/lib/postgresql/15/bin"), Some("15.1"), &PROGRAMS);
    fs::create_dir_all(finder.cache.join("postgresql-15_15.1/usr/lib/x86_64-linux-gnu")).unwrap();
    let found = finder.find().unwrap();
    assert_eq!(found.source, Source::Cache);
    assert_eq!(found.library_path, Some(finder.cache.join("postgresql-15_15.1/usr/lib/x86_64-linux-gnu").into_os_string()));
}

/// Serves one file over HTTP, whole or cut in the middle, and counts the requests.
struct FileServer {
    url: String,
    requests: Arc<AtomicUsize>,
}

fn serve(file: Vec<u8>, sent: usize) -> FileServer {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("listen");
    let url = format!("http://{}/postgresql.tar.gz", listener.local_addr().expect("an address"));
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.expect("accept");
            counted.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4096];
            let _ = client.read(&mut request);
            let _ = write!(client, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", file.len());
            let _ = client.write_all(&file[..sent.min(file.len())]);
        }
    });
    FileServer { url, requests }
}

/// An archive of programs, with a top directory as releases have it, and its SHA-256.
fn archive(directory: &Path) -> (Vec<u8>, String) {
    install(&directory.join("postgresql-18.0.0/bin"), Some("18.0"), &PROGRAMS);
    let file = directory.join("made.tar.gz");
    let made = std::process::Command::new("tar").arg("-C").arg(directory).arg("-czf").arg(&file).arg("postgresql-18.0.0").status();
    assert!(made.expect("run tar").success());
    let bytes = fs::read(&file).expect("read the archive");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    (bytes, digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn with_archive(directory: &TempDir, location: String, sha256: String) -> Finder {
    Finder { network: true, archive: Some(Archive { location, sha256, major: None, named: true }), ..nowhere(directory) }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| !path.ends_with(".lock")).collect()
}

#[test]
fn an_archive_with_the_right_checksum_is_fetched_once_even_by_four_at_once() {
    let directory = TempDir::new().unwrap();
    let (bytes, sha256) = archive(directory.path());
    let server = serve(bytes, usize::MAX);
    let finder = with_archive(&directory, server.url.clone(), sha256.to_uppercase());
    let found: Vec<Installation> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..4).map(|_| scope.spawn(|| finder.find().unwrap())).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
    assert_eq!(found.iter().filter(|found| found.source == Source::Archive).count(), 1);
    assert!(found.iter().all(|found| found.version.major == 18));
    assert_eq!(entries(&finder.cache).len(), 1, "nothing but the installation is left");
    assert_eq!(finder.find().unwrap().source, Source::Cache);
}

#[test]
fn an_archive_with_a_wrong_checksum_or_a_cut_download_is_refused_and_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let (bytes, sha256) = archive(directory.path());
    let (whole, cut) = (serve(bytes.clone(), usize::MAX), serve(bytes, 100));
    for (url, sha256, expected) in [
        (&whole.url, "0".repeat(64), "must be `0000"),
        (&cut.url, sha256.clone(), "the archive `http://"),
        (&whole.url, "abc".to_owned(), "64 hex digits"),
    ] {
        let finder = with_archive(&directory, url.clone(), sha256);
        let why = why(finder.find());
        assert!(why.contains(expected), "`{expected}` is not in: {why}");
        assert_eq!(entries(&finder.cache), Vec::<PathBuf>::new());
    }
}
