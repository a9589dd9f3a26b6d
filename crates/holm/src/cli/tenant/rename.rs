//! `holm tenant rename`: another name and another address; the old ones lead to the new ones for a while.

use holm_api::view::RenameTenant;
use holm_api::view::operation::OperationView;
use holm_core::error::Problem;
use reqwest::Method;

use super::Named;
use crate::cli::context::Context;
use crate::cli::waiting::{self, Until, Waiting};
use crate::output::Answer;

/// Which, and how it is to be called.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm tenant rename goteborg vast --env production
  holm tenant rename goteborg vast --env production --grace 90d --reason 'merged with two others, ticket 4711'

Sessions that are open stay open. Browsers are led from the old address to the new one; apps that name the tenant
in their database URL are told the new name and must be changed.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    /// Its new name
    #[arg(value_name = "NEW")]
    to: String,
    /// How long the old name is kept for it: 30d, 12h, or 0 for not at all
    #[arg(long, value_name = "TIME", default_value = "30d")]
    grace: String,
    /// Why; kept with the operation
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let wanted = RenameTenant { to: args.to, grace: Some(args.grace), reason: args.reason };
    let body = serde_json::to_value(wanted).expect("three texts are JSON");
    let client = context.client()?;
    let begun: OperationView = client.change(Method::POST, &args.tenant.path(&["rename"]), &[], Some(body)).await?;
    Ok(waiting::after(context, &client, begun, &args.waiting, Until::Over).await?.shown)
}
