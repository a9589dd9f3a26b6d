//! `holm access break-glass`: more than one has, for hours, loudly.

mod close;
mod list;
mod open;

use holm_api::view::access::BreakGlassView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Takes a role in an environment for up to 8 hours; everybody will read about it
    Open(open::Args),
    /// Gives it back before its time
    Close(close::Args),
    /// Lists the newest, open or not
    List(list::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Open(args) => open::run(context, args).await,
        Command::Close(args) => close::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
    }
}

impl Row for BreakGlassView {
    const COLUMNS: &'static [&'static str] = &["ID", "PRINCIPAL", "ROLE", "ENVIRONMENT", "OPENED", "UNTIL", "GIVEN BACK", "REASON"];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            Cell::of(&self.principal),
            Cell::of(self.role),
            Cell::of(&self.environment),
            Cell::time(self.opened_at),
            Cell::time(self.until),
            self.ended_at.map_or(Cell::Empty, Cell::time),
            Cell::of(&self.reason),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}
