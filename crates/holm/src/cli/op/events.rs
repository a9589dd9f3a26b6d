//! `holm op events`: an operation's journal.

use holm_api::view::operation::EventView;
use holm_core::error::Problem;

use super::{Id, who};
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Which.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holm op events op_0198c0ffee00700080000000000000aa\n  holm op events op_0198c0ffee00700080000000000000aa -o jsonl"
)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    operation: Id,
}

impl Row for EventView {
    const COLUMNS: &'static [&'static str] = &["SEQ", "AT", "WHAT", "BY", "REASON", "PROBLEM"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        vec![
            i64::try_from(self.seq).map_or(Cell::Empty, Cell::Number),
            Cell::time(self.at),
            Cell::of(&self.text),
            self.by.as_ref().map(who).into(),
            self.reason.clone().into(),
            self.problem.as_ref().map(ToString::to_string).into(),
        ]
    }

    fn name(&self) -> String {
        self.seq.to_string()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let events: Vec<EventView> = context.client()?.list(&args.operation.path(&["events"])).await?;
    Ok(Answer::list(&events))
}
