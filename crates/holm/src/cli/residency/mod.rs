//! `holm residency`: where data may lie, and where it does.

mod profile;

use holm_core::error::Problem;

use super::context::Context;
use crate::output::Answer;

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Policies with a name and a version
    #[command(subcommand)]
    Profile(profile::Command),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Profile(command) => profile::run(context, command).await,
    }
}
