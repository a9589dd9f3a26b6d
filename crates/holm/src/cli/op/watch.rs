//! `holm op watch`: an operation while it goes on. Ctrl-C stops watching and not the work.

use std::time::Duration;

use holm_api::view::operation::OperationDetailView;
use holm_core::error::Problem;

use super::Id;
use crate::cli::context::Context;
use crate::cli::waiting::{self, Until};
use crate::output::Answer;

/// Which, and for how long.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm op watch op_0198c0ffee00700080000000000000aa
  holm op watch op_0198c0ffee00700080000000000000aa --timeout 60

Ctrl-C stops watching, with exit code 8; the operation goes on.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    operation: Id,
    /// How long to watch, in seconds [default: until it is over]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let shown: OperationDetailView = client.get(&args.operation.path(&[])).await?;
    let patience = args.timeout.map(Duration::from_secs);
    Ok(waiting::follow(context, &client, shown.operation, patience, Until::Over).await?.shown)
}
