//! How a tenant's database is reached from this machine: the proxy's address and a stored credential.

use holm_core::credential::Level;
use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;

use crate::proxy_url::{proxy_url, reachable};
use crate::settings::Server;
use crate::stored_credentials::{self, Stored};

/// A proxy and what it is shown.
#[derive(Debug)]
pub(in crate::cli) struct Connection {
    credential: Stored,
    proxy: String,
}

impl Connection {
    /// The stored credential of a level in an environment, and the proxy that takes it.
    ///
    /// # Errors
    /// None is stored here.
    pub(in crate::cli) fn find(server: &Server, environment: &str, level: Level) -> Result<Self, Problem> {
        let credential = stored_credentials::find(server.directory.as_deref(), environment, level)?;
        let endpoints = server.endpoints.as_ref();
        let unknown = || Problem::new(ErrorCode::SecretNotHere, "the proxy's address is not known on this machine");
        Ok(Self { credential, proxy: endpoints.ok_or_else(unknown)?.proxy.clone() })
    }

    /// The URL for one tenant.
    pub(in crate::cli) fn url(&self, slug: &str, schema: Option<&str>) -> Secret<String> {
        proxy_url(&self.credential, &self.proxy, slug, schema)
    }

    /// What libpq reads from the environment, so that no secret stands in a list of processes.
    pub(in crate::cli) fn variables(&self, slug: &str) -> [(&'static str, Secret<String>); 5] {
        let proxy = reachable(&self.proxy);
        let (host, port) = proxy.rsplit_once(':').unwrap_or((&proxy, "6432"));
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let secret = |text: &str| Secret::new(text.to_owned());
        [
            ("PGHOST", secret(host)),
            ("PGPORT", secret(port)),
            ("PGUSER", secret(self.credential.name.as_str())),
            ("PGDATABASE", secret(slug)),
            ("PGPASSWORD", secret(self.credential.secret.expose())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libpq_gets_host_and_port_apart() {
        let credential = Stored {
            name: "production-ro".parse().unwrap(),
            environment: "production".parse().unwrap(),
            level: Level::Ro,
            secret: Secret::new("p w".to_owned()),
        };
        let connection = Connection { credential, proxy: "[::1]:6432".to_owned() };
        let variables = connection.variables("malmo").map(|(name, value)| format!("{name}={}", value.expose()));
        assert_eq!(variables, ["PGHOST=::1", "PGPORT=6432", "PGUSER=production-ro", "PGDATABASE=malmo", "PGPASSWORD=p w"]);
    }
}
