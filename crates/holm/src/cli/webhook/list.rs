//! `holm webhook list`

use holm_api::view::webhook::WebhookView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm webhook list\n  holm webhook list -o json")]
pub(in crate::cli) struct Args {}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let webhooks: Vec<WebhookView> = context.client()?.items(&["webhooks"]).await?;
    Ok(Answer::list(&webhooks))
}
