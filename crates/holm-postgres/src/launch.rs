//! How a server is started: its directories made, a port found, its process run until it lets its superuser in.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use rustix::process::Signal;
use tokio::time::timeout;

use crate::account::Account;
use crate::child::Child;
use crate::explain::{explain, not_started};
use crate::initdb::Initdb;
use crate::installation::Installation;
use crate::lock::FileLock;
use crate::port::{self, HOST};
use crate::ready::{self, NotReady};
use crate::server::{IMMEDIATE_SHUTDOWN_DEADLINE, ServerOptions, data_major};
use crate::{directory, log};

/// How often another free port is tried; each attempt loses only to a process that takes it within milliseconds.
const PORT_ATTEMPTS: usize = 5;
/// The longest socket path that `sockaddr_un` holds on Linux, without the final zero; macOS holds 103.
const SOCKET_PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The start of one server.
pub(crate) struct Launch<'a> {
    pub(crate) installation: &'a Installation,
    pub(crate) account: Option<&'a Account>,
    pub(crate) options: &'a ServerOptions,
}

/// Why one attempt at one port failed.
enum Refused {
    /// Another process listens there.
    PortTaken(u16),
    /// An earlier postmaster's processes have not all ended.
    NotYetFree,
    /// Anything else, with the reason.
    Other(String),
}

