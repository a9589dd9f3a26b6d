//! `holm credential`: what apps present to the proxy.

mod create;
mod list;
mod revoke;
mod rotate;

use holm_api::view::CredentialView;
use holm_core::error::Problem;

use super::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes one and prints its secret, this once
    Create(create::Args),
    /// Lists them, without their secrets
    List(list::Args),
    /// Ends one for good; sessions opened with it are closed
    Revoke(revoke::Args),
    /// Gives one a new secret while the old one stays good for a while
    Rotate(rotate::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Create(args) => create::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Revoke(args) => revoke::run(context, args).await,
        Command::Rotate(args) => rotate::run(context, args).await,
    }
}

impl Row for CredentialView {
    const COLUMNS: &'static [&'static str] = &["CREDENTIAL", "ENVIRONMENT", "SCOPE", "LEVEL", "CREATED", "ID"];
    const BRIEF: usize = 5;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.name),
            Cell::of(&self.environment),
            Cell::Text(self.tenant.as_ref().map_or_else(|| "any tenant".to_owned(), ToString::to_string)),
            Cell::of(self.level),
            Cell::time(self.created_at),
            Cell::of(self.id),
        ]
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}
