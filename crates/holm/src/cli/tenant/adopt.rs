//! `holm tenant adopt`: a database that exists becomes a tenant's; nothing in it is changed, so nothing is asked.

use holm_api::view::cluster::AdoptTenant;
use holm_api::view::operation::OperationView;
use holm_core::error::Problem;

use super::Named;
use crate::cli::cluster::place::Place;
use crate::cli::cluster::server::{Server, Told};
use crate::cli::context::Context;
use crate::cli::waiting::{self, Until, Waiting};
use crate::output::Answer;

/// Which database, and whose it is to be.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm tenant adopt goteborg --env production --server postgresql://app@db.example.com:5432/app --password-file app.password")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    #[command(flatten)]
    server: Server,
    /// The name of the cluster that it becomes [default: <environment>-<slug>]
    #[arg(long, value_name = "CLUSTER")]
    cluster_name: Option<String>,
    #[command(flatten)]
    place: Place,
    /// By which profile its copies are judged [default: its environment's, if that has one]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Told { url, password, sslmode, ssl_root_cert, client_cert, client_key } = args.server.read()?;
    let wanted = AdoptTenant {
        url,
        password,
        cluster: args.cluster_name,
        sslmode,
        ssl_root_cert,
        client_cert,
        client_key,
        place: args.place.claim(),
        profile: args.profile,
    };
    let client = context.client()?;
    let begun: OperationView = client.post(&args.tenant.path(&["adopt"]), &[], &wanted).await?;
    let (slug, environment) = (&args.tenant.slug, &args.tenant.environment.name);
    context.say(&format!("✓ {slug} is being adopted in {environment}; nothing in its database is changed"));
    Ok(waiting::after(context, &client, begun, &args.waiting, Until::Over).await?.shown)
}
