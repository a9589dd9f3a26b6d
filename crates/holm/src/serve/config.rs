//! What `holm serve` is told, by flags and by the environment, and what that means.
//!
//! Promises: everything that is wrong is said before anything listens or connects.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_engine::mail::MailConfig;
use holm_engine::node::NodeRole;
use holm_proxy::gateway::GatewayConfig;
use holm_proxy::postgres::{ProxyConfig, TlsFiles};
use reqwest::Url;

use crate::catalog::open::CatalogArgs;
use crate::client_certificates::client_certificates;
use crate::console_args::ConsoleArgs;
use crate::mail_args::MailArgs;
use crate::pooling_args::{Pooling, Reset};

const EXAMPLES: &str = "Examples:
  HOLM_CATALOG_URL_FILE=/etc/holm/catalog.url holm serve --app http://127.0.0.1:3000
  holm serve --data-dir /var/lib/holm/node --app http://127.0.0.1:3000
  holm serve --role control --api-listen 10.0.0.5:8400
  holm serve --role data --control http://10.0.0.5:8400 --data-dir /var/lib/holm/node --proxy-listen 0.0.0.0:6432
  holm serve --node-name stockholm-1 --proxy-listen 0.0.0.0:6432 --tls-cert cert.pem --tls-key key.pem --tls-required

The catalog must be ready: `holm init`, once. A node with `--role data` is let in before: `holm node add`. SIGTERM stops in order; see docs/how-to/upgrade.md for restarts under load.";

/// What the process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// Everything: API, operations, proxy and gateway
    All,
    /// API and operations
    Control,
    /// Proxy and gateway, with routes from a control plane elsewhere; needs no catalog and no master key
    Data,
}

/// Where the process listens, and on which catalog it works.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    catalog: CatalogArgs,
    /// What this process does
    #[arg(long, value_enum, default_value = "all", env = "HOLM_ROLE")]
    role: Role,
    /// A control plane that a node with `--role data` asks for routes; more than once, or with commas between, for several
    #[arg(long, value_name = "URL", env = "HOLM_CONTROL", value_delimiter = ',')]
    control: Vec<String>,
    /// What the other processes and `holm doctor` call this one [default: the machine's name and the proxy's port]
    #[arg(long, value_name = "NAME", env = "HOLM_NODE_NAME")]
    node_name: Option<String>,
    /// Where apps connect with PostgreSQL's protocol
    #[arg(long, value_name = "ADDRESS", env = "HOLM_PROXY_LISTEN", default_value = "127.0.0.1:6432")]
    proxy_listen: SocketAddr,
    /// For how long an app's connection has a server connection of its own, unless it says otherwise itself
    #[arg(long, value_enum, default_value = "transaction", env = "HOLM_PROXY_POOLING")]
    proxy_pooling: Pooling,
    /// When a server connection is cleaned between two clients in transaction pooling, unless a connection says otherwise
    #[arg(long, value_enum, default_value = "seen", env = "HOLM_PROXY_RESET")]
    proxy_reset: Reset,
    #[command(flatten)]
    console: ConsoleArgs,
    /// Where browsers find tenants by subdomain
    #[arg(long, value_name = "ADDRESS", env = "HOLM_GATEWAY_LISTEN", default_value = "127.0.0.1:8080")]
    gateway_listen: SocketAddr,
    /// Where the API listens, without TLS: put something before it that has it
    #[arg(long, value_name = "ADDRESS", env = "HOLM_API_LISTEN", default_value = "127.0.0.1:8400")]
    api_listen: SocketAddr,
    /// The app that the gateway passes requests on to
    #[arg(long, value_name = "URL", env = "HOLM_APP")]
    app: Option<String>,
    /// A certificate chain in PEM; the proxy then speaks TLS
    #[arg(long, value_name = "FILE", env = "HOLM_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE", env = "HOLM_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authorities in PEM: the proxy wants a certificate that leads to one of them of every client, beside the password
    #[arg(long, value_name = "FILE", env = "HOLM_TLS_CLIENT_CA", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// Their revocation lists in PEM: what is on one is not taken, nor what comes from an authority that has none here
    #[arg(long, value_name = "FILE", env = "HOLM_TLS_CLIENT_CRL", requires = "tls_client_ca")]
    tls_client_crl: Option<PathBuf>,
    /// A client's certificate is good for one credential only, the one that its common name or a DNS name in it says
    #[arg(long, requires = "tls_client_ca")]
    tls_client_names: bool,
    /// The proxy refuses clients without TLS
    #[arg(long, requires = "tls_cert")]
    tls_required: bool,
    /// The directory of PostgreSQL's programs; tenants are copied with them
    #[arg(long, value_name = "DIR", env = "HOLM_PG_BIN")]
    pg_bin: Option<PathBuf>,
    /// Where checkpoints of the audit log are kept, best on another disk; each process has a file of its own
    #[arg(long, value_name = "FILE", env = "HOLM_AUDIT_CHECKPOINTS")]
    audit_checkpoints: Option<PathBuf>,
    /// Where this node keeps its routes, sealed, so that it can start and serve while the catalog is away; a directory of its own
    #[arg(long, value_name = "DIR", env = "HOLM_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// For so many seconds after SIGTERM sessions go on until their clients leave; a transaction gets 5 s more
    #[arg(long, value_name = "SECONDS", default_value_t = 10, env = "HOLM_DRAIN_SECONDS")]
    drain_seconds: u32,
    #[command(flatten)]
    mail: MailArgs,
}

