//! `holm tenant pause`: undone by `holm tenant resume`, so nothing is asked.

use holm_api::view::TenantView;
use holm_core::error::Problem;
use reqwest::Method;

use super::Named;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which, and how long to wait.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm tenant pause goteborg --env production
  holm tenant pause goteborg --env production --timeout 60

Transactions that are under way end; those that come wait, up to 30 s each, and are carried out when it is resumed.
Its clients stay connected. When the command is done, no session of it is on its server. When the time is over first,
it is paused all the same, and the command says how many are left (exit code 8).")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    /// How long to wait until nothing of it is under way, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let wait = args.timeout.to_string();
    let path = args.tenant.path(&["pause"]);
    let tenant: TenantView = context.client()?.change(Method::POST, &path, &[("wait", &wait)], None).await?;
    let (slug, environment) = (&tenant.slug, &tenant.environment);
    context.say(&format!("✓ {slug} in {environment} is paused; nothing of it is on its server, and what comes waits"));
    context.say(&format!("  undo: holm tenant resume {slug} --env {environment}"));
    Ok(Answer::one(&tenant))
}
