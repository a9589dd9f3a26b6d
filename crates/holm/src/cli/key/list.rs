//! `holm key list`

use holm_api::view::KeyView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm key list\n  holm key list -o json")]
pub(in crate::cli) struct Args {}

impl Row for KeyView {
    const COLUMNS: &'static [&'static str] = &["KEY", "STATE", "SINCE", "DATA KEYS", "SEALED DIRECTLY", "HERE", "RETIRED"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        let number = |count: u64| Cell::Number(i64::try_from(count).unwrap_or(i64::MAX));
        vec![
            Cell::of(&self.id),
            Cell::of(self.state.as_str()),
            Cell::time(self.created_at),
            number(self.data_keys),
            number(self.sealed_directly),
            Cell::of(if self.here { "yes" } else { "no" }),
            self.retired_at.map_or(Cell::Empty, Cell::time),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let keys: Vec<KeyView> = context.client()?.items(&["keys"]).await?;
    Ok(Answer::list(&keys))
}
