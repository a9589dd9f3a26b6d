//! `holm tenant set-profile`: nothing moves; what does not satisfy it is refused, or told as a breach.

use holm_api::view::TenantView;
use holm_api::view::residency::SetProfile;
use holm_core::error::Problem;

use super::Named;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which, and by what it is judged.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm tenant set-profile goteborg --env production --profile eea-jurisdiction
  holm tenant set-profile goteborg --env production --profile eea-jurisdiction --in-breach

Refused if the tenant's copies do not satisfy the profile where they are; with --in-breach it has the profile all the same, and
that they do not satisfy it is told, from now on.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    /// A profile that is in force: `holm residency profile in-force`
    #[arg(long, value_name = "PROFILE")]
    profile: String,
    /// Also if its copies do not satisfy it
    #[arg(long)]
    in_breach: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let wanted = SetProfile { profile: args.profile, in_breach: args.in_breach };
    let set: TenantView = context.client()?.post(&args.tenant.path(&["set-profile"]), &[], &wanted).await?;
    context.say(&format!("✓ the copies of {} are judged by {} from now on", args.tenant.slug, wanted.profile));
    Ok(Answer::one(&set))
}
