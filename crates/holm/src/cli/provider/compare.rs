//! `holm provider compare`

use holm_core::error::Problem;
use holm_policy::registry::Registry;
use jiff::Timestamp;

use super::{ProviderRow, compared, known};
use crate::output::{Answer, Cell, Row};

/// Of few there is room for all.
#[derive(serde::Serialize)]
#[serde(transparent)]
struct SideBySide(ProviderRow);

impl Row for SideBySide {
    const COLUMNS: &'static [&'static str] = ProviderRow::COLUMNS;
    const BRIEF: usize = ProviderRow::COLUMNS.len();

    fn cells(&self) -> Vec<Cell> {
        self.0.cells()
    }

    fn name(&self) -> String {
        self.0.name()
    }
}

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm provider compare scalingo railway fly vercel
  holm provider compare scalingo clever-cloud -o json

`?` is what is not known, or what was known and has to be looked up again. None of it is legal advice.")]
pub(in crate::cli) struct Args {
    /// Providers, as `holm provider list` has them
    #[arg(value_name = "PROVIDER", required = true, num_args = 1..)]
    providers: Vec<String>,
}

pub(super) fn run(args: &Args, registry: &Registry, now: Timestamp) -> Result<Answer, Problem> {
    let wanted: Vec<String> =
        args.providers.iter().map(|name| known(registry, name).map(|provider| provider.id.to_string())).collect::<Result<_, _>>()?;
    let mut rows = compared(registry, now);
    rows.retain(|row| wanted.contains(&row.provider));
    rows.sort_by_key(|row| wanted.iter().position(|name| *name == row.provider));
    Ok(Answer::list(&rows.into_iter().map(SideBySide).collect::<Vec<_>>()))
}
