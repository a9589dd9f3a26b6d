//! `holm access token revoke`: cannot be undone, since nobody else has the secret.

use holm_api::view::access::TokenView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holm access token revoke tok_018f3e5c2d7a7b3c9d4e5f60718293a4 --yes\n  holm access token list -o name"
)]
pub(in crate::cli) struct Args {
    /// Its id: `holm access token list`
    id: String,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    args.yes.confirm(&format!("revoke token {} for good", args.id.escape_debug()))?;
    let revoked: TokenView = context.client()?.act(Method::DELETE, &["tokens", &args.id]).await?;
    context.say(&format!("✓ token {} is good for nothing any more", revoked.id));
    Ok(Answer::one(&revoked))
}
