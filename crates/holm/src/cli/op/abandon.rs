//! `holm op abandon`: leaves an operation as it is; what is half done stays so, and is set right by hand.

use holm_api::view::operation::{AbandonOperation, OperationView};
use holm_core::error::Problem;
use reqwest::Method;

use super::Id;
use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which, and why.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm op abandon op_0198c0ffee00700080000000000000aa --reason 'dropped by hand' --yes")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    operation: Id,
    /// Why; kept in its journal
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    args.yes.confirm(&format!("leave {} as it is, for good", args.operation.id.escape_debug()))?;
    let body = serde_json::to_value(AbandonOperation { reason: args.reason }).expect("what is sent is JSON");
    let told: OperationView = client.change(Method::POST, &args.operation.path(&["abandon"]), &[], Some(body)).await?;
    context.say(&format!("✓ `{}` of {} is given up", told.kind, told.subject));
    Ok(Answer::one(&told).operation(told.id))
}
