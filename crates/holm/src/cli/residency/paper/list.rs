//! `holm residency paper list`

use holm_api::view::residency::record::PaperView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm residency paper list\n  holm residency paper list -o csv")]
pub(in crate::cli) struct Args {}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let papers: Vec<PaperView> = context.client()?.items(&["residency", "papers"]).await?;
    Ok(Answer::list(&papers))
}

impl Row for PaperView {
    const COLUMNS: &'static [&'static str] =
        &["PAPER", "KIND", "WITH/OF", "ENVIRONMENT", "SIGNED-ON", "ENDS-ON", "EDITION", "DOCUMENT-SHA256", "ON-FILE-SINCE"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            Cell::of(&self.kind),
            self.with.clone().or_else(|| self.country.clone()).into(),
            self.environment.as_ref().map(ToString::to_string).into(),
            Cell::of(self.signed_on),
            self.ends_on.map(|day| day.to_string()).into(),
            self.edition.clone().into(),
            self.document_sha256.clone().into(),
            Cell::time(self.kept_at),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}
