//! `holm access token`: what principals sign in with.

mod create;
mod list;
mod revoke;

use holm_api::view::access::TokenView;
use holm_core::error::Problem;

use super::place;
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Makes one and prints its secret, this once
    Create(create::Args),
    /// Lists them, without their secrets
    List(list::Args),
    /// Ends one for good
    Revoke(revoke::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Create(args) => create::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Revoke(args) => revoke::run(context, args).await,
    }
}

impl Row for TokenView {
    const COLUMNS: &'static [&'static str] = &["TOKEN", "PRINCIPAL", "GOOD", "AT MOST", "UNTIL", "LAST USED", "REVOKED", "ID", "CREATED"];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.name),
            self.principal.as_ref().map(ToString::to_string).into(),
            Cell::Text(place(self.environment.as_ref())),
            self.role.map(|role| role.to_string()).into(),
            self.expires_at.map_or(Cell::Empty, Cell::time),
            self.last_used_at.map_or(Cell::Empty, Cell::time),
            self.revoked_at.map_or(Cell::Empty, Cell::time),
            Cell::of(self.id),
            Cell::time(self.created_at),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}
