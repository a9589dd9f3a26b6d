//! `holm node keys`

use holm_api::view::node::NodeKeyView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm node keys\n  holm node keys -o json")]
pub(in crate::cli) struct Args {}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let nodes: Vec<NodeKeyView> = context.client()?.items(&["node-keys"]).await?;
    Ok(Answer::list(&nodes))
}
