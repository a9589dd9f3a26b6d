//! `holm audit checkpoint`: Holm does so every ten minutes by itself.

use holm_api::view::audit::CheckpointView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm audit checkpoint\n  holm audit checkpoint -o json")]
pub(in crate::cli) struct Args {}

impl Row for CheckpointView {
    const COLUMNS: &'static [&'static str] = &["SEQ", "HASH", "AT"];
    const BRIEF: usize = 3;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::Number(self.seq), Cell::of(&self.hash), Cell::time(self.at)]
    }

    fn name(&self) -> String {
        self.seq.to_string()
    }
}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let noted: CheckpointView = context.client()?.act(Method::POST, &["audit", "checkpoints"]).await?;
    context.say(&format!("✓ the first {} entries cannot be changed unseen from here on", noted.seq));
    Ok(Answer::one(&noted))
}
