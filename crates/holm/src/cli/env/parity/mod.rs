//! `holm env parity`: two environments compared, so that what works in staging works in production (R20).

mod revoke;
mod show;
mod waive;
mod waivers;

use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Asks the servers of two environments, and tells what could work in one and fail in the other
    Show(show::Args),
    /// Accepts a difference, as it is now, until a day
    Waive(waive::Args),
    /// Lists what is accepted and nobody revoked, ended waivers too
    Waivers(waivers::Args),
    /// Revokes a waiver; the difference counts again
    Revoke(revoke::Args),
}

pub(in crate::cli) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Show(args) => show::run(context, args).await,
        Command::Waive(args) => waive::run(context, args).await,
        Command::Waivers(args) => waivers::run(context, args).await,
        Command::Revoke(args) => revoke::run(context, args).await,
    }
}
