//! `holm cluster add`

use holm_api::view::cluster::AddCluster;
use holm_api::view::operation::OperationView;
use holm_core::error::Problem;

use super::place::Place;
use super::server::{Server, Told};
use crate::cli::context::{Context, Environment};
use crate::cli::waiting::{self, Until, Waiting};
use crate::output::Answer;

/// Which server, and as what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm cluster add production-2 --env production --server postgresql://holm@10.0.0.5:5432 --password-file holm.password
  holm cluster add production-3 --env production --server postgresql://holm@db.example.com --sslmode verify-full --ssl-root-cert root.crt
  holm cluster add production-5 --env production --server postgresql://holm@db.example.com --sslmode verify-full --ssl-root-cert root.crt \\
      --client-cert holm.crt --client-key holm.key
  holm cluster add production-4 --env production --server postgresql://holm@10.0.0.7 --provider scalingo --region osc-fr1
  pass show pg | holm cluster add production-2 --env production --server postgresql://holm@10.0.0.5 --password-file -")]
pub(in crate::cli) struct Args {
    /// Its name, unique over all environments
    #[arg(value_name = "CLUSTER")]
    name: String,
    #[command(flatten)]
    environment: Environment,
    #[command(flatten)]
    server: Server,
    /// How many connections the data plane may have open to it [default: all but a few]
    #[arg(long, value_name = "NUMBER")]
    max_connections: Option<u32>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Told { url, password, sslmode, ssl_root_cert, client_cert, client_key } = args.server.read()?;
    let wanted = AddCluster {
        name: args.name.clone(),
        url,
        password,
        connections_max: args.max_connections,
        sslmode,
        ssl_root_cert,
        client_cert,
        client_key,
        place: args.place.claim(),
    };
    let client = context.client()?;
    let path = ["environments", &args.environment.name, "clusters"];
    let begun: OperationView = client.post(&path, &[], &wanted).await?;
    context.say(&format!("✓ {} is being added to {}", args.name, args.environment.name));
    Ok(waiting::after(context, &client, begun, &args.waiting, Until::Over).await?.shown)
}
