//! `holm residency exception revoke`: the rule counts again, before the end.

use holm_api::view::residency::record::ExceptionView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm residency exception revoke 0192f3a1-7c11-7000-8000-000000000000 --yes")]
pub(in crate::cli) struct Args {
    /// The exception's id: `holm residency exception list`
    id: String,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    args.yes.confirm(&format!("revoke exception `{}`, after which its rule counts again", args.id))?;
    let revoked: ExceptionView = context.client()?.act(Method::DELETE, &["residency", "exceptions", &args.id]).await?;
    context.say(&format!("✓ {} counts again for the {} of {}", revoked.rule, revoked.copy, revoked.tenant));
    Ok(Answer::one(&revoked))
}
