//! `holm cluster list`

use holm_api::view::ClusterView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Which of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm cluster list\n  holm cluster list --env production -o json")]
pub(in crate::cli) struct Args {
    /// Only those of one environment
    #[arg(long, env = "HOLM_ENV", value_name = "ENVIRONMENT")]
    env: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let mut clusters: Vec<ClusterView> = client.items(&["clusters"]).await?;
    if let Some(environment) = &args.env {
        crate::cli::env::known(&client, environment).await?;
        clusters.retain(|cluster| cluster.environment.as_str() == environment);
    }
    Ok(Answer::list(&clusters))
}
