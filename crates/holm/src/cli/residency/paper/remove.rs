//! `holm residency paper remove`

use holm_api::view::residency::record::PaperView;
use holm_core::error::Problem;
use reqwest::Method;

use super::called;
use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency paper remove 0192f3a1-7c11-7000-8000-000000000000 --yes

For one that was put on file by mistake, or that is no more before its end.")]
pub(in crate::cli) struct Args {
    /// The paper's id: `holm residency paper list`
    id: String,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    args.yes.confirm(&format!("take paper `{}` off file, after which nothing rests on it", args.id))?;
    let removed: PaperView = context.client()?.act(Method::DELETE, &["residency", "papers", &args.id]).await?;
    context.say(&format!("✓ {} is on file no more; everything is judged anew", called(&removed)));
    Ok(Answer::one(&removed))
}
