//! `holm webhook test`

use holm_api::view::webhook::WebhookAnswerView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm webhook test ci")]
pub(in crate::cli) struct Args {
    /// The webhook
    name: String,
}

impl Row for WebhookAnswerView {
    const COLUMNS: &'static [&'static str] = &["STATUS", "FIRST LINE"];
    const BRIEF: usize = 2;

    fn cells(&self) -> Vec<Cell> {
        vec![self.status.map(|status| status.to_string()).into(), Cell::of(&self.line)]
    }

    fn name(&self) -> String {
        self.status.map_or_else(|| "none".to_owned(), |status| status.to_string())
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let answer: WebhookAnswerView = context.client()?.act(Method::POST, &["webhooks", &args.name, "test"]).await?;
    context.say(&format!("✓ {} took a message of type webhook.test", args.name));
    Ok(Answer::one(&answer))
}
