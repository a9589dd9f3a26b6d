//! `holm access principal disable`: cannot be undone; the name is never given again.

use holm_api::view::access::PrincipalView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm access principal disable anna\n  holm access principal disable deploy --yes")]
pub(in crate::cli) struct Args {
    /// The principal
    name: String,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    args.yes.confirm(&format!("disable principal {} and all of its tokens for good", args.name.escape_debug()))?;
    let disabled: PrincipalView = context.client()?.act(Method::DELETE, &["principals", &args.name]).await?;
    context.say(&format!("✓ {} may nothing any more", disabled.name));
    Ok(Answer::one(&disabled))
}
