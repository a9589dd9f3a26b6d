//! `holm dev`: everything on one machine, in one process, on PostgreSQL servers of its own.
//!
//! Promises: one command from nothing to a working installation; a server for the catalog and one for each environment
//! (R13), none of them a system cluster; everything stops on Ctrl-C or SIGTERM and starts again on the same data, also
//! after SIGKILL. Refuses to be production: loopback servers, secrets in files of the directory, one machine.

mod banner;
mod credentials;
pub(crate) use credentials::random_secret;
mod demo;
mod directory;
mod endpoints;
mod environments;
mod installation;
mod regions;
mod servers;

use std::net::SocketAddr;
use std::path::PathBuf;

use holm_core::error::Problem;

use directory::Directory;
use installation::Installation;

use crate::pooling_args::{Pooling, Reset};

use crate::mail_args::MailArgs;
use crate::signals::Interrupts;

const EXAMPLES: &str = "Examples:
  holm dev --demo
  holm dev --migrations prisma/migrations --app http://127.0.0.1:3000
  holm dev --dir /tmp/try --proxy-listen 127.0.0.1:0";

/// Where the proxy, the gateway and the API listen, and what they carry.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Make production and staging with three orchestras, their schema and invented data
    #[arg(long)]
    demo: bool,
    /// Where apps connect with PostgreSQL's protocol; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6432")]
    proxy_listen: SocketAddr,
    /// For how long an app's connection has a server connection of its own, unless it says otherwise itself
    #[arg(long, value_enum, default_value = "transaction", env = "HOLM_PROXY_POOLING")]
    proxy_pooling: Pooling,
    /// When a server connection is cleaned between two clients in transaction pooling, unless a connection says otherwise
    #[arg(long, value_enum, default_value = "seen", env = "HOLM_PROXY_RESET")]
    proxy_reset: Reset,
    /// Where browsers find tenants by subdomain; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    gateway_listen: SocketAddr,
    /// Where the API listens; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8400")]
    api_listen: SocketAddr,
    /// The app that the gateway passes requests on to, such as `http://127.0.0.1:3000`
    #[arg(long, value_name = "URL", env = "HOLM_APP")]
    app: Option<String>,
    /// A directory of migrations in Prisma's layout that every new tenant starts with
    #[arg(long, value_name = "DIR", conflicts_with = "demo")]
    migrations: Option<PathBuf>,
    /// An SQL file that runs once in every new tenant, as the tenant's own owner role
    #[arg(long, value_name = "FILE", conflicts_with = "demo")]
    seed: Option<PathBuf>,
    /// The directory of PostgreSQL's programs, instead of looking for one
    #[arg(long, value_name = "DIR", env = "HOLM_PG_BIN")]
    pg_bin: Option<PathBuf>,
    /// A certificate chain in PEM; the proxy then speaks TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authorities in PEM: the proxy wants a certificate that leads to one of them of every client, beside the password
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// Their revocation lists in PEM: what is on one is not taken, nor what comes from an authority that has none here
    #[arg(long, value_name = "FILE", requires = "tls_client_ca")]
    tls_client_crl: Option<PathBuf>,
    /// A client's certificate is good for one credential only, the one that its common name or a DNS name in it says
    #[arg(long, requires = "tls_client_ca")]
    tls_client_names: bool,
    #[command(flatten)]
    mail: MailArgs,
}

/// Runs until a signal or until one of its servers ends by itself.
///
/// # Errors
/// What kept it from starting, or which server ended; everything that was started is stopped again first.
///
/// # Cancel safety
/// Must not be dropped: the servers would be stopped without their clients being told.
pub(crate) async fn run(args: Args, path: PathBuf) -> Result<(), Problem> {
    // Signals first: one that comes during the start must stop it as cleanly as one that comes later.
    let mut interrupts = Interrupts::listen()?;
    let directory = Directory::open(&path)?;
    let started = std::time::Instant::now();
    let mut installation = tokio::select! {
        // Dropping a half-made installation ends its servers by their parent-death signal; they recover at the next start.
        started = Installation::start(&args, &directory) => started?,
        () = interrupts.next() => return Ok(()),
    };
    endpoints::write(&directory, &installation)?;
    banner::print(&args, &directory, &installation, started.elapsed());
    let ended = tokio::select! {
        ended = installation.ended() => Err(ended),
        () = interrupts.next() => Ok(()),
    };
    eprintln!("stopping");
    endpoints::remove(&directory);
    installation.stop().await;
    ended
}
