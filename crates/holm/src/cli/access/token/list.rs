//! `holm access token list`

use holm_api::view::access::TokenView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm access token list\n  holm access token list --columns token,principal,last\\ used")]
pub(in crate::cli) struct Args {}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let tokens: Vec<TokenView> = context.client()?.items(&["tokens"]).await?;
    Ok(Answer::list(&tokens))
}
