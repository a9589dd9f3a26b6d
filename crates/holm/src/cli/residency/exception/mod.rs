//! `holm residency exception`: a rule that does not count for a copy, for a time, with somebody who answers for it.

mod grant;
mod list;
mod revoke;

use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Grants one, which ends by itself
    Grant(grant::Args),
    /// Lists those that nobody revoked, ended ones too
    List(list::Args),
    /// Revokes one; the tenant is judged anew
    Revoke(revoke::Args),
}

pub(in crate::cli) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Grant(args) => grant::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Revoke(args) => revoke::run(context, args).await,
    }
}
