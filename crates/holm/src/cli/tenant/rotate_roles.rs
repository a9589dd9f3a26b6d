//! `holm tenant rotate-roles`: new passwords for the roles of its database, while it is in use.

use holm_api::view::operation::OperationView;
use holm_core::error::Problem;
use reqwest::Method;

use super::Named;
use crate::cli::context::Context;
use crate::cli::waiting::{self, Until, Waiting};
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm tenant rotate-roles goteborg --env production")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let begun: OperationView = client.act(Method::POST, &args.tenant.path(&["rotate-roles"])).await?;
    Ok(waiting::after(context, &client, begun, &args.waiting, Until::Over).await?.shown)
}
