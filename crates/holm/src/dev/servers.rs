//! The PostgreSQL servers of a `holm dev`: one for the catalog, one for each environment.
//!
//! Promises: nothing is shared between them, neither data nor password nor port (R1, R13, R74), and they start side by side.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::future::{join_all, select_all};
use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_postgres::account::private_root;
use holm_postgres::installation::Installation;
use holm_postgres::server::{Server, ServerOptions};

use super::directory::Directory;
use crate::private_file;

const PASSWORDS: &str = "servers.json";

/// What a development machine carries without noticing, and enough for some dozens of sessions on each environment.
const SETTINGS: &[(&str, &str)] = &[("max_connections", "120"), ("shared_buffers", "64MB"), ("autovacuum_naptime", "5min"), ("jit", "off")];

/// The superuser of each server; known to Holm alone, and no tenant's role.
pub(super) const SUPERUSER: &str = "holm";

/// Running servers by name.
#[derive(Debug)]
pub(super) struct Servers {
    running: Vec<(String, Server)>,
    passwords: BTreeMap<String, String>,
}

impl Servers {
    /// Starts the named servers side by side, making those that are not there yet.
    ///
    /// # Errors
    /// The first that did not start; the others are stopped again.
    pub(super) async fn start(directory: &Directory, installation: &Installation, names: &[String]) -> Result<Self, Problem> {
        let passwords = passwords(&directory.file(PASSWORDS), names)?;
        let root = private_root(directory.path());
        let starting = names.iter().map(|name| {
            let options = options(&root, name, &passwords[name]);
            async move { Server::start(installation, options).await.map(|server| (name.clone(), server)) }
        });
        let (mut running, mut failed) = (Vec::new(), None);
        for started in join_all(starting).await {
            match started {
                Ok(server) => running.push(server),
                Err(problem) => failed = Some(problem),
            }
        }
        let servers = Self { running, passwords };
        match failed {
            None => Ok(servers),
            Some(problem) => {
                servers.stop().await;
                Err(problem)
            }
        }
    }

    /// A server by name.
    pub(super) fn named(&self, name: &str) -> &Server {
        let found = self.running.iter().find(|(known, _)| known == name);
        &found.expect("only names that were started are asked for").1
    }

    /// The superuser's password of a server.
    pub(super) fn password(&self, name: &str) -> Secret<String> {
        Secret::new(self.passwords[name].clone())
    }

    /// Waits until one of them ends by itself, and says which.
    pub(super) async fn ended(&self) -> Problem {
        let waiting = self.running.iter().map(|(name, server)| {
            Box::pin(async move {
                server.died().await;
                Problem::new(ErrorCode::PostgresNotStarted, format!("the PostgreSQL server `{name}` ended by itself"))
                    .because(format!("its log is `{}`", server.log_path().display()))
                    .next("start `holm dev` again: it recovers on the same data")
            })
        });
        select_all(waiting).await.0
    }

    /// Stops all of them, side by side.
    pub(super) async fn stop(self) {
        join_all(self.running.into_iter().map(|(_, server)| server.stop())).await;
    }
}

fn options(root: &Path, name: &str, password: &str) -> ServerOptions {
    ServerOptions {
        data: root.join(name),
        sockets: root.join("s"),
        superuser: SUPERUSER.parse().expect("a constant that is a name"),
        password: Secret::new(password.to_owned()),
        settings: SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        port: None,
    }
}

/// The passwords of all servers, made where missing. They are written before a server is made with one, so that a crash
/// in between loses nothing.
fn passwords(path: &PathBuf, names: &[String]) -> Result<BTreeMap<String, String>, Problem> {
    let cannot = |error: String| Problem::new(ErrorCode::InvalidConfig, format!("`{}` cannot be used", path.display())).because(error);
    let mut known: BTreeMap<String, String> = match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| cannot(error.to_string()))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => return Err(cannot(error.to_string())),
    };
    for name in names {
        known.entry(name.clone()).or_insert_with(super::credentials::random_secret);
    }
    let bytes = serde_json::to_vec_pretty(&known).expect("a map of strings is JSON");
    private_file::write(path, &bytes).map_err(|error| cannot(error.to_string()))?;
    Ok(known)
}
