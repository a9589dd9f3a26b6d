//! An installation of `holm serve` processes: the real binary, a catalog, one cluster, one environment.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use holm_core::actor::{Actor, SystemActor};
use holm_core::cluster::ServerAddress;
use holm_core::credential::Level;
use holm_core::environment::EnvironmentKind;
use holm_core::secret::Secret;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::credential::{self, CredentialScope, NewCredential};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::node::NodeConfig;
use holm_engine::secret::master_keys::{KeySource, MasterKeys};
use holm_engine::tenant::{self, NewTenant};
use holm_link::Publisher;
use holm_store::catalog::Catalog;
use holm_testkit::{TestDatabase, TestServer, database, new_server, server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio_postgres::{Client, Config, NoTls};

/// Longer than anything takes on a busy machine of two cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const ENVIRONMENT: &str = "production";
pub(crate) const SECRET: &str = "a-secret-of-the-app-that-nobody-guesses";

pub(crate) static BY: Actor = Actor::system(SystemActor::Dev);

/// A catalog that is ready, and a cluster.
pub(crate) struct Installation {
    pub(crate) catalog: TestDatabase<'static>,
    pub(crate) cluster: TestServer,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) token: String,
    /// What its processes are told besides.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Installation {
    /// As a person would begin, and with as many tenants as named.
    pub(crate) async fn new(pool_size: u32, tenants: &[&str]) -> Self {
        Self::on(server().await, pool_size, tenants).await
    }

    /// As [`Self::new`], with its catalog on a server that may be stopped.
    pub(crate) async fn on(server: &'static TestServer, pool_size: u32, tenants: &[&str]) -> Self {
        // A session whose client stands still while it logs in takes part in no barrier of the server's, and `DROP DATABASE`
        // waits for one: for a minute, were it not for the second.
        let settings = [("max_connections", "150"), ("authentication_timeout", "3s")];
        let (catalog, cluster) = (database(server).await, new_server(&settings).await);
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("catalog.url"), catalog.url()).unwrap();
        let mut installation = Self { catalog, cluster, directory, token: String::new(), variables: Vec::new() };
        let token = installation.path("admin.token");
        let output = installation.run(&["init", "--write-token", token.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
        installation.token = fs::read_to_string(token).unwrap();
        let control = installation.control(None).await;
        control.start();
        installation.furnish(&control, pool_size).await;
        for slug in tenants {
            create(&control, slug).await;
        }
        control.shutdown().await;
        installation
    }

    async fn furnish(&self, control: &Control, pool_size: u32) {
        let new = NewEnvironment {
            name: ENVIRONMENT.parse().unwrap(),
            kind: EnvironmentKind::Production,
            domain: "example.test".parse().unwrap(),
            pool_size,
            migrations: None,
            seed: None,
        };
        environment::ensure(control, &BY, new).await.unwrap();
        let new = NewCluster {
            name: "production-1".parse().unwrap(),
            environment: ENVIRONMENT.parse().unwrap(),
            address: ServerAddress { host: self.cluster.address.host.clone(), port: self.cluster.address.port },
            admin_role: self.cluster.superuser.clone(),
            admin_password: Secret::new(self.cluster.password.expose().clone()),
            connections_max: None,
        };
        cluster::register(control, &BY, new).await.unwrap();
        let new = NewCredential {
            environment: ENVIRONMENT.parse().unwrap(),
            name: "app".parse().unwrap(),
            scope: CredentialScope::App,
            level: Level::Rw,
            secret: Some(Secret::new(SECRET.to_owned())),
        };
        credential::issue(control, &BY, new).await.unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn master_key(&self) -> PathBuf {
        self.path("master.key")
    }

    /// A control plane in the test itself, for what has no command yet.
    pub(crate) async fn control(&self, node: Option<NodeConfig>) -> Control {
        let catalog = Catalog::open(&self.catalog.url(), 4).unwrap();
        let keys = MasterKeys::new(KeySource::file(self.master_key()));
        Control::open(ControlConfig { node, ..ControlConfig::new(catalog, keys, Publisher::default()) }).await.unwrap()
    }

    /// The binary, told by its environment where the catalog and the key are.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holm"));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("HOLM_") && !name.starts_with("HOLM_PG")) {
                command.env_remove(name);
            }
        }
        command.env("HOLM_CATALOG_URL_FILE", self.path("catalog.url")).env("HOLM_MASTER_KEY_FILE", self.master_key());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    pub(crate) async fn catalog(&self) -> Client {
        self.catalog.connect().await
    }

    /// Starts a process on free ports.
    pub(crate) async fn serve(&self, name: &str) -> Serving {
        Serving::start(self, name, 0).await
    }
}

