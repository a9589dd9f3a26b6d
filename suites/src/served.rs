//! A throwaway server and a Holm before it: the example `served` of holm-proxy, as a child of this program.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use crate::access::Way;

/// The password of all that it makes.
pub(crate) const PASSWORD: &str = "password";

/// One for one run; it ends when dropped.
pub(crate) struct Served {
    child: Child,
    /// Of the server itself.
    pub(crate) direct: Address,
    /// Where the run goes.
    pub(crate) way: Address,
}

/// A user, a host, a port and a database.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// All of it.
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) port: String,
    pub(crate) database: String,
}

impl Address {
    fn read(line: Option<std::io::Result<String>>) -> anyhow::Result<Self> {
        let url = line.context("`served` ended before it served")??;
        let (place, database) = url.split_once('@').and_then(|(_, rest)| rest.split_once('/')).context("a URL")?;
        let (host, port) = place.rsplit_once(':').context("a port")?;
        Ok(Self { host: host.to_owned(), port: port.to_owned(), database: database.to_owned(), url: url.clone() })
    }
}

impl Served {
    /// Starts one with these names, separated by commas, this database and these settings of the server.
    pub(crate) fn start(way: Way, users: &str, database: &str, settings: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::var_os("HOLM_SERVED").context("start this with `suites/run`")?;
        let mut command = Command::new(program);
        command.args([way.pooling(), users, database]).args(settings).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("start `served`")?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let (direct, proxied) = (Address::read(lines.next())?, Address::read(lines.next())?);
        let way = if way.is_through_holm() { proxied } else { direct.clone() };
        Ok(Self { child, direct, way })
    }

    /// `psql` on the server itself, quiet, for what must be there before the tests.
    pub(crate) fn psql(&self, args: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new("psql");
        crate::outcome::ask(command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.direct.url]).args(args)).map(drop)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
