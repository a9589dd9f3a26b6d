//! `holm tenant resume`: undoes `holm tenant suspend` and `holm tenant pause`.

use holm_api::view::TenantView;
use holm_core::error::Problem;
use reqwest::Method;

use super::Named;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm tenant resume goteborg --env production")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let tenant: TenantView = context.client()?.act(Method::POST, &args.tenant.path(&["resume"])).await?;
    context.say(&format!("✓ {} in {} is in use again", tenant.slug, tenant.environment));
    Ok(Answer::one(&tenant))
}
