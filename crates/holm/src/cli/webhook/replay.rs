//! `holm webhook replay`

use holm_api::view::webhook::WebhookView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::context::Context;
use crate::output::Answer;

/// What, to which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm webhook replay ci msg_018f3e5c2d7a7b3c9d4e5f60718293a4")]
pub(in crate::cli) struct Args {
    /// The webhook
    name: String,
    /// The message's id, as `deliveries` prints it
    message: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let path = ["webhooks", &args.name, "deliveries", &args.message, "replay"];
    let webhook: WebhookView = context.client()?.act(Method::POST, &path).await?;
    context.say(&format!("✓ {} is told {} again: holm webhook deliveries {}", webhook.name, args.message, webhook.name));
    Ok(Answer::one(&webhook))
}
