//! `holm node forget`: a machine is lost, and somebody says so.

use holm_api::view::node::NodeView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm node forget stockholm-1
  holm node forget stockholm-1 --yes

For a machine that is gone: what closes something is else confirmed by it only after four days. Refused for one that was
heard of within a minute. If it runs all the same and cannot reach the catalog, it goes on serving what it knew.")]
pub(in crate::cli) struct Args {
    /// The node: `holm node list`
    name: String,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    args.yes.confirm(&format!("give up node {}, which no change waits for any more, even if it still runs", args.name.escape_debug()))?;
    let forgotten: NodeView = context.client()?.act(Method::DELETE, &["nodes", &args.name]).await?;
    context.say(&format!("✓ node {} is forgotten", forgotten.name));
    Ok(Answer::one(&forgotten))
}
