//! `holm cluster drain`: can be cancelled, so nothing is asked.

use holm_api::view::operation::OperationView;
use holm_core::error::Problem;
use reqwest::Method;

use super::Named;
use crate::cli::context::Context;
use crate::cli::waiting::{self, Until, Waiting};
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm cluster drain production-1 --env production")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    cluster: Named,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let begun: OperationView = client.act(Method::POST, &args.cluster.path("drain")).await?;
    let name = &args.cluster.name;
    context.say(&format!("✓ nothing new is placed on {name}; its tenants are waited for"));
    context.say(&format!("  who remains: holm cluster show {name} · undo: holm op cancel {}", begun.id));
    Ok(waiting::after(context, &client, begun, &args.waiting, Until::Rests).await?.shown)
}