pub(crate) async fn create(control: &Control, slug: &str) {
    let new = NewTenant {
        environment: ENVIRONMENT.parse().unwrap(),
        slug: slug.parse().unwrap(),
        cluster: None,
        parameters: Vec::new(),
        ttl: None,
        profile: None,
        near: None,
    };
    tenant::create(control, &BY, new, PATIENCE).await.unwrap();
}

/// A `holm serve`.
pub(crate) struct Serving {
    pub(crate) name: String,
    pub(crate) child: Child,
    log: PathBuf,
    pub(crate) proxy_port: u16,
    /// Host and port of the gateway.
    pub(crate) gateway: String,
    api: String,
    token: String,
}

impl Serving {
    pub(crate) async fn start(installation: &Installation, name: &str, proxy_port: u16) -> Self {
        let mut serving = Self::spawn(installation, name, proxy_port);
        serving.ready().await;
        serving
    }

    /// Waits until it says that it is ready, and where it listens.
    async fn ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.log().lines().find(|line| line.starts_with("Holm is ready:")) {
                let after = |word: &str| line.split_once(word).unwrap().1.split([',', '/']).next().unwrap().trim().to_owned();
                self.proxy_port = after("proxy ").rsplit(':').next().unwrap().parse().unwrap();
                self.gateway = after("gateway ");
                self.api = after("API http://");
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "{} ended:\n{}", self.name, self.log());
            assert!(Instant::now() < deadline, "{} is not ready:\n{}", self.name, self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts one without waiting for it.
    pub(crate) fn spawn(installation: &Installation, name: &str, proxy_port: u16) -> Self {
        Self::launch(installation, installation.command(), name, proxy_port)
    }

    /// Starts one that only carries sessions: it knows neither catalog nor master key.
    pub(crate) async fn carry(installation: &Installation, name: &str, directory: &Path, controls: &[&str]) -> Self {
        let mut serving = Self::spawn_carrying(installation, name, directory, controls);
        serving.ready().await;
        serving
    }

    /// As [`Self::carry`], without waiting for it.
    pub(crate) fn spawn_carrying(installation: &Installation, name: &str, directory: &Path, controls: &[&str]) -> Self {
        let mut command = installation.command();
        command.env_remove("HOLM_CATALOG_URL_FILE").env_remove("HOLM_MASTER_KEY_FILE");
        command.env("HOLM_ROLE", "data").env("HOLM_CONTROL", controls.join(",")).env("HOLM_DATA_DIR", directory);
        Self::launch(installation, command, name, 0)
    }

    fn launch(installation: &Installation, mut command: Command, name: &str, proxy_port: u16) -> Self {
        let log = installation.path(&format!("{name}-{}.log", uuid::Uuid::new_v4()));
        let file = File::create(&log).unwrap();
        let child = command
            .args(["serve", "--node-name", name, "--gateway-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"])
            .args(["--proxy-listen", &format!("127.0.0.1:{proxy_port}")])
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self {
            name: name.to_owned(),
            child,
            log,
            proxy_port,
            gateway: String::new(),
            api: String::new(),
            token: installation.token.clone(),
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap(), signal).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "{} did not end:\n{}", self.name, self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn api(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("http://{}{path}", self.api);
        let mut request = reqwest::Client::new().request(method.parse().unwrap(), url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    pub(crate) async fn tell(&self, slug: &str, verb: &str) -> (u16, Value) {
        self.api("POST", &format!("/v1/environments/{ENVIRONMENT}/tenants/{slug}/{verb}"), None).await
    }

    pub(crate) async fn connect(&self, slug: &str) -> Result<Client, tokio_postgres::Error> {
        connect(&[self.proxy_port], slug).await
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal(Signal::CONT);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("the log of {}:\n{}", self.name, self.log());
        }
    }
}

/// A session through one of the proxies, the first that lets it in: as a client that has several hosts in its URL.
pub(crate) async fn connect(ports: &[u16], slug: &str) -> Result<Client, tokio_postgres::Error> {
    connect_as("app", ports, slug).await
}

/// As [`connect`], with the credential of a name; all have one secret.
pub(crate) async fn connect_as(credential: &str, ports: &[u16], slug: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config = Config::new();
    for port in ports {
        config.host("127.0.0.1").port(*port);
    }
    config.user(credential).password(SECRET).dbname(slug).connect_timeout(Duration::from_secs(10));
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Waits until a condition of the catalog holds; gives how long that took.
pub(crate) async fn until(catalog: &Client, condition: &str) -> Duration {
    let begun = Instant::now();
    loop {
        if catalog.query_one(&format!("SELECT ({condition})"), &[]).await.unwrap().get(0) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "not in time: {condition}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
