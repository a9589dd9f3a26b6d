//! `holm fleet`: all tenants at once.

mod pace;
mod statistics;
mod top;

use holm_core::error::Problem;

use super::context::Context;
use crate::output::Answer;

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Shows who uses a process now, the busiest tenants first
    Top(top::Args),
    /// Tells sums and means over all tenants of an environment, and of no single one
    Statistics(statistics::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Top(args) => top::run(context, args).await,
        Command::Statistics(args) => statistics::run(context, args).await,
    }
}
