//! `holm approval list`

use holm_api::view::access::ApprovalView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm approval list\n  holm approval list -o json")]
pub(in crate::cli) struct Args {}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let approvals: Vec<ApprovalView> = context.client()?.list(&["approvals"]).await?;
    Ok(Answer::list(&approvals))
}
