//! A `holm dev` of a test's own: the real binary, on ports and in a directory of its own, ended and removed afterwards.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a benchmark uses it too, and fails as a test does")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use holm_postgres::account::private_root;
use holm_postgres::finder::Finder;
use holm_postgres::installation::Installation;
use serde_json::Value;
use tokio_postgres::{Client, Config, NoTls};

/// A first start on a machine without PostgreSQL downloads one; anything slower is a fault.
const READY_PATIENCE: Duration = Duration::from_secs(180);
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_holm")
}

pub(crate) struct Holm {
    directory: PathBuf,
    arguments: Vec<String>,
    /// Variables of its environment.
    variables: Vec<(String, String)>,
    child: Child,
    endpoints: Value,
    http: reqwest::Client,
}

impl Holm {
    /// Starts with the demo's three orchestras.
    pub(crate) async fn demo() -> Self {
        Self::start(&["--demo"]).await
    }

    /// Starts in a fresh directory and waits until it is ready.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[]).await
    }

    /// As [`Self::start`], with variables in its environment.
    pub(crate) async fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::Builder::new().prefix("holm-e2e-").tempdir().unwrap().keep();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::start_in(directory, arguments.iter().map(|argument| (*argument).to_owned()).collect(), variables).await
    }

    async fn start_in(directory: PathBuf, arguments: Vec<String>, variables: Vec<(String, String)>) -> Self {
        let _ = fs::remove_file(directory.join("endpoints.json"));
        let child = spawn(&directory, &arguments, &variables);
        let mut holm = Self { directory, arguments, variables, child, endpoints: Value::Null, http: reqwest::Client::new() };
        holm.endpoints = holm.ready().await;
        holm
    }

    async fn ready(&mut self) -> Value {
        let path = self.directory.join("endpoints.json");
        let deadline = Instant::now() + READY_PATIENCE;
        loop {
            if let Ok(bytes) = fs::read(&path) {
                return serde_json::from_slice(&bytes).expect("endpoints.json is written whole");
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("`holm dev` ended with {status}:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "`holm dev` was not ready in {READY_PATIENCE:?}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The host and port of `proxy`, `gateway` or `api`.
    pub(crate) fn address(&self, endpoint: &str) -> String {
        self.endpoints[endpoint].as_str().unwrap().to_owned()
    }

    pub(crate) fn port(&self, endpoint: &str) -> u16 {
        self.address(endpoint).rsplit(':').next().unwrap().parse().unwrap()
    }

    /// SIGKILL to `holm dev` itself; what becomes of its servers is its own business.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again on the same data.
    pub(crate) async fn restart(&mut self) {
        let again = Self::start_in(self.directory.clone(), self.arguments.clone(), self.variables.clone()).await;
        let old = std::mem::replace(self, again);
        // The old child has ended; only its handle is left, and the directory is the new one's.
        std::mem::forget(old);
    }

    /// Starts again on the same data, and expects that it ends by itself: its exit status and what it said meanwhile.
    pub(crate) async fn fails_to_restart(&mut self) -> (ExitStatus, String) {
        let before = self.log().len();
        self.child = spawn(&self.directory, &self.arguments, &self.variables);
        let status = self.ended().await;
        (status, self.log()[before..].to_owned())
    }

    /// SIGTERM, and the exit status within its deadline.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).unwrap();
        self.ended().await
    }

    /// The exit status, when it ends by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + STOP_PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "`holm dev` did not stop in {STOP_PATIENCE:?}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Runs the command line against this installation.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        command().args(arguments).arg("--dir").arg(&self.directory).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs the command line, expects success, gives its standard output.
    pub(crate) fn cli_ok(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        assert!(output.status.success(), "holm {arguments:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn token(&self) -> String {
        fs::read_to_string(self.endpoints["token_file"].as_str().unwrap()).unwrap().trim().to_owned()
    }

    /// One request of the API, with this installation's token.
    pub(crate) async fn api(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("http://{}{path}", self.address("api"));
        let mut request = self.http.request(method.parse().unwrap(), url).bearer_auth(self.token());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    pub(crate) async fn create(&self, environment: &str, slug: &str) {
        let (status, answer) =
            self.api("POST", &format!("/v1/environments/{environment}/tenants"), Some(serde_json::json!({ "slug": slug }))).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// The stored development credential of a level: name and secret.
    pub(crate) fn credential(&self, environment: &str, level: &str) -> (String, String) {
        let stored: Value = serde_json::from_slice(&fs::read(self.directory.join("credentials.json")).unwrap()).unwrap();
        let found = stored.as_array().unwrap().iter().find(|entry| entry["environment"] == environment && entry["level"] == level).unwrap();
        (found["name"].as_str().unwrap().to_owned(), found["secret"].as_str().unwrap().to_owned())
    }

    /// How to connect to a tenant through the proxy with a credential.
    pub(crate) fn config(&self, (name, secret): &(String, String), tenant: &str) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port("proxy")).user(name).password(secret).dbname(tenant);
        config.connect_timeout(Duration::from_secs(10));
        config
    }

    /// A session through the proxy with the stored credential of a level.
    pub(crate) async fn connect(&self, environment: &str, level: &str, tenant: &str) -> Result<Client, tokio_postgres::Error> {
        connect(&self.config(&self.credential(environment, level), tenant)).await
    }

    /// Holm's own superuser on one of the servers, past the proxy, for looking at what is there: `catalog`, `env-production`.
    pub(crate) async fn server(&self, name: &str) -> Client {
        let passwords: Value = serde_json::from_slice(&fs::read(self.directory.join("servers.json")).unwrap()).unwrap();
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.server_port(name)).user("holm").password(passwords[name].as_str().unwrap()).dbname("postgres");
        connect(&config).await.unwrap()
    }

    /// The port of one of the servers, from its postmaster's own file.
    pub(crate) fn server_port(&self, name: &str) -> u16 {
        let pid_file = private_root(&self.directory).join(name).join("postmaster.pid");
        let text = fs::read_to_string(&pid_file).unwrap_or_else(|error| panic!("{}: {error}", pid_file.display()));
        // PostgreSQL, "miscadmin.h", LOCK_FILE_LINE_PORT: the fourth line.
        text.lines().nth(3).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Holm {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM);
            let deadline = Instant::now() + STOP_PATIENCE;
            while Instant::now() < deadline && self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("the log of `holm dev` in {}:\n{}", self.directory.display(), self.log());
        } else {
            let _ = fs::remove_dir_all(private_root(&self.directory));
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// PostgreSQL's own programs, found as `holm dev` finds them.
pub(crate) async fn postgres() -> Installation {
    tokio::task::spawn_blocking(|| Finder::from_env().find().unwrap()).await.unwrap()
}

/// The binary with nothing of the surrounding environment that would change what it does.
pub(crate) fn command() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("HOLM_") && !name.starts_with("HOLM_PG") || name == "LOG_LEVEL" || name == "LOG_FORMAT")
        {
            command.env_remove(name);
        }
    }
    command
}

fn spawn(directory: &Path, arguments: &[String], variables: &[(String, String)]) -> Child {
    let log = File::options().create(true).append(true).open(directory.join("log")).unwrap();
    command()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .arg("dev")
        .args(arguments)
        .args(["--proxy-listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0", "--dir"])
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

pub(crate) async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
