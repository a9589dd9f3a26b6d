//! `holm residency copy remove`

use holm_api::view::residency::record::RegisteredCopyView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::confirm::Yes;
use crate::cli::context::{Context, Environment};
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency copy remove log-grafana --env production --yes

For one that is no more. Holm deletes nothing there.")]
pub(in crate::cli) struct Args {
    /// What it is called: `holm residency copy list`
    copy: String,
    #[command(flatten)]
    at: Environment,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let environment = args.at.name;
    args.yes.confirm(&format!("forget the copy `{}` of {environment}, which deletes nothing where it is", args.copy))?;
    let removed: RegisteredCopyView = context.client()?.act(Method::DELETE, &["environments", &environment, "copies", &args.copy]).await?;
    context.say(&format!("✓ {} is a copy of nobody any more; everything is judged anew", removed.copy));
    Ok(Answer::one(&removed))
}
