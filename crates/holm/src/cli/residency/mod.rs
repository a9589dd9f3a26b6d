//! `holm residency`: where data may lie, and where it does.

mod exception;
mod facts;
mod paper;
mod profile;

use holm_core::error::Problem;

use super::context::Context;
use crate::output::Answer;

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// A rule that does not count for a copy, for a time
    #[command(subcommand)]
    Exception(exception::Command),
    /// What is known here besides what Holm ships
    #[command(subcommand)]
    Facts(facts::Command),
    /// Contracts and clauses on file
    #[command(subcommand)]
    Paper(paper::Command),
    /// Policies with a name and a version
    #[command(subcommand)]
    Profile(profile::Command),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Exception(command) => exception::run(context, command).await,
        Command::Facts(command) => facts::run(context, command).await,
        Command::Paper(command) => paper::run(context, command).await,
        Command::Profile(command) => profile::run(context, command).await,
    }
}
