//! `holm residency`: where data may lie. Profiles so far, and without a server: nothing of an installation asks for them yet.

mod profile;

use holm_core::error::Problem;

use crate::output::Answer;

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Policies with a name and a version; none is enforced by this version of Holm
    #[command(subcommand)]
    Profile(profile::Command),
}

pub(super) fn run(command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Profile(command) => profile::run(command),
    }
}
