//! `holm key`: master keys, which wrap the keys that seal what Holm keeps secret.

mod list;
mod rewrap;
mod rotate;

use holm_core::error::Problem;

use super::context::Context;
use crate::output::Answer;

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists them by name, with age and what still needs them
    List(list::Args),
    /// Makes a new one current; the former is still needed until `rewrap`
    Rotate(rotate::Args),
    /// Wraps every data key with the current one; may be stopped and repeated
    Rewrap(rewrap::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::List(args) => list::run(context, args).await,
        Command::Rotate(args) => rotate::run(context, args).await,
        Command::Rewrap(args) => rewrap::run(context, args).await,
    }
}
