//! One installation for all tests of this process, on a runtime of its own: a server that is catalog and cluster, the API on
//! a free port, and a directory as `holm dev` leaves it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use holm_api::view::usage::{CarriedView, TenantUseView};
use holm_core::environment::EnvironmentKind;
use holm_core::secret::Secret;
use holm_engine::access::bootstrap;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::programs::Programs;
use holm_engine::secret::master_key::MasterKey;
use holm_link::Publisher;
use holm_store::catalog::Catalog;
use holm_testkit::TestServer;
use serde_json::Value;

pub(crate) const TOKEN: &str = "a-token-of-this-test-0123456789";

/// What somebody could choose as a secret to break a URL, a shell or a dotenv file.
pub(crate) const SECRET: &str = "p@ss:w/rd?#%&\"'$(id)`";

/// Held by a test that wants everything whole, and by one that makes and breaks servers.
pub(crate) static WHOLE: std::sync::Mutex<()> = std::sync::Mutex::new(());

pub(crate) struct Installation {
    /// What `--dir` is given.
    pub(crate) directory: PathBuf,
    pub(crate) url: String,
}

/// The installation; it lasts as long as the process.
pub(crate) fn installation() -> &'static Installation {
    static ONE: OnceLock<Installation> = OnceLock::new();
    ONE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            runtime.block_on(async {
                send.send(start().await).unwrap();
                std::future::pending::<()>().await;
            });
        });
        receive.recv().unwrap()
    })
}

async fn start() -> Installation {
    let server = holm_testkit::server().await;
    let postgres = server.connect("postgres").await;
    for statement in ["CREATE DATABASE holm_catalog", "REVOKE CONNECT, TEMPORARY ON DATABASE holm_catalog FROM PUBLIC"] {
        postgres.batch_execute(statement).await.unwrap();
    }
    let catalog = Catalog::open(&server.url("holm_catalog"), 8).unwrap();
    let _ = catalog.migrate().await.unwrap();
    let config = ControlConfig::new(catalog, MasterKey::from_bytes([7; 32]), Publisher::default());
    let installation = server.installation();
    let programs = Programs { directory: installation.bin.clone(), library_path: installation.library_path.clone() };
    let config = ControlConfig { checkpoints: Some(checkpoints()), programs: Some(programs), ..config };
    let control = Control::open(config).await.unwrap();
    control.start();
    let by = bootstrap::ensure(&control, &"test".parse().unwrap(), Secret::new(TOKEN.to_owned())).await.unwrap();
    for (name, kind, domain) in [
        ("production", EnvironmentKind::Production, "localhost"),
        ("staging", EnvironmentKind::Staging, "staging.localhost"),
        ("preview", EnvironmentKind::Staging, "preview.localhost"),
    ] {
        let domain = domain.parse().unwrap();
        let new = NewEnvironment { name: name.parse().unwrap(), kind, domain, pool_size: 1, migrations: None, seed: None };
        environment::ensure(&control, &by, new).await.unwrap();
    }
    cluster::register(&control, &by, new_cluster(server)).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = listener.local_addr().unwrap().to_string();
    let config = holm_api::ApiConfig { usage: Arc::new(|_, _| Box::pin(async { Some(used()) })), ..holm_api::ApiConfig::default() };
    let router = holm_api::router(control, config);
    tokio::spawn(holm_api::serve::serve(listener, router, tokio_util::sync::CancellationToken::new()));
    Installation { directory: directory(&api), url: format!("http://{api}") }
}

/// Nothing carries sessions here; this is what a process that does would say.
fn used() -> CarriedView {
    let tenant = TenantUseView {
        tenant: "goteborg".parse().unwrap(),
        cluster: "production-1".parse().unwrap(),
        sessions: 3,
        pinned: 0,
        waiting: 1,
        connections: 2,
        opening: 0,
        closing: 0,
        max: 2,
        counted: None,
    };
    CarriedView { sessions: 3, transactions: 7, pinned: 0, clusters: Vec::new(), tenants: vec![tenant], others: 0 }
}

/// The last run's are of another catalog.
fn checkpoints() -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("commands.checkpoints");
    let _ = fs::remove_file(&file);
    file
}

fn new_cluster(server: &TestServer) -> NewCluster {
    NewCluster {
        name: "production-1".parse().unwrap(),
        environment: "production".parse().unwrap(),
        address: server.address.clone(),
        admin_role: server.superuser.clone(),
        admin_password: server.password.clone(),
        connections_max: None,
    }
}

/// As `holm dev` leaves it while it runs. The last run's is replaced.
fn directory(api: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("commands").join(".holm");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let token_file = directory.join("token");
    private(&token_file, TOKEN);
    let endpoints = serde_json::json!({"proxy": "0.0.0.0:6432", "gateway": "127.0.0.1:8080", "api": api, "token_file": token_file});
    private(&directory.join("endpoints.json"), &endpoints.to_string());
    let stored: Vec<Value> = ["production", "staging"]
        .into_iter()
        .flat_map(|environment| ["owner", "rw", "ro"].map(|level| (environment, level)))
        .map(|(environment, level)| {
            serde_json::json!({"name": format!("{environment}-{level}"), "environment": environment, "level": level, "secret": SECRET})
        })
        .collect();
    private(&directory.join("credentials.json"), &Value::Array(stored).to_string());
    directory
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Changes the catalog, past Holm.
pub(crate) fn in_catalog(statement: &str) {
    installation();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        holm_testkit::server().await.connect("holm_catalog").await.batch_execute(statement).await.unwrap();
    });
}

/// A name that no other test of this process has.
pub(crate) fn fresh(kind: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{kind}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The program without anything that the surrounding environment would say, and with nobody to ask.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holm"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("HOLM_") || name.starts_with("PG")) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command against the installation.
pub(crate) fn holm(words: &[&str]) -> Output {
    // Before the words: what follows `--` is psql's.
    program().arg("--dir").arg(&installation().directory).args(words).output().unwrap()
}

/// Runs a command that must succeed and gives its standard output.
pub(crate) fn ok(words: &[&str]) -> String {
    let output = holm(words);
    assert!(output.status.success(), "holm {words:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command with `-o json` and gives its exit code and envelope.
pub(crate) fn json(words: &[&str]) -> (i32, Value) {
    let output = holm(&[&["-o", "json"], words].concat());
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("holm {words:?}: {error}: {output:?}"));
    (output.status.code().unwrap(), value)
}
