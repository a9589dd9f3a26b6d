//! What is compared: PostgreSQL itself, Holm in both kinds of pooling, PgBouncer where it is installed.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_pgwire::scram::keys::LoginKeys;
use holm_testkit::certificates::Authority;
use holm_testkit::{TestServer, new_server};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use crate::node::{self, ROUNDS, SALT, SECRET, Told};
use crate::plan::Plan;

const ROLE: &str = "bench_rw";
/// Where Debian puts it.
pub(crate) const PGBOUNCER: &str = "/usr/sbin/pgbouncer";

/// How much there is of what.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) tenants: usize,
    /// Real databases; tenants share them, which a proxy cannot tell.
    pub(crate) databases: usize,
    /// Server connections that a proxy may have.
    pub(crate) budget: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self { tenants: 1, databases: 1, budget: 100 }
    }
}

/// One target.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    /// The proxy's process.
    pub(crate) pid: Option<u32>,
    /// Whether it shares its server connections by transaction.
    pub(crate) is_transaction: bool,
    pub(crate) user: String,
    pub(crate) password: String,
    databases: usize,
    /// How many tenants it was told of.
    pub(crate) tenants: usize,
}

impl Peer {
    /// What a client calls a tenant's database here.
    pub(crate) fn database(&self, tenant: usize) -> String {
        if self.pid.is_some() { node::slug(tenant) } else { self.expected(tenant) }
    }

    /// What a tenant's database calls itself.
    pub(crate) fn expected(&self, tenant: usize) -> String {
        node::database(tenant, self.databases)
    }
}

/// All of them, with the processes that they live in.
pub(crate) struct Peers {
    peers: Vec<Peer>,
    setup: Setup,
    admin: Client,
    children: Vec<Child>,
    server: TestServer,
    files: TempDir,
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
    pub(crate) async fn start(plan: &Plan, setup: Setup) -> Self {
        // Room for what every proxy keeps at the same time.
        let server = new_server(&[("max_connections", "1200"), ("shared_buffers", "256MB")]).await;
        let files = tempfile::Builder::new().prefix("holm-bench").tempdir_in("/tmp").expect("a directory");
        certify(files.path());
        let admin = prepare(&server, setup.databases).await;
        let mut peers = Self { peers: Vec::new(), setup, admin, children: Vec::new(), server, files };
        if plan.wants("direct") {
            peers.add("direct", peers.server.address.port, None, false);
        }
        for (name, pooling, workers) in [
            ("holm session", "session", "1"),
            ("holm transaction", "transaction", "1"),
            ("holm transaction, again", "transaction", "1"),
            ("holm transaction, strict", "strict", "1"),
            ("holm transaction/core", "transaction", "0"),
        ] {
            if plan.wants(name) {
                peers.add_holm(name, pooling, workers, setup.tenants);
            }
        }
        match version(&plan.pgbouncer) {
            Some(version) => {
                println!("{version}");
                for (name, mode) in [("pgbouncer session", "session"), ("pgbouncer transaction", "transaction")] {
                    if plan.wants(name) {
                        peers.add_pgbouncer((&plan.pgbouncer, &version), name, mode).await;
                    }
                }
            }
            None => println!("no PgBouncer in {}: not compared", plan.pgbouncer.display()),
        }
        peers
    }

    /// Holm once more, which was told of one tenant: what knowing the others costs is the difference to it.
    pub(crate) fn add_alone(&mut self, plan: &Plan) {
        for (name, workers) in [("holm transaction, alone", "1"), ("holm transaction/core, alone", "0")] {
            if plan.wants(name) {
                self.add_holm(name, "transaction", workers, 1);
            }
        }
    }

    pub(crate) fn all(&self) -> &[Peer] {
        &self.peers
    }

    /// Commits and rows fetched in the databases so far.
    pub(crate) async fn counted(&self) -> (f64, f64) {
        let sql = "SELECT sum(xact_commit)::float8, sum(tup_fetched)::float8 FROM pg_stat_database WHERE datname LIKE 'bench%'";
        let row = self.admin.query_one(sql, &[]).await.expect("the server answers");
        (row.get(0), row.get(1))
    }

