//! `holm residency profile diff`: from one version of a profile to another.

use holm_core::error::Problem;
use holm_policy::profile::diff::{self, Change};
use holm_policy::registry::Registry;

use super::read;
use crate::output::{Answer, Cell, Row};

/// From which to which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency profile diff eea-jurisdiction ./mine.toml

What cannot be said to permit more or less is `changed`: read it as looser.")]
pub(in crate::cli) struct Args {
    /// A profile that comes with Holm, or a file
    before: String,
    /// Another one
    after: String,
}

#[derive(serde::Serialize)]
struct ChangeRow {
    at: String,
    before: Option<String>,
    after: Option<String>,
    direction: String,
}

impl From<&Change> for ChangeRow {
    fn from(change: &Change) -> Self {
        Self { at: change.at.clone(), before: change.before.clone(), after: change.after.clone(), direction: change.direction.to_string() }
    }
}

impl Row for ChangeRow {
    const COLUMNS: &'static [&'static str] = &["AT", "DIRECTION", "BEFORE", "AFTER"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.at), Cell::of(&self.direction), self.before.clone().into(), self.after.clone().into()]
    }

    fn name(&self) -> String {
        self.at.clone()
    }
}

pub(super) fn run(args: &Args, registry: &Registry) -> Result<Answer, Problem> {
    let (before, after) = (read(&args.before, registry)?, read(&args.after, registry)?);
    let rows: Vec<ChangeRow> = diff::diff(&before, &after).iter().map(Into::into).collect();
    Ok(Answer::list(&rows))
}
