//! `holm access principal list`

use holm_api::view::access::PrincipalView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm access principal list\n  holm access principal list -o csv")]
pub(in crate::cli) struct Args {}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let principals: Vec<PrincipalView> = context.client()?.list(&["principals"]).await?;
    Ok(Answer::list(&principals))
}
