//! `holm access break-glass open`

use holm_api::view::access::{BreakGlassView, BreakTheGlass};
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::output::Answer;

/// What is taken, where, why and for how long.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm access break-glass open --env production --role operator --reason 'page 4711: tenants cannot log in'
  holm access break-glass open --env production --role admin --minutes 15 --reason 'page 4712'")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    environment: Environment,
    /// The role that is taken
    #[arg(long, default_value = "operator", value_name = "ROLE")]
    role: String,
    /// Why: kept for ever, so without names of people
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// For how long: 1 to 480
    #[arg(long, default_value_t = 60, value_name = "MINUTES")]
    minutes: u32,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let wanted = BreakTheGlass { environment: args.environment.name, role: args.role, reason: args.reason, minutes: args.minutes };
    let open: BreakGlassView = context.client()?.post(&["break-glass"], &[], &wanted).await?;
    context.say(&format!("! {} is {} in {} until {}; the audit log tells of it", open.principal, open.role, open.environment, open.until));
    context.say(&format!("  give it back: holm access break-glass close {}", open.id));
    Ok(Answer::one(&open))
}
