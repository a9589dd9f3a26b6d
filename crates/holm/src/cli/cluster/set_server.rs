//! `holm cluster set-server`: tried before it is changed, so nothing is asked.

use holm_api::view::cluster::{ClusterDetailView, SetClusterServer};
use holm_core::error::Problem;

use super::Named;
use super::server::{Server, Told};
use crate::cli::context::Context;
use crate::output::Answer;

/// Which, and where it is now.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm cluster set-server production-2 --env production --server postgresql://holm@db2.example.com --password-file holm.password
  holm cluster set-server production-3 --env production --server postgresql://holm@db.example.com --sslmode verify-full --ssl-root-cert new.crt
  holm cluster set-server production-malmo --env production --server postgresql://app@db2.example.com/app --password-file app.password
  holm cluster set-server production-2 --env production --server postgresql://holm@db18.example.com --password-file holm.password \\
      --replaced --reason 'upgraded to PostgreSQL 18, change 4711'

It stays the same server, or a standby of it that was promoted, once nobody answers at the old address any more. Without --sslmode
and --ssl-root-cert it is spoken to as before. Sessions at another address, or under other certificates, are ended. A database that was adopted is changed by
the name of its cluster, and stays that database; its tenant's sessions log in as the role that is given from then on.

A server that was made anew (`pg_upgrade`, a dump of the whole server that was restored) is another one: --replaced says that it has everything of
the former. The databases of all tenants must be there with their owners, privileges and passwords; what nobody has yet is made anew.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    cluster: Named,
    #[command(flatten)]
    server: Server,
    /// It is another server, which takes the cluster's place with everything that was on it
    #[arg(long, requires = "reason")]
    replaced: bool,
    /// Why it was replaced: kept for ever, so without names of people or customers
    #[arg(long, value_name = "TEXT", requires = "replaced")]
    reason: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Told { url, password, sslmode, ssl_root_cert, client_cert, client_key } = args.server.read()?;
    let wanted =
        SetClusterServer { url, password, sslmode, ssl_root_cert, client_cert, client_key, replaced: args.replaced, reason: args.reason };
    let changed: ClusterDetailView = context.client()?.post(&args.cluster.path("set-server"), &[], &wanted).await?;
    let (name, address) = (&args.cluster.name, &changed.cluster.address);
    context.say(&format!("✓ every node reaches {name} at {address} now, sslmode={}", changed.sslmode));
    Ok(Answer::one(&changed))
}
