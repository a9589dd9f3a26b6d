//! `holm residency copy add`: a bucket, a log sink, the machines of the app; a copy of every tenant from then on.

use holm_api::view::residency::record::{AddCopy, RegisteredCopyView};
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::output::Answer;

/// What it is, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency copy add log grafana --provider ovh --region GRA --env production --evidence 'contract of 2026'
  holm residency copy add bucket files --provider scaleway --region fr-par --env production --key-holder client_side
  holm residency copy add processing app --provider vercel --region fra1 --env staging

Register it before anything goes there. It is judged by every profile that is used in the environment, and refused with exit code 4
where one denies it or cannot say.")]
pub(in crate::cli) struct Args {
    /// What it is: bucket, bucket_version, backup, snapshot, export, log, metric, secret, key, cache or processing
    role: String,
    /// What to call it, after what it is
    name: String,
    /// Whose machines it is on: `holm provider list`
    #[arg(long, value_name = "PROVIDER")]
    provider: String,
    /// In which region of theirs; never filled in
    #[arg(long, value_name = "REGION")]
    region: String,
    /// On which plan of theirs, which a region may need
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// What that rests on: an address, a contract
    #[arg(long, value_name = "TEXT")]
    evidence: Option<String>,
    /// Who can decrypt it [default: provider]
    #[arg(long, value_name = "WHO")]
    key_holder: Option<String>,
    /// It is there although a profile denies it
    #[arg(long)]
    in_breach: bool,
    #[command(flatten)]
    at: Environment,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { role, name, provider, region, plan, evidence, key_holder, in_breach, at } = args;
    let environment = at.name;
    let wanted = AddCopy { role, name, provider, region, plan, evidence, key_holder, in_breach };
    let kept: RegisteredCopyView = context.client()?.post(&["environments", &environment, "copies"], &[], &wanted).await?;
    context.say(&format!("✓ {} at {} is a copy of every tenant of {}; everything is judged anew", kept.copy, kept.place, kept.environment));
    Ok(Answer::one(&kept))
}