    /// Server connections that there are for proxies now.
    pub(crate) async fn backends(&self) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'bench%'";
        self.admin.query_one(sql, &[]).await.expect("the server answers").get(0)
    }

    /// Sessions that there have been so far.
    pub(crate) async fn logins(&self) -> f64 {
        let sql = "SELECT sum(sessions)::float8 FROM pg_stat_database WHERE datname LIKE 'bench%'";
        self.admin.query_one(sql, &[]).await.expect("the server answers").get(0)
    }

    /// Where what is copied to the server is counted.
    pub(crate) async fn prepare_copy(&self) {
        let sql = format!(
            "CREATE TABLE sink (line text);
             CREATE SEQUENCE arrived CACHE 1;
             CREATE FUNCTION hesitates(line bigint) RETURNS boolean LANGUAGE plpgsql AS $$
                 BEGIN IF line % 1000 = 0 THEN PERFORM pg_sleep(0.01); END IF; RETURN false; END $$;
             GRANT INSERT, SELECT ON sink TO {ROLE};
             GRANT USAGE ON SEQUENCE arrived TO {ROLE};"
        );
        self.inside().await.batch_execute(&sql).await.expect("somewhere to copy to");
    }

    /// Lines that have been copied to the server so far.
    pub(crate) async fn arrived(&self) -> i64 {
        let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM arrived";
        self.inside().await.query_one(sql, &[]).await.expect("the server answers").get(0)
    }

    async fn inside(&self) -> Client {
        self.server.connect(&node::database(0, self.setup.databases)).await
    }

    /// Ends what proxies keep, so that the next begins with an empty server.
    pub(crate) async fn until_no_backends(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname LIKE 'bench%' AND state = 'idle'";
        while self.backends().await > 0 {
            assert!(Instant::now() < deadline, "server connections stay in use");
            self.admin.query_one(end, &[]).await.expect("the server answers");
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn add(&mut self, name: &'static str, port: u16, child: Option<Child>, is_transaction: bool) {
        let pid = child.as_ref().map(Child::id);
        self.children.extend(child);
        let user = if pid.is_some() { "app" } else { ROLE }.to_owned();
        let Setup { tenants, databases, .. } = self.setup;
        self.peers.push(Peer { name, port, pid, is_transaction, user, password: SECRET.into(), databases, tenants });
    }

    fn add_holm(&mut self, name: &'static str, pooling: &str, workers: &str, tenants: usize) {
        let this = std::env::current_exe().expect("this program");
        let Setup { databases, budget, .. } = self.setup;
        let (port, files) = (self.server.address.port, self.files.path());
        let server = self.server.system_identifier();
        let told = Told { pooling, workers, port, server, role: ROLE, files, tenants, databases, budget };
        let mut child =
            Command::new(this).args(told.args()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the proxy starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("the proxy says its port");
        self.add(name, line.trim().parse().expect("a port"), Some(child), pooling != "session");
        self.peers.last_mut().expect("it was added").tenants = tenants;
    }

    async fn add_pgbouncer(&mut self, (program, version): (&Path, &str), name: &'static str, mode: &str) {
        // PgBouncer cannot tell us a port that it chose, so that we choose one that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let ini = self.configure_pgbouncer(port, version, mode);
        let mut command = Command::new(program);
        command.arg("-q").arg(&ini).stdout(Stdio::null()).stderr(Stdio::null());
        if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
            // It refuses to stay root.
            command.args(["-u", "postgres"]);
        }
        let child = command.spawn().expect("PgBouncer starts");
        self.add(name, port, Some(child), mode == "transaction");
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "PgBouncer does not listen");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// At its limit it closes no idle connection of one tenant for another's sake, but any that was idle for so long.
    fn configure_pgbouncer(&self, port: u16, version: &str, mode: &str) -> std::path::PathBuf {
        let Setup { tenants, databases, budget } = self.setup;
        let directory = self.files.path();
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).expect("open the directory");
        let users = directory.join("users.txt");
        std::fs::write(&users, format!("\"app\" \"{}\"\n\"{ROLE}\" \"{SECRET}\"\n", verifier())).expect("write the users");
        let mut text = String::from("[databases]\n");
        for tenant in 0..tenants {
            let _ = writeln!(
                text,
                "{} = host=127.0.0.1 port={} dbname={} user={ROLE} password={SECRET}",
                node::slug(tenant),
                self.server.address.port,
                node::database(tenant, databases)
            );
        }
        // From 1.21 on it can share prepared statements; before that they are for session pooling only.
        let prepared = if version.contains("PgBouncer 1.1") { "" } else { "max_prepared_statements = 200\n" };
        let _ = write!(
            text,
            "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\n\
             pool_mode = {mode}\ndefault_pool_size = {budget}\nmax_user_connections = {budget}\nmax_client_conn = 5000\n\
             query_wait_timeout = 30\nserver_idle_timeout = 1\nlog_connections = 0\nlog_disconnections = 0\nserver_tls_sslmode = disable\nclient_tls_sslmode = allow\n\
             client_tls_cert_file = {certificate}/proxy.crt\nclient_tls_key_file = {certificate}/proxy.key\n{prepared}",
            users.display(),
            certificate = directory.display()
        );
        let ini = directory.join(format!("{mode}.ini"));
        std::fs::write(&ini, text).expect("write the configuration");
        ini
    }
}

/// What proxies show to clients that ask for TLS.
fn certify(directory: &Path) {
    let certificate = Authority::new("benchmark").issue(&["localhost"]);
    for (name, pem) in [("proxy.crt", &certificate.pem), ("proxy.key", &certificate.key_pem())] {
        std::fs::write(directory.join(name), pem).expect("write the certificate");
    }
}

/// What a PgBouncer says of itself.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}

/// What PostgreSQL stores of the password, so that every target checks the same.
fn verifier() -> String {
    let verifier = LoginKeys::derive(SECRET.as_bytes(), SALT, ROUNDS).verifier(SALT, ROUNDS);
    let [salt, stored, server] = [SALT, &verifier.stored_key, &verifier.server_key].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256$4096:{salt}${stored}:{server}")
}

/// The first database has pgbench's tables; each has a row that says which it is.
async fn prepare(server: &TestServer, databases: usize) -> Client {
    let admin = server.connect("postgres").await;
    admin.batch_execute(&format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{}'", verifier())).await.expect("a role for the benchmark");
    for number in 0..databases {
        let name = node::database(number, databases);
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database for the benchmark");
        if number == 0 {
            let url = server.url(&name);
            let mut fill = Command::new("pgbench");
            fill.args(["-i", "-q", "-s", "10", &url]).stderr(Stdio::null()).stdout(Stdio::null());
            assert!(fill.status().expect("pgbench runs").success(), "pgbench fills its tables");
        }
        let inside = server.connect(&name).await;
        let sql = format!("CREATE TABLE who AS SELECT '{name}' AS name; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE};");
        inside.batch_execute(&sql).await.expect("its name in it");
    }
    admin
}
