//! What is compared: PostgreSQL itself, Holm with one worker and with one a core, PgBouncer where it is installed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_pgwire::scram::keys::LoginKeys;
use holm_testkit::{TestServer, new_server};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::node::{self, ROUNDS, SALT, SECRET};

const ROLE: &str = "bench_rw";
const PGBOUNCER: &str = "/usr/sbin/pgbouncer";

/// One target.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    /// The proxy's process.
    pub(crate) pid: Option<u32>,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) password: String,
}

/// All of them, with the processes that they live in.
pub(crate) struct Peers {
    peers: Vec<Peer>,
    admin: Client,
    database: String,
    children: Vec<Child>,
    _server: TestServer,
    _files: TempDir,
}

impl Drop for Peers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Peers {
    pub(crate) async fn start() -> Self {
        let server = new_server(&[("max_connections", "300"), ("shared_buffers", "256MB")]).await;
        let database = holm_testkit::database(&server).await.name.as_str().to_owned();
        let files = tempfile::Builder::new().prefix("holm-bench").tempdir_in("/tmp").expect("a directory");
        let admin = prepare(&server, &database).await;
        let mut peers = Self { peers: Vec::new(), admin, database, children: Vec::new(), _server: server, _files: files };
        let port = peers._server.address.port;
        peers.add("direct", port, None, (ROLE, &peers.database.clone()));
        for (name, workers) in [("holm, 1 worker", "1"), ("holm, 1 worker again", "1"), ("holm, 1 worker a core", "0")] {
            peers.add_holm(name, workers);
        }
        if Path::new(PGBOUNCER).exists() {
            for (name, mode) in [("pgbouncer session", "session"), ("pgbouncer transaction", "transaction")] {
                peers.add_pgbouncer(name, mode).await;
            }
        } else {
            println!("no PgBouncer in {PGBOUNCER}: not compared");
        }
        peers
    }

    pub(crate) fn all(&self) -> &[Peer] {
        &self.peers
    }

    /// Commits and rows fetched in the database so far.
    pub(crate) async fn counted(&self) -> (f64, f64) {
        let sql = "SELECT xact_commit::float8, tup_fetched::float8 FROM pg_stat_database WHERE datname = $1";
        let row = self.admin.query_one(sql, &[&self.database]).await.expect("the server answers");
        (row.get(0), row.get(1))
    }

    fn add(&mut self, name: &'static str, port: u16, child: Option<Child>, (user, database): (&str, &str)) {
        let pid = child.as_ref().map(Child::id);
        self.children.extend(child);
        self.peers.push(Peer { name, port, pid, user: user.into(), database: database.into(), password: SECRET.into() });
    }

    fn add_holm(&mut self, name: &'static str, workers: &str) {
        let this = std::env::current_exe().expect("this program");
        let port = self._server.address.port.to_string();
        let mut child = Command::new(this)
            .args([node::MODE, workers, &port, &self.database, ROLE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the proxy starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("the proxy says its port");
        self.add(name, line.trim().parse().expect("a port"), Some(child), ("app", "bench"));
    }

    async fn add_pgbouncer(&mut self, name: &'static str, mode: &str) {
        // PgBouncer cannot tell us a port that it chose, so that we choose one that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let directory = self._files.path();
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).expect("open the directory");
        let users = directory.join("users.txt");
        std::fs::write(&users, format!("\"app\" \"{}\"\n", verifier())).expect("write the users");
        let ini = directory.join(format!("{mode}.ini"));
        let mut file = std::fs::File::create(&ini).expect("create the configuration");
        write!(
            file,
            "[databases]\nbench = host=127.0.0.1 port={} dbname={} user={ROLE} password={SECRET}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = 100\n\
             max_client_conn = 500\nlog_connections = 0\nlog_disconnections = 0\nserver_tls_sslmode = disable\n",
            self._server.address.port,
            self.database,
            users.display()
        )
        .expect("write the configuration");
        let mut command = Command::new(PGBOUNCER);
        command.arg("-q").arg(&ini).stdout(Stdio::null()).stderr(Stdio::null());
        if std::env::var_os("USER").is_some_and(|user| user == "root")
            || std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
        {
            // It refuses to stay root.
            command.args(["-u", "postgres"]);
        }
        let child = command.spawn().expect("PgBouncer starts");
        self.add(name, port, Some(child), ("app", "bench"));
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(tokio::time::Instant::now() < deadline, "PgBouncer does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What PostgreSQL stores of the password, so that every target checks the same.
fn verifier() -> String {
    let verifier = LoginKeys::derive(SECRET.as_bytes(), SALT, ROUNDS).verifier(SALT, ROUNDS);
    let [salt, stored, server] = [SALT, &verifier.stored_key, &verifier.server_key].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256$4096:{salt}${stored}:{server}")
}

async fn prepare(server: &TestServer, database: &str) -> Client {
    let url = server.url(database);
    let filled = Command::new("pgbench").args(["-i", "-q", "-s", "10", &url]).stderr(Stdio::null()).stdout(Stdio::null()).status();
    assert!(filled.expect("pgbench runs").success(), "pgbench fills its tables");
    let admin = server.connect(database).await;
    let sql = format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{}'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE};", verifier());
    admin.batch_execute(&sql).await.expect("a role for the benchmark");
    admin
}
