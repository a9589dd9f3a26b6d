//! A PostgreSQL server of Holm's own: made when it is not there, started, watched, stopped.
//!
//! Promises: it listens on 127.0.0.1 and in a private directory only, its port stays the same as long as nobody else takes
//! it, and it ends with the process that started it. Two processes cannot run one data directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holm_core::cluster::ServerAddress;
use holm_core::error::Problem;
use holm_core::role::RoleName;
use holm_core::secret::Secret;
use rustix::process::Signal;
use tokio::time::timeout;

use crate::account::Account;
use crate::child::Child;
use crate::explain::not_started;
use crate::installation::Installation;
use crate::launch::Launch;
use crate::lock::FileLock;
use crate::port::HOST;
use crate::{log, postmaster};

/// A fast shutdown writes a checkpoint; beyond this the disk is the problem and recovery at the next start is as good.
const FAST_SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);
/// An immediate shutdown only ends processes; PostgreSQL itself kills what is left after 5 s (`SIGKILL_CHILDREN_AFTER_SECS`).
pub(crate) const IMMEDIATE_SHUTDOWN_DEADLINE: Duration = Duration::from_secs(8);

/// What a server is to be.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The data directory; made by `initdb` when it does not exist. The lock and temporary files lie beside it.
    pub data: PathBuf,
    /// The directory of the Unix socket; private to the server's account. Left out when the path is too long for a socket.
    pub sockets: PathBuf,
    /// The first role, a superuser.
    pub superuser: RoleName,
    /// Its password; must be the one that the data directory was made with.
    pub password: Secret<String>,
    /// Settings in PostgreSQL's words; they win over Holm's own.
    pub settings: Vec<(String, String)>,
    /// The port and no other; otherwise the one that it had last time, or a free one.
    pub port: Option<u16>,
}

/// A running server. Dropping it tells it to shut down and waits for nothing.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: ServerAddress,
    data: PathBuf,
    /// Held as long as the server runs.
    _lock: FileLock,
}

impl Server {
    /// Starts a server and waits until it answers a login.
    ///
    /// # Errors
    /// [`PostgresNotStarted`](holm_core::error::ErrorCode::PostgresNotStarted) with the end of the server's log,
    /// [`DirectoryInUse`](holm_core::error::ErrorCode::DirectoryInUse) when another process runs that directory.
    ///
    /// # Cancel safety
    /// Safe: a server that was started is told to shut down.
    pub async fn start(installation: &Installation, options: ServerOptions) -> Result<Self, Problem> {
        let account = Account::for_servers().map_err(|why| not_started(&options.data).because(why).next("sudo useradd --system holm"))?;
        let launch = Launch { installation, account: account.as_ref(), options: &options };
        launch.refuse_barred_directories()?;
        let lock = launch.lock()?;
        postmaster::stop_leftover(&options.data)
            .await
            .map_err(|pid| not_started(&options.data).because(format!("an earlier server, process {pid}, does not end")))?;
        launch.make_data_directory().await?;
        let (child, port) = launch.start_on_some_port().await?;
        tracing::info!(data = %options.data.display(), port, version = %installation.version, "PostgreSQL is ready");
        Ok(Self { child, address: ServerAddress { host: HOST.into(), port }, data: options.data, _lock: lock })
    }

    /// Where it listens.
    pub fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// The postmaster's process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Its log.
    pub fn log_path(&self) -> PathBuf {
        log::path(&self.data)
    }

    /// Waits until it has ended, for whatever reason.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn died(&self) {
        self.child.exited().await;
    }

    /// Ends it as a crash would.
    ///
    /// # Cancel safety
    /// Safe: the server is killed all the same.
    pub async fn kill(self) {
        self.child.signal(Signal::KILL);
        self.child.exited().await;
    }

    /// Ends it: sessions are cut, data is written, and if that takes too long, it is left to recovery.
    ///
    /// # Cancel safety
    /// Safe: the shutdown goes on unobserved.
    pub async fn stop(self) {
        for (signal, deadline) in [(Signal::INT, FAST_SHUTDOWN_DEADLINE), (Signal::QUIT, IMMEDIATE_SHUTDOWN_DEADLINE)] {
            self.child.signal(signal);
            if timeout(deadline, self.child.exited()).await.is_ok() {
                return;
            }
            tracing::warn!(data = %self.data.display(), ?signal, "PostgreSQL does not shut down");
        }
        self.child.signal(Signal::KILL);
        self.child.exited().await;
    }
}

/// The major version that made a data directory; `None` when it is none.
pub fn data_major(data: &Path) -> Option<u16> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}
