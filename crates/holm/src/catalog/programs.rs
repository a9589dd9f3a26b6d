//! PostgreSQL's own programs, run against the catalog.
//!
//! Promises: the password is in nobody's list of processes; what a program said is in the problem, and ends with the command.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;

use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::cluster::program_tls::ProgramTls;
use holm_postgres::finder::Finder;
use holm_postgres::installation::Installation;
use holm_store::address::CatalogAddress;
use tokio::process::Command;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslNegotiation, TargetSessionAttrs};

/// The last words say most.
const SAID_MAX: usize = 2_000;

/// Programs, and where they are to connect.
pub(super) struct Programs {
    installation: Installation,
    connection: Vec<(&'static str, Secret<String>)>,
    tls: ProgramTls,
}

impl Programs {
    /// Finds them.
    ///
    /// # Errors
    /// There are none, or the root certificates cannot be written for them.
    pub(super) async fn find(bin: Option<PathBuf>, address: &CatalogAddress) -> Result<Self, Problem> {
        let finder = Finder { explicit: bin, ..Finder::from_env() };
        let installation = tokio::task::spawn_blocking(move || finder.find()).await.expect("the search does not panic")?;
        let tls = ProgramTls::of(&address.tls, None).await.map_err(|error| {
            Problem::new(ErrorCode::Internal, "the root certificates cannot be handed to PostgreSQL's programs").because(error)
        })?;
        Ok(Self { installation, connection: connection(&address.config), tls })
    }

    /// Runs one to its end.
    ///
    /// # Errors
    /// [`ErrorCode::ProgramFailed`] with what it said.
    pub(super) async fn run<A: AsRef<OsStr>>(&self, program: &str, arguments: &[A]) -> Result<(), Problem> {
        let mut command = Command::new(self.installation.bin.join(program));
        // No key is theirs to inherit, and nothing but the catalog's URL says where they connect.
        for (name, _) in std::env::vars_os() {
            if [b"PG".as_slice(), b"HOLM_", b"VAULT_"].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        self.tls.tell(&mut command);
        command.envs(self.connection.iter().map(|(name, value)| (name, value.expose())));
        if let Some(libraries) = &self.installation.library_path {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let failed = |why: String| {
            Problem::new(ErrorCode::ProgramFailed, format!("PostgreSQL's `{program}` failed on the catalog"))
                .because(why)
                .changed(Changed::Nothing)
                .next("it must be of the server's major version or newer: `--pg-bin DIR` names another one")
        };
        let output = command.output().await.map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let from = said.char_indices().rev().take(SAID_MAX).last().map_or(0, |(at, _)| at);
        Err(failed(said[from..].trim().to_owned()))
    }
}

/// As libpq's environment variables say it.
fn connection(config: &Config) -> Vec<(&'static str, Secret<String>)> {
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    let ports: Vec<String> = config.get_ports().iter().map(u16::to_string).collect();
    let mut said = vec![
        ("PGHOST", hosts.join(",")),
        ("PGPORT", ports.join(",")),
        ("PGUSER", config.get_user().unwrap_or_default().to_owned()),
        ("PGDATABASE", config.get_dbname().or(config.get_user()).unwrap_or_default().to_owned()),
        ("PGPASSWORD", config.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()),
    ];
    let addresses: Vec<String> = config.get_hostaddrs().iter().map(ToString::to_string).collect();
    said.push(("PGHOSTADDR", addresses.join(",")));
    said.retain(|(_, value)| !value.is_empty());
    match config.get_target_session_attrs() {
        TargetSessionAttrs::ReadWrite => said.push(("PGTARGETSESSIONATTRS", "read-write".to_owned())),
        TargetSessionAttrs::ReadOnly => said.push(("PGTARGETSESSIONATTRS", "read-only".to_owned())),
        _ => {}
    }
    if config.get_channel_binding() == ChannelBinding::Require {
        said.push(("PGCHANNELBINDING", "require".to_owned()));
    }
    if config.get_ssl_negotiation() == SslNegotiation::Direct {
        // libpq knows it from version 17 on, and asks as before it did until then.
        said.push(("PGSSLNEGOTIATION", "direct".to_owned()));
    }
    said.push(("PGAPPNAME", "holm catalog".to_owned()));
    said.push(("PGCONNECT_TIMEOUT", "10".to_owned()));
    said.into_iter().map(|(name, value)| (name, Secret::new(value))).collect()
}
