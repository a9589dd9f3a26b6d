//! `holm webhook delete`

use holm_api::view::webhook::WebhookView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm webhook delete ci --yes")]
pub(in crate::cli) struct Args {
    /// The webhook
    name: String,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    args.yes.confirm(&format!("remove webhook `{}`, which is then told nothing more", args.name))?;
    let removed: WebhookView = context.client()?.act(Method::DELETE, &["webhooks", &args.name]).await?;
    context.say(&format!("✓ webhook {} is told nothing any more", removed.name));
    Ok(Answer::one(&removed))
}
