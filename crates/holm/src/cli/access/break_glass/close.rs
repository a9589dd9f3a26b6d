//! `holm access break-glass close`

use holm_api::view::access::BreakGlassView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm access break-glass close brk_018f3e5c2d7a7b3c9d4e5f60718293a4")]
pub(in crate::cli) struct Args {
    /// Its id, as `open` printed it
    id: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let closed: BreakGlassView = context.client()?.act(Method::DELETE, &["break-glass", &args.id]).await?;
    context.say(&format!("✓ {} is no longer {} in {} by it", closed.principal, closed.role, closed.environment));
    Ok(Answer::one(&closed))
}
