//! `holm op cancel`: what was done is undone.

use holm_api::view::operation::{CancelOperation, OperationView};
use holm_core::error::Problem;
use reqwest::Method;

use super::Id;
use crate::cli::context::Context;
use crate::cli::waiting::{self, Until, Waiting};
use crate::output::Answer;

/// Which, and why.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm op cancel op_0198c0ffee00700080000000000000aa
  holm op cancel op_0198c0ffee00700080000000000000aa --reason 'wrong customer' --no-wait")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    operation: Id,
    /// Why; kept in its journal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let body = serde_json::to_value(CancelOperation { reason: args.reason }).expect("what is sent is JSON");
    let told: OperationView = client.change(Method::POST, &args.operation.path(&["cancel"]), &[], Some(body)).await?;
    Ok(waiting::after(context, &client, told, &args.waiting, Until::Undone).await?.shown)
}