/// What a process is made of.
pub(super) struct Config {
    pub(super) catalog: CatalogArgs,
    /// Where a node that only carries sessions asks; none for others.
    pub(super) controls: Vec<Url>,
    pub(super) role: NodeRole,
    pub(super) node_name: Option<String>,
    pub(super) proxy: ProxyConfig,
    pub(super) gateway: GatewayConfig,
    pub(super) api_listen: SocketAddr,
    pub(super) pg_bin: Option<PathBuf>,
    pub(super) audit_checkpoints: Option<PathBuf>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) mail: Option<MailConfig>,
    pub(super) linger: Duration,
}

impl Args {
    /// Reads what was said.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidConfig`] with what is wrong.
    pub(super) fn config(self) -> Result<Config, Problem> {
        let role = match self.role {
            Role::All => NodeRole::All,
            Role::Control => NodeRole::Control,
            Role::Data => NodeRole::Data,
        };
        let controls = controls(role, &self.control, self.data_dir.is_some())?;
        if role != NodeRole::Data {
            self.catalog.address()?;
        }
        let mail = self.mail.config()?;
        let console = self.console.users()?;
        let node_name = self.node_name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        if node_name.as_ref().is_some_and(|name| name.len() > 100 || name.chars().any(char::is_control)) {
            return Err(invalid("`--node-name` is longer than 100 bytes or cannot be printed"));
        }
        let app = self.app.as_deref().map(str::parse).transpose();
        let app = app.map_err(|error| invalid("`--app` is not a URL").because(error).next("write it as `--app http://127.0.0.1:3000`"))?;
        let clients = client_certificates(self.tls_client_ca, self.tls_client_crl, self.tls_client_names);
        let tls = self.tls_cert.zip(self.tls_key);
        let tls = tls.map(|(certificate, key)| TlsFiles { clients, ..TlsFiles::new(certificate, key) });
        Ok(Config {
            catalog: self.catalog,
            controls,
            role,
            node_name,
            proxy: ProxyConfig {
                tls,
                tls_required: self.tls_required,
                pooling: self.proxy_pooling.into(),
                reset: self.proxy_reset.into(),
                console,
                ..ProxyConfig::new(self.proxy_listen)
            },
            gateway: GatewayConfig { app, ..GatewayConfig::new(self.gateway_listen) },
            api_listen: self.api_listen,
            pg_bin: self.pg_bin,
            audit_checkpoints: self.audit_checkpoints,
            // Who carries no sessions has nothing to serve alone.
            data_dir: self.data_dir.filter(|directory| role.carries() && !directory.as_os_str().is_empty()),
            mail,
            linger: Duration::from_secs(self.drain_seconds.into()),
        })
    }
}

/// The addresses of the link.
fn controls(role: NodeRole, said: &[String], has_directory: bool) -> Result<Vec<Url>, Problem> {
    if role != NodeRole::Data {
        return if said.is_empty() { Ok(Vec::new()) } else { Err(invalid("`--control` is for a node with `--role data` only")) };
    }
    if said.is_empty() {
        return Err(
            invalid("`--role data` needs a control plane that tells it the routes").next("name it: `--control http://10.0.0.5:8400`")
        );
    }
    if !has_directory {
        return Err(invalid("`--role data` needs a directory with its key, where it keeps its routes too")
            .next("name it: `--data-dir DIR`")
            .next("make the key where you are signed in: `holm node add NAME --key-file node.key`"));
    }
    said.iter().map(|url| link_of(url)).collect()
}

fn link_of(said: &str) -> Result<Url, Problem> {
    let wrong = |why: String| invalid(&format!("`--control {}` is no URL of a control plane", said.escape_debug())).because(why);
    let mut url = Url::parse(said.trim()).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("it begins with `http://` or `https://`".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("a node is known by its key, and says nothing else".to_owned()));
    }
    let path = format!("{}/link", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

fn invalid(what: &str) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, what)
}
