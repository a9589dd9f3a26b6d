//! `holm access principal`: people and machines.

mod create;
mod disable;
mod list;

use holm_api::view::access::PrincipalView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Makes one, who may nothing yet
    Create(create::Args),
    /// Lists them, disabled ones too
    List(list::Args),
    /// Ends everything that one may, for good
    Disable(disable::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Create(args) => create::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Disable(args) => disable::run(context, args).await,
    }
}

impl Row for PrincipalView {
    const COLUMNS: &'static [&'static str] = &["PRINCIPAL", "KIND", "CREATED", "DISABLED", "ID"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.name),
            Cell::of(self.kind),
            Cell::time(self.created_at),
            self.disabled_at.map_or(Cell::Empty, Cell::time),
            Cell::of(self.id),
        ]
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}
