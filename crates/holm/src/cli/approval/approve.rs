//! `holm approval approve`

use holm_api::view::access::ApprovalView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm approval approve apr_018f3e5c2d7a7b3c9d4e5f60718293a4\n  holm approval list")]
pub(in crate::cli) struct Args {
    /// Its id: `holm approval list`
    id: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let decided: ApprovalView = context.client()?.act(Method::POST, &["approvals", &args.id, "approve"]).await?;
    context.say(&format!("✓ {} may be done: asked by {}, decided by you", decided.kind, decided.requested_by));
    Ok(Answer::one(&decided))
}