impl Launch<'_> {
    pub(crate) fn refuse_barred_directories(&self) -> Result<(), Problem> {
        let Some(account) = self.account else { return Ok(()) };
        let barred =
            [&self.options.data, &self.options.sockets, &self.installation.bin].into_iter().find_map(|path| account.barred_at(path));
        barred.map_or(Ok(()), |directory| {
            let why =
                format!("`{}` is closed to the user `{}`, which runs PostgreSQL since root may not", directory.display(), account.name);
            Err(not_started(&self.options.data)
                .because(why)
                .next("use a directory that every user can pass through, such as one in /var/lib"))
        })
    }

    pub(crate) fn lock(&self) -> Result<FileLock, Problem> {
        let mut path = self.options.data.clone().into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let lock = FileLock::try_new(&path).map_err(|error| self.cannot_write(&path, &error))?;
        lock.ok_or_else(|| {
            Problem::new(ErrorCode::DirectoryInUse, format!("`{}` is in use by another process", self.options.data.display()))
                .next("stop the other one, or use another directory")
        })
    }

    fn cannot_write(&self, path: &Path, error: &io::Error) -> Problem {
        explain(not_started(&self.options.data), format!("`{}`: {error}", path.display()))
    }

    pub(crate) async fn make_data_directory(&self) -> Result<(), Problem> {
        directory::create_private(&self.options.sockets, self.account).map_err(|error| self.cannot_write(&self.options.sockets, &error))?;
        // Nothing is lost with an empty directory, which the new one replaces.
        let is_empty = fs::read_dir(&self.options.data).is_ok_and(|mut entries| entries.next().is_none());
        if self.options.data.exists() && !is_empty {
            return self.refuse_other_major();
        }
        let durable = !self.options.settings.iter().any(|(name, value)| name == "fsync" && value == "off");
        let initdb = Initdb {
            installation: self.installation,
            account: self.account,
            data: &self.options.data,
            superuser: &self.options.superuser,
            password: &self.options.password,
            durable,
        };
        initdb.run().await.map_err(|why| {
            let what = format!("the data directory `{}` could not be made", self.options.data.display());
            explain(Problem::new(ErrorCode::PostgresNotStarted, what), why)
        })
    }

    fn refuse_other_major(&self) -> Result<(), Problem> {
        let (wanted, data) = (self.installation.version.major, &self.options.data);
        match data_major(data) {
            Some(major) if major == wanted => Ok(()),
            Some(major) => Err(not_started(data)
                .because(format!("it was made by PostgreSQL {major} and cannot be read by {}", self.installation.version))
                .next(format!("set HOLM_PG_BIN to the directory of PostgreSQL {major}'s programs"))),
            None => Err(not_started(data)
                .because("it is not a PostgreSQL data directory: it has no `PG_VERSION`")
                .next("use another directory")),
        }
    }

    pub(crate) async fn start_on_some_port(&self) -> Result<(Child, u16), Problem> {
        let data = &self.options.data;
        let mut refusal = String::new();
        for attempt in 0..PORT_ATTEMPTS {
            let remembered = if attempt == 0 { port::remembered(data) } else { None };
            let port = match self.options.port.or(remembered) {
                Some(port) => port,
                None => port::free().map_err(|error| not_started(data).because(format!("no free port on {HOST}: {error}")))?,
            };
            match self.start_on(port).await {
                Ok(child) => {
                    port::remember(data, port, self.account).map_err(|error| self.cannot_write(data, &error))?;
                    return Ok((child, port));
                }
                Err(Refused::PortTaken(port)) if self.options.port.is_some() => {
                    return Err(not_started(data)
                        .because(format!("port {port} of {HOST} is in use by another program"))
                        .next("choose another port"));
                }
                Err(Refused::PortTaken(port)) => refusal = format!("port {port} of {HOST} was taken by another program"),
                Err(Refused::NotYetFree) => {
                    refusal = "processes of an earlier server still run on it".to_owned();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(Refused::Other(why)) => {
                    let problem = explain(not_started(data), why);
                    return Err(problem.next(format!("read `{}`", log::path(data).display())));
                }
            }
        }
        Err(not_started(data).because(refusal))
    }

    async fn start_on(&self, port: u16) -> Result<Child, Refused> {
        let log_path = log::path(&self.options.data);
        let problem = |error: io::Error| Refused::Other(format!("`{}`: {error}", log_path.display()));
        let log = log::open(&log_path).map_err(problem)?;
        directory::hand_over(&log_path, self.account).map_err(problem)?;
        let from = log.metadata().map_err(problem)?.len();
        let child = Child::spawn(self.postgres(port, log).map_err(problem)?, Signal::INT)
            .await
            .map_err(|error| Refused::Other(format!("`{}`: {error}", self.installation.bin.join("postgres").display())))?;
        let login = ready::Login { data: &self.options.data, port, superuser: &self.options.superuser, password: &self.options.password };
        match login.succeeds(&child).await {
            Ok(()) => Ok(child),
            Err(refusal) => {
                child.signal(Signal::QUIT);
                let _ = timeout(IMMEDIATE_SHUTDOWN_DEADLINE, child.exited()).await;
                Err(classify(refusal, port, &log::written_since(&log_path, from)))
            }
        }
    }

    fn postgres(&self, port: u16, log: File) -> io::Result<std::process::Command> {
        let mut command = self.installation.command("postgres");
        command.arg("-D").arg(&self.options.data);
        let own = [
            ("listen_addresses", HOST.to_owned()),
            ("unix_socket_directories", self.socket_directory(port)),
            ("unix_socket_permissions", "0700".to_owned()),
            ("logging_collector", "off".to_owned()),
            ("log_destination", "stderr".to_owned()),
            ("lc_messages", "C".to_owned()),
            // Compiling queries costs more than it saves on databases of this size, and needs a library of 100 MB.
            ("jit", "off".to_owned()),
        ];
        let given = self.options.settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
        for (name, value) in own.into_iter().chain(given).chain([("port", port.to_string())]) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        if let Some(account) = self.account {
            account.apply(&mut command);
        }
        Ok(command)
    }

    /// The setting for the socket's directory, quoted as a list of one name; empty, for no socket, when the path is too long.
    fn socket_directory(&self, port: u16) -> String {
        let directory = self.options.sockets.display().to_string();
        let socket = format!("{directory}/.s.PGSQL.{port}");
        if socket.len() > SOCKET_PATH_BYTES_MAX { String::new() } else { format!("\"{}\"", directory.replace('"', "\"\"")) }
    }
}

fn classify(refusal: NotReady, port: u16, said: &str) -> Refused {
    match refusal {
        NotReady::Ended if said.contains("Address already in use") => Refused::PortTaken(port),
        NotReady::Ended if said.contains("is still in use") => Refused::NotYetFree,
        NotReady::Ended => Refused::Other(log::tail_of(said)),
        NotReady::Refused(why) => Refused::Other(why),
        NotReady::Silent { after } => Refused::Other(format!("no answer in {} s; it says: {}", after.as_secs(), log::tail_of(said))),
    }
}
