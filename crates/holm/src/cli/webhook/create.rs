//! `holm webhook create`: the only moment at which its secret is known.

use holm_api::view::webhook::{CreateWebhook, MadeWebhookView};
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// What it is to be.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm webhook create ci https://hooks.example.com/holm
  holm webhook create pager https://hooks.example.com/page --action operation.alert --action 'break_glass.*' --env production
  holm webhook create here http://127.0.0.1:9000 --allow-private")]
pub(in crate::cli) struct Args {
    /// What to call it
    name: String,
    /// Where it listens: https, or http on the machine of Holm
    receiver: String,
    /// What it is to hear of: an action of the audit log, or all of a noun as `tenant.*` [default: everything]
    #[arg(long = "action", value_name = "ACTION")]
    actions: Vec<String>,
    /// The only environment that it is to hear of [default: everything]
    #[arg(id = "environment", long = "env", value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// Lets it be at an address that is not public
    #[arg(long)]
    allow_private: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { name, receiver, actions, environment, allow_private } = args;
    let actions = (!actions.is_empty()).then_some(actions);
    let wanted = CreateWebhook { name, url: receiver, actions, environment, allow_private: Some(allow_private) };
    let made: MadeWebhookView = context.client()?.post(&["webhooks"], &[], &wanted).await?;
    context.say("✓ a webhook; its secret is not shown again: the receiver checks signatures with it");
    context.say(&format!("  try it: holm webhook test {}", made.webhook.name));
    Ok(Answer::one(&made))
}
