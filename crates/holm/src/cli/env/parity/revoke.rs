//! `holm env parity revoke`: the difference counts again, before the end.

use holm_api::view::parity::WaiverView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm env parity revoke 0192f3a1-7c11-7000-8000-000000000000 --yes")]
pub(in crate::cli) struct Args {
    /// The waiver's id: `holm env parity waivers`
    id: String,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    args.yes.confirm(&format!("revoke waiver `{}`, after which its difference counts again", args.id))?;
    let revoked: WaiverView = context.client()?.act(Method::DELETE, &["parity", "waivers", &args.id]).await?;
    context.say(&format!("✓ {} between {} and {} counts again", revoked.difference, revoked.environment, revoked.with));
    Ok(Answer::one(&revoked))
}
