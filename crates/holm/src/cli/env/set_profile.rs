//! `holm env set-profile`: no tenant is made there without one any more.

use holm_api::view::residency::{EnvironmentProfileView, SetProfile};
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::output::Answer;

/// Where, and which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm env set-profile --env production --profile eea-jurisdiction

Tenants that are made there from now on have it, unless whoever may say so gives them another. Tenants that are there keep what
they have: `holm tenant set-profile`.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    environment: Environment,
    /// A profile that is in force: `holm residency profile in-force`
    #[arg(long, value_name = "PROFILE")]
    profile: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let wanted = SetProfile { profile: args.profile, in_breach: false };
    let path = ["environments", &args.environment.name, "set-profile"];
    let set: EnvironmentProfileView = context.client()?.post(&path, &[], &wanted).await?;
    context.say(&format!("✓ whoever is made in {} from now on is judged by {}", args.environment.name, wanted.profile));
    Ok(Answer::one(&set))
}
