//! `holm access role list`

use holm_api::view::access::RoleView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Whose.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm access role list anna\n  holm access role list 'holm dev' -o json")]
pub(in crate::cli) struct Args {
    /// The principal
    principal: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let roles: Vec<RoleView> = context.client()?.items(&["principals", &args.principal, "roles"]).await?;
    Ok(Answer::list(&roles))
}
