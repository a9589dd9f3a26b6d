//! `holm tenant suspend`: undone by `holm tenant resume`, so nothing is asked.

use holm_api::view::TenantView;
use holm_core::error::Problem;
use reqwest::Method;

use super::Named;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm tenant suspend goteborg --env production")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let tenant: TenantView = context.client()?.act(Method::POST, &args.tenant.path(&["suspend"])).await?;
    let (slug, environment) = (&tenant.slug, &tenant.environment);
    context.say(&format!("✓ {slug} in {environment} is suspended; its data is kept"));
    context.say(&format!("  undo: holm tenant resume {slug} --env {environment}"));
    Ok(Answer::one(&tenant))
}
