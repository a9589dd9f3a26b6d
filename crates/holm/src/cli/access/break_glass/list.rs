//! `holm access break-glass list`

use holm_api::view::access::BreakGlassView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm access break-glass list\n  holm access break-glass list -o csv")]
pub(in crate::cli) struct Args {}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let glasses: Vec<BreakGlassView> = context.client()?.items(&["break-glass"]).await?;
    Ok(Answer::list(&glasses))
}
