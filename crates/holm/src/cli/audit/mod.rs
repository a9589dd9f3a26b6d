//! `holm audit`: what was done, by whom, and proof that the log still says so.

mod checkpoint;
mod export;
mod search;
mod verify;

use holm_api::view::audit::AuditEntryView;
use holm_core::error::Problem;

use super::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Looks for entries, newest first
    Search(search::Args),
    /// Prints the whole log as JSON lines, oldest first
    Export(export::Args),
    /// Checks that nothing was edited, removed, inserted or moved
    Verify(verify::Args),
    /// Notes where the log ends, signed, outside of the catalog
    Checkpoint(checkpoint::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Search(args) => search::run(context, args).await,
        Command::Export(args) => export::run(context, args).await,
        Command::Verify(args) => verify::run(context, args).await,
        Command::Checkpoint(args) => checkpoint::run(context, args).await,
    }
}

impl Row for AuditEntryView {
    const COLUMNS: &'static [&'static str] =
        &["SEQ", "AT", "ACTOR", "ACTION", "ENVIRONMENT", "SUBJECT", "REASON", "DETAIL", "HASH", "PREVIOUS"];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Number(self.seq),
            Cell::time(self.at),
            Cell::of(&self.actor),
            Cell::of(&self.action),
            self.environment.clone().into(),
            Some(self.subject.clone()).filter(|subject| !subject.is_empty()).into(),
            self.reason.clone().into(),
            Some(self.detail.clone()).filter(|detail| detail != "{}").into(),
            Cell::of(&self.hash),
            Cell::of(&self.previous_hash),
        ]
    }

    fn name(&self) -> String {
        self.seq.to_string()
    }
}
