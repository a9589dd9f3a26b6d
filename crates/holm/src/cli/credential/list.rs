//! `holm credential list`

use holm_api::view::CredentialView;
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::output::Answer;

/// Which of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm credential list --env production\n  holm credential list --env production -o csv")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    environment: Environment,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let credentials: Vec<CredentialView> = context.client()?.list(&["environments", &args.environment.name, "credentials"]).await?;
    Ok(Answer::list(&credentials))
}
