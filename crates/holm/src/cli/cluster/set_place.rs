//! `holm cluster set-place`: nothing moves, so nothing is asked; everything there is judged anew.

use holm_api::view::cluster::ClusterDetailView;
use holm_api::view::residency::{PlaceClaim, SetPlace};
use holm_core::error::Problem;

use super::Named;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which, and where it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm cluster set-place production-1 --env production --provider scalingo --region osc-fr1 --evidence 'order of 12 March'
  holm cluster set-place production-1 --env production --copy slot/reporting --provider scalingo --region osc-fr1

Nobody can see from a server where it is: this is a claim, and kept as one, with its date. Tenants that are there and have a
profile are judged anew; what does not satisfy it is told, and nothing is stopped.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    cluster: Named,
    /// A copy of everything there that was seen, as `holm cluster show` names it, instead of the server itself
    #[arg(long, value_name = "COPY")]
    copy: Option<String>,
    /// Whose machines it is on: `holm provider list`
    #[arg(long, value_name = "PROVIDER")]
    provider: String,
    /// In which region of theirs: `holm provider show PROVIDER`
    #[arg(long, value_name = "REGION")]
    region: String,
    /// On which plan of theirs, which a region may need; not known if it is left out
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// What that rests on: the address of a document, or somebody's word
    #[arg(long, value_name = "TEXT")]
    evidence: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let (what, at) = (args.copy.clone().unwrap_or(args.cluster.name.clone()), format!("{}/{}", args.provider, args.region));
    let place = PlaceClaim { provider: args.provider, region: args.region, plan: args.plan, evidence: args.evidence };
    let wanted = SetPlace { copy: args.copy, place };
    let changed: ClusterDetailView = context.client()?.post(&args.cluster.path("set-place"), &[], &wanted).await?;
    context.say(&format!("✓ {what} is in {at}, as you say"));
    Ok(Answer::one(&changed))
}
