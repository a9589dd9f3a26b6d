//! `holm residency exception grant`: from one rule, for one copy, until a day.

use holm_api::view::residency::record::{ExceptionView, GrantException};
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::cli::until::Until;
use crate::output::Answer;

/// For whom, from what, until when.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency exception grant goteborg --env production --copy primary --rule control.affiliates \\
    --owner 'data protection officer' --reason 'until the contract of 2025 ends' --measure 'no names in free text' --until 2027-03-01

It ends at that time, at midnight UTC where a day begins if you give a day. What a profile says of a running database has no
exception: whoever runs it can read it, and no measure changes that.")]
pub(in crate::cli) struct Args {
    /// The tenant's name
    #[arg(value_name = "TENANT")]
    slug: String,
    #[command(flatten)]
    environment: Environment,
    /// Which copy: primary, backup
    #[arg(long, value_name = "COPY")]
    copy: String,
    /// Which rule, as a refusal or a verdict names it: control.affiliates
    #[arg(long, value_name = "RULE")]
    rule: String,
    /// Who answers for it: a name or an office
    #[arg(long, value_name = "WHO")]
    owner: String,
    /// Why it is needed
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// What is done instead
    #[arg(long, value_name = "TEXT")]
    measure: String,
    /// When it ends: 2027-03-01, or 2027-03-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Until,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { slug, environment, copy, rule, owner, reason, measure, until } = args;
    let wanted = GrantException { copy, rule, owner, reason, measure, until: until.0 };
    let path = ["environments", &environment.name, "tenants", &slug, "exceptions"];
    let granted: ExceptionView = context.client()?.post(&path, &[], &wanted).await?;
    context.say(&format!("✓ {} does not count for the {} of {} until {}", granted.rule, granted.copy, granted.tenant, granted.until));
    Ok(Answer::one(&granted))
}
