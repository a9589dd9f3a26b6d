//! Fetching for real, from the distribution's servers: only when `HOLM_TEST_NETWORK` is set, on a system with apt.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use holm_core::secret::Secret;
use holm_postgres::finder::Finder;
use holm_postgres::installation::Source;
use holm_postgres::roots::Roots;
use holm_postgres::server::{Server, ServerOptions};
use tokio_postgres::NoTls;

/// A directory that every user can pass through, as root's servers need.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::Builder::new().prefix("holm-net-").tempdir_in("/tmp").expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).expect("open it");
    directory
}

fn wanted() -> bool {
    let wanted = std::env::var_os("HOLM_TEST_NETWORK").is_some();
    if !wanted {
        println!("skipped: set HOLM_TEST_NETWORK=1 to fetch packages");
    }
    wanted
}

/// Fetches into an empty cache, starts a server, asks it something, and finds the cached one again.
async fn fetch_and_run(directory: &Path) {
    let finder = Finder { explicit: None, cache: directory.join("cache"), roots: Roots::none(), network: true, archive: None };
    let begun = Instant::now();
    let searching = finder.clone();
    let found = tokio::task::spawn_blocking(move || searching.find()).await.expect("no panic").expect("PostgreSQL is fetched");
    let fetched = begun.elapsed();
    assert_eq!(found.source, Source::Distribution);
    let options = ServerOptions {
        data: directory.join("run/data"),
        sockets: directory.join("run/sockets"),
        superuser: "holm".parse().expect("a role name"),
        password: Secret::new("a secret".to_owned()),
        settings: Vec::new(),
        port: None,
    };
    let server = Server::start(&found, options).await.expect("it starts");
    let url = format!("postgresql://holm:a%20secret@{}/postgres", server.address());
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("it lets us in");
    tokio::spawn(connection);
    let version: String = client.query_one("SELECT version()", &[]).await.expect("it answers").get(0);
    println!("fetched in {fetched:?}, answering after {:?}: {version}, libraries {:?}", begun.elapsed(), found.library_path);
    drop(client);
    server.stop().await;
    let again = finder.find().expect("it is in the cache");
    assert_eq!((again.source, again.bin, again.library_path), (Source::Cache, found.bin, found.library_path));
    let left: Vec<PathBuf> = fs::read_dir(&finder.cache).expect("the cache").flatten().map(|entry| entry.path()).collect();
    assert_eq!(left.len(), 2, "the lock and one installation: {left:?}");
}

#[tokio::test]
async fn r33_the_distributions_packages_are_fetched_and_run_with_the_system_unchanged() {
    if wanted() {
        let directory = directory();
        fetch_and_run(directory.path()).await;
    }
}

/// The body of the next test, in a process of an ordinary user.
#[tokio::test]
async fn child_as_an_ordinary_user() {
    if let Some(directory) = std::env::var_os("HOLM_TEST_CHILD_DIRECTORY") {
        fetch_and_run(Path::new(&directory)).await;
    }
}

#[test]
fn r33_an_ordinary_user_fetches_as_well() {
    // As an ordinary user, the first test has done it; a build directory that others cannot reach cannot be run from.
    if !wanted() || !holm_postgres::account::is_root() {
        return;
    }
    let directory = directory();
    std::os::unix::fs::chown(directory.path(), Some(65534), Some(65534)).unwrap();
    let program = directory.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = std::process::Command::new(program);
    child.args(["--exact", "child_as_an_ordinary_user", "--nocapture"]).env("HOLM_TEST_CHILD_DIRECTORY", directory.path());
    let ended = child.uid(65534).gid(65534).current_dir("/").status().unwrap();
    assert!(ended.success());
}
