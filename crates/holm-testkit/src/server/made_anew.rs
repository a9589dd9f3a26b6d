//! A server that is made anew with all that another has, as people do it for a new version of PostgreSQL.
//!
//! Promises: PostgreSQL's own programs do it, so that what these leave out is left out.

use std::process::{Command, Output, Stdio};

use crate::place;
use crate::server::TestServer;

impl TestServer {
    /// Another server with all that this one has now, superuser and password included, by `pg_dumpall` and `psql`: its identifier and
    /// the numbers of its databases are its own, and what allows no connections is not there.
    ///
    /// # Panics
    /// It could not be made, with the reason.
    pub async fn made_anew(&self) -> Self {
        let settings: Vec<(&str, &str)> = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let other = Self::start(place::new_directory().await, None, &settings, self.password.expose().clone()).await;
        let dump = other.directory.join("everything.sql");
        let mut out = self.program("pg_dumpall");
        out.arg("--file").arg(&dump);
        done(out).await;
        let mut into = other.program("psql");
        // That its superuser is there already is no reason to stop.
        into.args(["--no-psqlrc", "--quiet", "--dbname=postgres", "--file"]).arg(&dump);
        done(into).await;
        other
    }

    /// Goes on at its own address as another server, on the data of that one, which must have its superuser and password.
    ///
    /// # Panics
    /// It does not start, or the directories cannot be moved.
    pub async fn become_another(&self, other: Self) {
        self.stop().await;
        other.stop().await;
        std::fs::rename(self.data(), self.directory.join("former")).expect("a directory of its own");
        std::fs::rename(other.data(), self.data()).expect("both are on one file system");
        self.restart().await;
    }

    /// One of PostgreSQL's client programs, to be run against this server as its superuser.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.installation.bin.join(name));
        command.args(["--host", &self.address.host, "--port", &self.address.port.to_string(), "--username", self.superuser.as_str()]);
        command.env("PGPASSWORD", self.password.expose()).stdin(Stdio::null());
        if let Some(path) = &self.installation.library_path {
            command.env("LD_LIBRARY_PATH", path);
        }
        command
    }
}

async fn done(mut command: Command) {
    let run = move || command.output();
    let output: Output = tokio::task::spawn_blocking(run).await.expect("running a program does not panic").expect("the program is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
