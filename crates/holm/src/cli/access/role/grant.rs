//! `holm access role grant`

use holm_api::view::access::{GrantRole, RoleView};
use holm_core::error::Problem;

use super::{Where, place};
use crate::cli::context::Context;
use crate::output::Answer;

/// What, to whom and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm access role grant anna operator --env staging
  holm access role grant petra privacy
  holm access role grant deploy operator --env production --hours 8")]
pub(in crate::cli) struct Args {
    /// The principal
    principal: String,
    /// viewer, support, operator, privacy or admin
    role: String,
    #[command(flatten)]
    place: Where,
    /// How long it is held [default: until it is taken back]
    #[arg(long, value_name = "HOURS")]
    hours: Option<u32>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let wanted = GrantRole { role: args.role, environment: args.place.environment, hours: args.hours };
    let given: RoleView = context.client()?.post(&["principals", &args.principal, "roles"], &[], &wanted).await?;
    context.say(&format!("✓ {} is {} {}", given.principal, given.role, place(given.environment.as_ref())));
    Ok(Answer::one(&given))
}
