//! `holm node remove`: a key is good for nothing any more.

use holm_api::view::node::NodeKeyView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm node remove stockholm-1
  holm node remove stockholm-1 --yes

A node that runs hears of it within seconds, ends its sessions and stops. One that reaches no control plane goes on with what it
knew, for four days less an hour; so does whoever has a copy of what it knew. If its key may be in foreign hands, give the
roles of the tenants new passwords as well: holm cluster rotate-roles CLUSTER")]
pub(in crate::cli) struct Args {
    /// The node: `holm node keys`
    name: String,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    args.yes.confirm(&format!("remove node {}, which ends its sessions and stops", args.name.escape_debug()))?;
    let removed: NodeKeyView = context.client()?.act(Method::DELETE, &["node-keys", &args.name]).await?;
    context.say(&format!("✓ node {} is removed; it stops within seconds if it reaches a control plane", removed.name));
    Ok(Answer::one(&removed))
}
