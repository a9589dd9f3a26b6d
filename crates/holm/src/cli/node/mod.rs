//! `holm node`: the processes on the catalog, and those that are let in by a key instead.

mod add;
mod forget;
mod keys;
mod list;
mod remove;

use holm_api::view::node::{AddedNodeView, NodeKeyView, NodeView};
use holm_core::error::Problem;

use super::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists them, silent ones too
    List(list::Args),
    /// Gives up one that is gone for good, so that nothing waits for it
    Forget(forget::Args),
    /// Lets in one that only carries sessions, and writes its key to a file
    Add(add::Args),
    /// Lists those that are let in by a key
    Keys(keys::Args),
    /// Takes a key's node out again; it stops
    Remove(remove::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::List(args) => list::run(context, args).await,
        Command::Forget(args) => forget::run(context, args).await,
        Command::Add(args) => add::run(context, args).await,
        Command::Keys(args) => keys::run(context, args).await,
        Command::Remove(args) => remove::run(context, args).await,
    }
}

/// Seconds and versions stay far below what a table can show.
fn number(count: u64) -> Cell {
    Cell::Number(i64::try_from(count).unwrap_or(i64::MAX))
}

impl Row for NodeView {
    const COLUMNS: &'static [&'static str] = &["NODE", "ROLE", "ENVIRONMENT", "LIVES", "SILENT S", "HOLM", "ROUTES", "STARTED", "ID"];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.name),
            Cell::of(&self.role),
            self.environment.as_ref().map(ToString::to_string).into(),
            Cell::of(if self.lives { "yes" } else { "no" }),
            number(self.silent_seconds),
            Cell::of(&self.holm_version),
            number(self.route_version),
            Cell::time(self.started_at),
            Cell::of(self.id),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Row for NodeKeyView {
    const COLUMNS: &'static [&'static str] = &["NODE", "ENVIRONMENT", "ADDED", "PUBLIC KEY"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        let environment = self.environment.as_ref().map(ToString::to_string).into();
        vec![Cell::of(&self.name), environment, Cell::time(self.added_at), Cell::of(&self.public_key)]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Row for AddedNodeView {
    const COLUMNS: &'static [&'static str] = &["NODE", "ID", "INSTALLATION", "CONTROL KEY"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.name), Cell::of(&self.node), Cell::of(&self.installation), Cell::of(&self.control_key)]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
