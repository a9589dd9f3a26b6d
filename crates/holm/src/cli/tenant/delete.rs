//! `holm tenant delete`: closed at once, dropped when the grace period is over; until then `holm tenant undelete` undoes it.

use holm_api::view::operation::OperationView;
use holm_core::environment::EnvironmentKind;
use holm_core::error::Problem;

use super::Named;
use crate::cli::confirm::ByName;
use crate::cli::context::Context;
use crate::cli::waiting::{Until, Waiting};
use crate::cli::{env, waiting};
use crate::client::Client;
use crate::output::Answer;

/// Which, and how soon.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm tenant delete uppsala --env production --reason 'contract ended, ticket 4711'
  holm tenant delete uppsala --env production --confirm uppsala --grace 90d
  holm tenant delete trial --env staging --grace 0 --yes

In production the tenant's name is asked for. The command waits until the tenant is closed, and with `--grace 0`
until it is dropped.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    /// How long it can be brought back: 30d, 12h, or 0 for not at all
    #[arg(long, value_name = "TIME", default_value = "30d")]
    grace: String,
    /// Why; kept with the operation
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    confirm: ByName,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    confirm(&client, &args).await?;
    let mut query = vec![("grace", args.grace.as_str())];
    query.extend(args.reason.as_deref().map(|reason| ("reason", reason)));
    let begun: OperationView = client.delete(&args.tenant.path(&[]), &query).await?;
    let (slug, environment) = (&args.tenant.slug, &args.tenant.environment.name);
    let answer = waiting::after(context, &client, begun, &args.waiting, Until::Rests).await?;
    if let Some(until) = answer.rests_until {
        context.say(&format!("✓ {slug} in {environment} is closed; it is dropped at {}", waiting::to_the_second(until)));
        context.say(&format!("  undo: holm tenant undelete {slug} --env {environment}"));
    }
    Ok(answer.shown)
}

/// Severe where customers are, and where nothing can be undone; mild elsewhere.
async fn confirm(client: &Client, args: &Args) -> Result<(), Problem> {
    let (slug, environment) = (args.tenant.slug.as_str(), args.tenant.environment.name.as_str());
    let question = match args.grace.as_str() {
        "0" => format!("drop {} of {} now, for good", slug.escape_debug(), environment.escape_debug()),
        grace => format!("delete {} of {}, to be dropped after {}", slug.escape_debug(), environment.escape_debug(), grace.escape_debug()),
    };
    let all = env::all(client).await?;
    let kind = all.iter().find(|known| known.name.as_str() == environment).map(|known| known.kind);
    match kind {
        Some(EnvironmentKind::Production) => args.confirm.confirm_severe(slug, &question),
        Some(_) => args.confirm.confirm(slug, &question),
        // The server says that it has no such environment.
        None => Ok(()),
    }
}
