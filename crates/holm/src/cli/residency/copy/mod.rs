//! `holm residency copy`: copies of an environment's data that Holm neither makes nor sees.

mod add;
mod list;
mod remove;

use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Registers one; refused where a profile that is used there denies it
    Add(add::Args),
    /// Lists those of an environment
    List(list::Args),
    /// Forgets one, which is no more; everything is judged anew
    Remove(remove::Args),
}

pub(in crate::cli) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Add(args) => add::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Remove(args) => remove::run(context, args).await,
    }
}
