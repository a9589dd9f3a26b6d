//! `holm tenant show`

use holm_api::view::TenantView;
use holm_core::error::Problem;

use super::Named;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm tenant show goteborg --env production\n  holm tenant show goteborg --env production -o yaml")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let tenant: TenantView = context.client()?.get(&args.tenant.path(&[])).await?;
    Ok(Answer::one(&tenant))
}
