//! `holm webhook rotate`

use holm_api::view::webhook::MadeWebhookView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm webhook rotate ci\n  holm webhook rotate ci -o json")]
pub(in crate::cli) struct Args {
    /// The webhook
    name: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let made: MadeWebhookView = context.client()?.act(Method::POST, &["webhooks", &args.name, "rotate"]).await?;
    context.say("✓ another secret, which is not shown again; the one before signs as well for 24 hours");
    Ok(Answer::one(&made))
}
