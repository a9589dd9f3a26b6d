//! `holm tenant undelete`: a deleted tenant as it was.

use holm_api::view::TenantView;
use holm_core::error::Problem;
use reqwest::Method;

use super::Named;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm tenant undelete uppsala --env production")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let tenant: TenantView = context.client()?.act(Method::POST, &args.tenant.path(&["undelete"])).await?;
    context.say(&format!("✓ {} in {} is back, and {}", tenant.slug, tenant.environment, tenant.state));
    Ok(Answer::one(&tenant))
}
