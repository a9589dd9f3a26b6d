//! `holm approval request`

use holm_api::view::access::{ApprovalView, RequestApproval};
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// For what, and why.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm approval request tenant.delete --hash \"$hash\" --content \"$content\" --env production --reason 'ticket 4711'

The refusal of what needs an approval (HOLM-1301) prints this command with the right hash and its words.")]
pub(in crate::cli) struct Args {
    /// What is to be done, such as `tenant.delete`
    kind: String,
    /// To exactly what: the SHA-256 that the refusal printed
    #[arg(long, value_name = "HEX")]
    hash: String,
    /// The words that it is the hash of, which whoever decides reads: the refusal printed them
    #[arg(long, value_name = "WORDS")]
    content: Option<String>,
    /// Where [default: in no single environment]
    #[arg(id = "environment", long = "env", value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// Why: kept for ever, so without names of people
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// How long it may be decided and used: 1 to 720 [default: 24]
    #[arg(long, value_name = "HOURS")]
    hours: Option<u32>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { kind, hash, content, environment, reason, hours } = args;
    let asked: ApprovalView =
        context.client()?.post(&["approvals"], &[], &RequestApproval { kind, hash, content, environment, reason, hours }).await?;
    context.say(&format!("✓ asked; somebody else decides: `holm approval approve {}`", asked.id));
    Ok(Answer::one(&asked))
}
