//! The promises of test servers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use holm_testkit::{database, eventually, new_server, new_server_on_tmpfs, server};
use tokio_postgres::error::SqlState;

async fn one(client: &tokio_postgres::Client) -> i32 {
    client.query_one("SELECT 1", &[]).await.expect("the server answers").get(0)
}

#[tokio::test]
async fn the_shared_server_gives_every_test_an_empty_database_of_its_own() {
    let (a, b) = (database(server().await).await, database(server().await).await);
    assert_ne!(a.name, b.name);
    assert_eq!(one(&a.connect().await).await, 1);
    a.connect().await.batch_execute("CREATE TABLE gig ()").await.unwrap();
    let tables = b.connect().await.query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap();
    assert!(tables.is_empty());
}

#[tokio::test]
async fn the_shared_server_outlives_the_runtime_of_the_test_that_started_it() {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = std::thread::spawn(move || run().block_on(async { server().await.pid() })).join().unwrap();
    assert_eq!(server().await.pid(), first);
    assert_eq!(one(&server().await.connect("postgres").await).await, 1);
}

#[tokio::test]
async fn a_server_that_is_killed_keeps_what_was_committed_and_its_port() {
    let own = new_server(&[("max_connections", "20")]).await;
    own.connect("postgres").await.batch_execute("CREATE TABLE concert AS SELECT 7 AS seats").await.unwrap();
    let pid = own.pid();
    own.kill().await;
    assert!(own.config("postgres").connect(tokio_postgres::NoTls).await.is_err());
    own.restart().await;
    assert_ne!(own.pid(), pid);
    let seats: i32 = own.connect("postgres").await.query_one("SELECT seats FROM concert", &[]).await.unwrap().get(0);
    assert_eq!(seats, 7);
    own.stop().await;
    assert!(own.log().contains("database system is shut down"), "{}", own.log());
}

#[tokio::test]
async fn a_disk_of_its_own_can_be_filled_and_relieved() {
    let Some(own) = new_server_on_tmpfs(80, &[("max_wal_size", "32MB")]).await else { return };
    let client = own.connect("postgres").await;
    client.batch_execute("CREATE TABLE gig (n int)").await.unwrap();
    own.fill_disk();
    let error = client.batch_execute("INSERT INTO gig SELECT generate_series(1, 100000)").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::DISK_FULL), "{error:?}");
    own.relieve_disk();
    let inserted = eventually(Duration::from_secs(20), "a row", async || {
        let client = own.config("postgres").connect(tokio_postgres::NoTls).await.map(|(client, connection)| {
            tokio::spawn(connection);
            client
        })?;
        client.execute("INSERT INTO gig VALUES (1)", &[]).await
    });
    assert_eq!(inserted.await, 1);
}

/// The process that the next test kills.
#[tokio::test]
async fn child_that_has_servers_and_waits() {
    if let Some(told) = std::env::var_os("HOLM_TEST_CHILD_TELLS") {
        let own = new_server_on_tmpfs(128, &[]).await;
        let data = match &own {
            Some(own) => own.data(),
            None => server().await.data(),
        };
        std::fs::write(&told, data.to_str().unwrap()).unwrap();
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn what_a_killed_test_process_left_behind_is_removed_by_the_next() {
    let told = std::env::temp_dir().join(format!("holm-told-{}", std::process::id()));
    let again = |name: &str| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", name]).stdout(Stdio::null());
        child
    };
    let mut child = again("child_that_has_servers_and_waits").env("HOLM_TEST_CHILD_TELLS", &told).spawn().unwrap();
    let read = async || std::fs::read_to_string(&told).ok().filter(|path| !path.is_empty());
    let data = PathBuf::from(eventually(Duration::from_secs(60), "the child's data directory", read).await);
    let left = data.ancestors().nth(2).unwrap();
    assert!(data.join("PG_VERSION").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let next_run = async || {
        assert!(again("the_shared_server_gives_every_test_an_empty_database_of_its_own").status().unwrap().success());
        // It may have ended before it had removed everything; then the next one goes on.
        if Path::exists(left) { Err(left) } else { Ok(()) }
    };
    eventually(Duration::from_secs(120), "the directory is gone", next_run).await;
    std::fs::remove_file(told).unwrap();
}
