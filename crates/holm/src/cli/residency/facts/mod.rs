//! `holm residency facts`: what an installation knows besides what Holm ships, laid over it.

mod add;
mod list;
mod remove;

use holm_api::view::residency::record::ChangedFactsView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Puts a file of facts in force, in the place of the one of that name
    Add(add::Args),
    /// Lists those in force, in the order in which they are laid
    List(list::Args),
    /// Takes one away; what was placed by it is judged anew
    Remove(remove::Args),
}

pub(in crate::cli) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Add(args) => add::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Remove(args) => remove::run(context, args).await,
    }
}

/// What comes of it and was perhaps not meant.
fn say_notes(context: &Context, changed: &ChangedFactsView) {
    for note in &changed.notes {
        context.say(&format!("  note: {note}"));
    }
}

impl Row for ChangedFactsView {
    const COLUMNS: &'static [&'static str] = &["FACTS", "SINCE", "NOTES"];
    const BRIEF: usize = 3;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.facts.name), Cell::time(self.facts.kept_at), Cell::Text(self.notes.join("; "))]
    }

    fn name(&self) -> String {
        self.facts.name.clone()
    }
}
