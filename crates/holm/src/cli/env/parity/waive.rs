//! `holm env parity waive`: a difference that is meant, with somebody who answers for it, until a day.

use holm_api::view::parity::{GrantWaiver, WaiverView};
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::cli::until::Until;
use crate::output::Answer;

/// Which, between which, until when.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm env parity waive parameter/TimeZone --env staging --with production \\
    --owner platform --reason 'the app sets its own' --until 2027-03-01
  holm env parity waive postgresql.major --env staging --with production \\
    --owner platform --reason 'staging goes first' --until 2027-03-01

The servers are asked now: it is for what they have now, whichever environment is named first, and for nothing else. When one has
something else later, the difference counts again. It ends at that time, at midnight UTC where a day begins if you give a day.")]
pub(in crate::cli) struct Args {
    /// The difference, as `holm env parity show` calls it
    #[arg(value_name = "DIFFERENCE")]
    difference: String,
    #[command(flatten)]
    environment: Environment,
    /// The environment that it differs from
    #[arg(long, value_name = "ENVIRONMENT")]
    with: String,
    /// Who answers for it: a name or an office
    #[arg(long, value_name = "WHO")]
    owner: String,
    /// Why it may be so
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// When it ends: 2027-03-01, or 2027-03-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Until,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { difference, environment, with, owner, reason, until } = args;
    let wanted = GrantWaiver { with, difference, owner, reason, until: until.0 };
    let path = ["environments", &environment.name, "parity", "waivers"];
    let granted: WaiverView = context.client()?.post(&path, &[], &wanted).await?;
    let WaiverView { difference, environment, with, until, .. } = &granted;
    context.say(&format!("✓ {difference} between {environment} and {with} does not count until {until}"));
    Ok(Answer::one(&granted))
}
