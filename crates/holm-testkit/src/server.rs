//! PostgreSQL servers for tests: one per process for everyone, and more for tests that stop, kill or fill theirs.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use holm_core::cluster::ServerAddress;
use holm_core::placement::SystemIdentifier;
use holm_core::role::RoleName;
use holm_core::secret::Secret;
use holm_postgres::finder::Finder;
use holm_postgres::installation::Installation;
use holm_postgres::server::{Server, ServerOptions};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, NoTls};

use crate::place;
use crate::tmpfs::Tmpfs;

mod made_anew;

/// A server of this test process; [`server`] and [`new_server`] make them.
#[derive(Debug)]
pub struct TestServer {
    /// Where it listens; stays the same over a restart.
    pub address: ServerAddress,
    /// A superuser.
    pub superuser: RoleName,
    /// Its password.
    pub password: Secret<String>,
    directory: PathBuf,
    installation: Installation,
    settings: Vec<(String, String)>,
    /// Before the disk, so that it is told to shut down before that is unmounted.
    running: Mutex<Option<Server>>,
    disk: Option<Tmpfs>,
}

static SHARED: OnceCell<TestServer> = OnceCell::const_new();

/// Room for many tests at once in one process; each connection costs the server some 2 MB.
const CONNECTIONS_MAX: &str = "600";

/// The server that all tests of this process share; it ends with the process.
///
/// # Panics
/// No server could be started, with the reason.
pub async fn server() -> &'static TestServer {
    SHARED.get_or_init(|| new_server(&[("max_connections", CONNECTIONS_MAX)])).await
}

/// A server of the caller's own with settings in PostgreSQL's words; it ends when dropped.
///
/// # Panics
/// It could not be started, with the reason.
pub async fn new_server(settings: &[(&str, &str)]) -> TestServer {
    TestServer::start(place::new_directory().await, None, settings, random_password()).await
}

/// As [`new_server`], on a file system of its own of that size: 64 MiB hold a new server and little more. `None`, with a
/// printed reason, where no file system can be mounted.
///
/// # Panics
/// It could not be started, with the reason.
pub async fn new_server_on_tmpfs(mebibytes: u32, settings: &[(&str, &str)]) -> Option<TestServer> {
    let directory = place::new_directory().await;
    match Tmpfs::mount(&directory, mebibytes) {
        Ok(disk) => Some(TestServer::start(directory, Some(disk), settings, random_password()).await),
        Err(why) => {
            println!("skipped: {why}");
            None
        }
    }
}

/// The PostgreSQL that tests run on: found once.
async fn installation() -> Installation {
    static FOUND: OnceCell<Installation> = OnceCell::const_new();
    let find = || async {
        let found = tokio::task::spawn_blocking(|| Finder::from_env().find()).await.expect("looking for PostgreSQL does not panic");
        found.unwrap_or_else(|problem| panic!("no PostgreSQL for tests: {problem:?}"))
    };
    FOUND.get_or_init(find).await.clone()
}

impl TestServer {
    async fn start(directory: PathBuf, disk: Option<Tmpfs>, settings: &[(&str, &str)], password: String) -> Self {
        // Nothing of a test needs to survive a power failure; what is committed still survives a crash of the server.
        let fast = [("fsync", "off")];
        let settings = fast.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut server = Self {
            address: ServerAddress { host: "".into(), port: 0 },
            superuser: "holm".parse().expect("a valid role name"),
            password: Secret::new(password),
            directory,
            installation: installation().await,
            settings,
            running: Mutex::new(None),
            disk,
        };
        let running = server.launch(None).await;
        server.address = running.address().clone();
        *server.running() = Some(running);
        server
    }

    async fn launch(&self, port: Option<u16>) -> Server {
        let options = ServerOptions {
            data: self.data(),
            sockets: self.directory.join("sockets"),
            superuser: self.superuser.clone(),
            password: self.password.clone(),
            settings: self.settings.clone(),
            port,
        };
        let started = Server::start(&self.installation, options).await;
        started.unwrap_or_else(|problem| panic!("the test server did not start: {problem:?}"))
    }

    fn running(&self) -> MutexGuard<'_, Option<Server>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `initdb` gave it: the first eight bytes of `pg_control` (`ControlFileData`).
    ///
    /// # Panics
    /// The file is not there.
    pub fn system_identifier(&self) -> SystemIdentifier {
        let control = std::fs::read(self.data().join("global/pg_control")).expect("a server has a control file");
        SystemIdentifier(i64::from_ne_bytes(*control.first_chunk().expect("it is longer")))
    }

    /// A connection to a database as the superuser.
    ///
    /// # Panics
    /// The server refused, with its reason.
    pub async fn connect(&self, database: &str) -> Client {
        let (client, connection) =
            self.config(database).connect(NoTls).await.unwrap_or_else(|error| panic!("connect to `{database}`: {error:?}"));
        // Ends with the client, or with the server.
        tokio::spawn(connection);
        client
    }

    /// The parameters of [`Self::connect`], to change some of them.
    pub fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host(&*self.address.host).port(self.address.port).dbname(database);
        config.user(self.superuser.as_str()).password(self.password.expose());
        config
    }

    /// A URL to a database as the superuser. Names with characters that mean something in a URL are not for this.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{}:{}@{}/{database}", self.superuser, self.password.expose(), self.address)
    }

    /// The postmaster's process id.
    ///
    /// # Panics
    /// The server is stopped.
    pub fn pid(&self) -> u32 {
        self.running().as_ref().expect("the test server runs").pid()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data().join("holm.log")).unwrap_or_default()
    }

    /// The installation that it runs on, for `psql` and its kin.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Fills its disk to the last byte.
    ///
    /// # Panics
    /// It is not of [`new_server_on_tmpfs`]: the disk is everyone's.
    pub fn fill_disk(&self) {
        self.disk.as_ref().expect("a disk of its own").fill();
    }

    /// Makes room again on a disk that [`Self::fill_disk`] filled.
    ///
    /// # Panics
    /// It did not.
    pub fn relieve_disk(&self) {
        self.disk.as_ref().expect("a disk of its own").relieve();
    }

    /// Ends it in good order; sessions are cut.
    pub async fn stop(&self) {
        let running = self.running().take();
        if let Some(running) = running {
            running.stop().await;
        }
    }

    /// Ends it with SIGKILL, as a crash would.
    pub async fn kill(&self) {
        let running = self.running().take();
        if let Some(running) = running {
            running.kill().await;
        }
    }

    /// Starts it again on the same data and the same port; stops it first when it runs.
    pub async fn restart(&self) {
        self.stop().await;
        let running = self.launch(Some(self.address.port)).await;
        *self.running() = Some(running);
    }
}

/// 16 random bytes from the system, as hex.
fn random_password() -> String {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| std::io::Read::read_exact(&mut source, &mut bytes))
        .expect("the system has randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
