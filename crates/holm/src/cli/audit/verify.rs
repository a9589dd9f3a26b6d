//! `holm audit verify`: exit code 1 when anything is wrong, and the first entry that is.

use holm_api::view::audit::AuditVerdictView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::exit::Exit;
use crate::output::{Answer, Cell, Row};

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm audit verify\n  holm audit verify -o json\n\nExit code 1 when the log is broken (HOLM-1401).")]
pub(in crate::cli) struct Args {}

impl Row for AuditVerdictView {
    const COLUMNS: &'static [&'static str] = &["INTACT", "ENTRIES", "CHECKPOINTS", "UNREADABLE", "BROKEN AT", "FINDING"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        let count = |count: usize| Cell::Number(i64::try_from(count).unwrap_or(i64::MAX));
        vec![
            Cell::of(self.intact),
            Cell::Number(self.entries),
            count(self.checkpoints),
            count(self.checkpoints_unreadable),
            self.broken_at.map_or(Cell::Empty, Cell::Number),
            self.finding.clone().into(),
        ]
    }

    fn name(&self) -> String {
        if self.intact { "intact" } else { "broken" }.to_owned()
    }
}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let verdict: AuditVerdictView = context.client()?.get(&["audit", "verify"]).await?;
    if let Some(finding) = &verdict.finding {
        context.say(&format!("HOLM-1401  the audit log is broken: {finding}"));
    }
    if verdict.checkpoints_unreadable > 0 {
        let lines = verdict.checkpoints_unreadable;
        context.say(&format!("! {lines} checkpoints are cut off, or signed by another installation, and were not compared"));
    } else if verdict.checkpoints == 0 {
        context.say("! there are no checkpoints: a log that was written anew as a whole could not be told from the right one");
    }
    let exit = if verdict.intact { Exit::Done } else { Exit::Failed };
    Ok(Answer::one(&verdict).exit(exit))
}
