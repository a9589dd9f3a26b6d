//! `holm residency facts remove`

use holm_api::view::residency::record::ChangedFactsView;
use holm_core::error::Problem;
use reqwest::Method;

use super::say_notes;
use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency facts remove umea-hall --yes

Refused if a profile in force, or another text, could not be understood without it. A place that nobody knows then comes to unknown:
what is there stays there, nothing more comes there, and that is told as a breach.")]
pub(in crate::cli) struct Args {
    /// The name of the facts
    name: String,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    args.yes.confirm(&format!("take facts `{}` away, after which what they say is not known", args.name))?;
    let changed: ChangedFactsView = context.client()?.act(Method::DELETE, &["residency", "facts", &args.name]).await?;
    context.say(&format!("✓ facts {} are in force no more; everything is judged anew", changed.facts.name));
    say_notes(context, &changed);
    Ok(Answer::one(&changed))
}
