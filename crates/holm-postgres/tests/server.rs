//! The promises of a server of Holm's own, on the PostgreSQL that the finder finds.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_postgres::account::is_root;
use holm_postgres::finder::Finder;
use holm_postgres::installation::Installation;
use holm_postgres::server::{Server, ServerOptions};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

fn installation() -> Installation {
    static FOUND: OnceLock<Installation> = OnceLock::new();
    FOUND.get_or_init(|| Finder::from_env().find().expect("a PostgreSQL for tests")).clone()
}

/// A directory that every user can pass through, as root's servers need.
fn directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("holm-pg-").tempdir_in("/tmp").expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).expect("open it");
    directory
}

fn options(directory: &Path) -> ServerOptions {
    ServerOptions {
        data: directory.join("data"),
        sockets: directory.join("sockets"),
        superuser: "holm".parse().expect("a role name"),
        password: Secret::new("correct horse".to_owned()),
        settings: vec![("fsync".to_owned(), "off".to_owned())],
        port: None,
    }
}

async fn start(options: ServerOptions) -> Server {
    Server::start(&installation(), options).await.expect("the server starts")
}

async fn refusal(options: ServerOptions) -> Problem {
    Server::start(&installation(), options).await.map(drop).expect_err("the server must not start")
}

async fn connect(server: &Server, password: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host(&*server.address().host).port(server.address().port).user("holm").password(password).dbname("postgres");
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn client(server: &Server) -> Client {
    connect(server, "correct horse").await.expect("the superuser logs in")
}

async fn text(client: &Client, query: &str) -> String {
    client.query_one(query, &[]).await.expect("a row").get(0)
}

#[tokio::test]
async fn r33_a_server_is_private_wants_scram_and_listens_on_this_machine_only() {
    // The name needs quoting as a list of sockets, as a shell word and as a path.
    let outer = directory();
    let inner = outer.path().join("a, \"b\" c");
    let server = start(options(&inner)).await;
    let client = client(&server).await;
    assert_eq!(text(&client, "SHOW listen_addresses").await, "127.0.0.1");
    assert_eq!(text(&client, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules").await, "scram-sha-256");
    assert_eq!(text(&client, "SHOW server_encoding").await, "UTF8");
    assert_eq!(text(&client, "SHOW jit").await, "off");
    assert!(connect(&server, "wrong").await.is_err());
    for private in ["data", "sockets"] {
        let found = inner.join(private).metadata().unwrap();
        assert_eq!(found.mode() & 0o777, 0o700, "{private}");
        assert!(found.uid() != 0, "{private} belongs to root");
    }
    assert!(inner.join("sockets").join(format!(".s.PGSQL.{}", server.address().port)).exists());
    let beside: Vec<_> = fs::read_dir(&inner).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 3, "data, its lock and sockets, and no file with a password: {beside:?}");
    server.stop().await;
}

#[tokio::test]
async fn data_and_port_survive_a_stop_and_a_crash() {
    let directory = directory();
    let server = start(options(directory.path())).await;
    let port = server.address().port;
    client(&server).await.batch_execute("CREATE TABLE gig AS SELECT 1 AS n").await.unwrap();
    server.stop().await;
    let server = start(options(directory.path())).await;
    assert_eq!(server.address().port, port);
    client(&server).await.batch_execute("INSERT INTO gig VALUES (2)").await.unwrap();
    server.kill().await;
    let server = start(options(directory.path())).await;
    assert_eq!(text(&client(&server).await, "SELECT sum(n)::text FROM gig").await, "3");
    server.stop().await;
}

#[tokio::test]
async fn a_port_that_someone_else_took_is_replaced_unless_it_was_asked_for() {
    let directory = directory();
    let server = start(options(directory.path())).await;
    let port = server.address().port;
    server.stop().await;
    let _other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let problem = refusal(ServerOptions { port: Some(port), ..options(directory.path()) }).await;
    assert_eq!(problem.code, ErrorCode::PostgresNotStarted);
    assert!(problem.why.unwrap().contains(&format!("port {port}")));
    let server = start(options(directory.path())).await;
    assert_ne!(server.address().port, port);
    server.stop().await;
}

#[tokio::test]
async fn two_servers_run_side_by_side_and_two_on_one_directory_do_not() {
    let (a, b) = (directory(), directory());
    let (first, second) = tokio::join!(start(options(a.path())), start(options(b.path())));
    assert_ne!(first.address(), second.address());
    let problem = refusal(options(a.path())).await;
    assert_eq!(problem.code, ErrorCode::DirectoryInUse);
    assert_eq!(text(&client(&first).await, "SELECT 'untouched'").await, "untouched");
    tokio::join!(first.stop(), second.stop());
}

#[tokio::test]
async fn a_server_that_a_killed_process_left_behind_is_stopped_and_a_strangers_pid_is_not() {
    let directory = directory();
    let data = directory.path().join("data");
    start(options(directory.path())).await.stop().await;
    // A postmaster without our ties, as it is left where a parent's death cannot be signalled.
    let mut orphan = installation().command("postgres");
    orphan.arg("-D").arg(&data).args(["-c", "port=1", "-c", "listen_addresses="]).arg("-c");
    orphan.arg(format!("unix_socket_directories={}", directory.path().join("sockets").display()));
    run_as_owner(&mut orphan, &data);
    let mut orphan = orphan.stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/").spawn().unwrap();
    let pid_file = data.join("postmaster.pid");
    wait_until("the orphan is ready", || fs::read_to_string(&pid_file).is_ok_and(|text| text.contains("ready"))).await;
    let server = start(options(directory.path())).await;
    assert!(orphan.try_wait().unwrap().is_some(), "the orphan was stopped");
    server.stop().await;

    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    fs::write(&pid_file, format!("{}\n{}\n", stranger.id(), data.display())).unwrap();
    holm_postgres::postmaster::stop_leftover(&data).await.unwrap();
    assert!(stranger.try_wait().unwrap().is_none(), "a stranger was signalled");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

fn run_as_owner(command: &mut Command, data: &Path) {
    use std::os::unix::process::CommandExt;
    let owner = data.metadata().expect("a data directory");
    if is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
}

async fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 60 s: {what}");
}

/// The process that the next test kills.
#[tokio::test]
async fn child_that_starts_a_server_and_waits() {
    if let Some(directory) = std::env::var_os("HOLM_TEST_CHILD_DIRECTORY") {
        let server = start(options(Path::new(&directory))).await;
        fs::write(Path::new(&directory).join("pid"), server.pid().to_string()).unwrap();
        server.died().await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_ends_with_the_process_that_started_it_even_when_that_is_killed() {
    let directory = directory();
    let mut parent = Command::new(std::env::current_exe().unwrap());
    parent.args(["--exact", "child_that_starts_a_server_and_waits"]).env("HOLM_TEST_CHILD_DIRECTORY", directory.path());
    let mut parent = parent.stdout(Stdio::null()).spawn().unwrap();
    let pid_file = directory.path().join("pid");
    wait_until("the child has a server", || fs::read_to_string(&pid_file).is_ok_and(|pid| !pid.is_empty())).await;
    let postmaster = PathBuf::from(format!("/proc/{}/cwd", fs::read_to_string(&pid_file).unwrap()));
    assert!(postmaster.read_link().is_ok());
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until("the server has ended", || postmaster.read_link().is_err()).await;
    let server = start(options(directory.path())).await;
    let log = fs::read_to_string(server.log_path()).unwrap();
    assert!(log.contains("received fast shutdown request") && !log.contains("not properly shut down"), "{log}");
    server.stop().await;
}

#[tokio::test]
async fn an_initdb_that_was_cut_off_is_harmless() {
    let directory = directory();
    let partial = directory.path().join("data.new");
    let found = installation();
    let start_of = Server::start(&found, options(directory.path()));
    tokio::select! {
        result = start_of => panic!("{:?}", result.map(drop)),
        () = wait_until("initdb is under way", || partial.join("PG_VERSION").exists()) => {}
    }
    assert!(!directory.path().join("data").exists());
    let server = start(options(directory.path())).await;
    assert_eq!(text(&client(&server).await, "SELECT 'whole'").await, "whole");
    assert!(!partial.exists());
    server.stop().await;
}

#[tokio::test]
async fn an_empty_directory_is_used_and_one_that_holds_something_else_is_refused_with_the_reason() {
    let directory = directory();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    start(options(directory.path())).await.stop().await;
    fs::remove_dir_all(&data).unwrap();
    fs::create_dir(&data).unwrap();
    fs::write(data.join("letters"), "keep me").unwrap();
    assert!(refusal(options(directory.path())).await.why.unwrap().contains("no `PG_VERSION`"));
    fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    assert!(refusal(options(directory.path())).await.why.unwrap().contains("made by PostgreSQL 9"));
    assert_eq!(fs::read_to_string(data.join("letters")).unwrap(), "keep me");
}

#[tokio::test]
async fn another_password_than_the_data_directorys_is_refused_with_the_reason() {
    let directory = directory();
    start(options(directory.path())).await.stop().await;
    let problem = refusal(ServerOptions { password: Secret::new("battery staple".to_owned()), ..options(directory.path()) }).await;
    assert!(problem.why.as_ref().unwrap().contains("password authentication failed"), "{problem:?}");
    assert!(problem.next[0].contains("password"), "{problem:?}");
    start(options(directory.path())).await.stop().await;
}

#[tokio::test]
async fn a_setting_that_postgresql_refuses_is_quoted_from_its_log() {
    let directory = directory();
    let settings = vec![("no_such_setting".to_owned(), "on".to_owned())];
    let problem = refusal(ServerOptions { settings, ..options(directory.path()) }).await;
    assert!(problem.why.as_ref().unwrap().contains("no_such_setting"), "{problem:?}");
    start(options(directory.path())).await.stop().await;
}

#[tokio::test]
async fn root_is_told_which_directory_is_closed_to_the_servers_user() {
    if !is_root() {
        println!("skipped: an ordinary user's servers run as themselves");
        return;
    }
    let directory = directory();
    let closed = directory.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let problem = refusal(options(&closed)).await;
    assert!(problem.why.as_ref().unwrap().contains(&format!("`{}` is closed to the user", closed.display())), "{problem:?}");
}

/// A small file system of its own; `None` where none can be mounted.
struct Tmpfs(TempDir);

impl Tmpfs {
    fn mount(mebibytes: u32) -> Option<Self> {
        let directory = directory();
        let size = format!("size={mebibytes}m,mode=0711");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()).stderr(Stdio::null()).status();
        if !is_root() || !mounted.is_ok_and(|status| status.success()) {
            println!("skipped: no file system can be mounted here");
            return None;
        }
        Some(Self(directory))
    }

    fn make_read_only(&self) {
        let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(self.0.path()).status();
        assert!(remounted.expect("run mount").success());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a server that is being shut down may still be in it.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_disk_that_is_too_small_is_named_and_nothing_is_left_on_it() {
    let Some(disk) = Tmpfs::mount(8) else { return };
    let problem = refusal(options(disk.0.path())).await;
    assert_eq!(problem.code, ErrorCode::PostgresNotStarted);
    assert!(problem.why.as_ref().unwrap().contains("No space left on device"), "{problem:?}");
    assert!(problem.next.iter().any(|step| step.contains("make room")), "{problem:?}");
    let left: Vec<_> = fs::read_dir(disk.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "data.lock" || name == "sockets"), "{left:?}");
}

#[tokio::test]
async fn a_read_only_disk_is_named_before_and_after_the_data_directory_was_made() {
    let Some(disk) = Tmpfs::mount(256) else { return };
    start(options(disk.0.path())).await.stop().await;
    disk.make_read_only();
    for data in ["data", "other"] {
        let problem = refusal(ServerOptions { data: disk.0.path().join(data), ..options(disk.0.path()) }).await;
        assert!(problem.why.as_ref().unwrap().to_lowercase().contains("read-only file system"), "{problem:?}");
        assert!(problem.next.iter().any(|step| step.contains("writable")), "{problem:?}");
    }
}
