//! `holm tenant list`

use holm_api::view::TenantView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Which of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm tenant list
  holm tenant list --env production -o name
  holm tenant list --env production --columns tenant,state,database -o csv")]
pub(in crate::cli) struct Args {
    /// Only those of one environment
    #[arg(long, env = "HOLM_ENV", value_name = "ENVIRONMENT")]
    env: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let environments = match args.env {
        Some(environment) => vec![environment],
        None => crate::cli::env::all(&client).await?.iter().map(|environment| environment.name.to_string()).collect(),
    };
    let mut tenants: Vec<TenantView> = Vec::new();
    for environment in &environments {
        tenants.extend(client.list(&["environments", environment, "tenants"]).await?);
    }
    Ok(Answer::list(&tenants))
}
