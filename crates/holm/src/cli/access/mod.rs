//! `holm access`: who may do what.

mod break_glass;
mod principal;
mod role;
mod token;
mod whoami;

use holm_core::error::Problem;

use super::context::Context;
use crate::output::Answer;

/// One variant for each thing, and one for the question that everybody has.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Shows who you are to the server, and what you hold
    Whoami(whoami::Args),
    /// People and machines
    #[command(subcommand)]
    Principal(principal::Command),
    /// What they may do, and where
    #[command(subcommand)]
    Role(role::Command),
    /// What they sign in with
    #[command(subcommand)]
    Token(token::Command),
    /// More than one has, for hours, in an emergency
    #[command(subcommand)]
    BreakGlass(break_glass::Command),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Whoami(args) => whoami::run(context, args).await,
        Command::Principal(command) => principal::run(context, command).await,
        Command::Role(command) => role::run(context, command).await,
        Command::Token(command) => token::run(context, command).await,
        Command::BreakGlass(command) => break_glass::run(context, command).await,
    }
}

/// Where something is held, for people.
fn place(environment: Option<&impl ToString>) -> String {
    environment.map_or_else(|| "everywhere".to_owned(), ToString::to_string)
}
