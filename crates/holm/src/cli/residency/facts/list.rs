//! `holm residency facts list`

use holm_api::view::residency::record::FactsView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm residency facts list\n  holm residency facts list -o yaml")]
pub(in crate::cli) struct Args {}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let kept: Vec<FactsView> = context.client()?.items(&["residency", "facts"]).await?;
    Ok(Answer::list(&kept))
}

impl Row for FactsView {
    const COLUMNS: &'static [&'static str] = &["FACTS", "SINCE", "BYTES", "TEXT"];
    const BRIEF: usize = 3;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.name), Cell::time(self.kept_at), Cell::of(self.text.len()), Cell::of(&self.text)]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
