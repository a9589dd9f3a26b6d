//! `holm node list`

use holm_api::view::node::NodeView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm node list\n  holm node list -o json")]
pub(in crate::cli) struct Args {}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let nodes: Vec<NodeView> = context.client()?.items(&["nodes"]).await?;
    Ok(Answer::list(&nodes))
}
