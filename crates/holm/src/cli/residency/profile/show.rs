//! `holm residency profile show`: what a lawyer reads and signs.

use holm_core::error::Problem;
use holm_policy::prose::{self, Language};
use holm_policy::registry::Registry;

use super::read;
use crate::output::{Answer, Cell, Row};

/// Which, and in which language.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency profile show eea-jurisdiction
  holm residency profile show eea-jurisdiction --language nb
  holm residency profile show ./mine.toml --language sv > mine.txt")]
pub(in crate::cli) struct Args {
    /// A profile that comes with Holm, or a file
    profile: String,
    /// `en`, `nb` or `sv`
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    language: Language,
}

#[derive(serde::Serialize)]
struct Words {
    profile: String,
    version: u32,
    language: String,
    hash: String,
    text: String,
}

impl Row for Words {
    const COLUMNS: &'static [&'static str] = &["PROFILE", "VERSION", "LANGUAGE", "HASH", "TEXT"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.profile),
            Cell::Number(self.version.into()),
            Cell::of(&self.language),
            Cell::of(&self.hash),
            Cell::of(&self.text),
        ]
    }

    fn name(&self) -> String {
        self.profile.clone()
    }
}

pub(super) fn run(args: &Args, registry: &Registry) -> Result<Answer, Problem> {
    let profile = read(&args.profile, registry)?;
    let text = prose::render(&profile, registry, args.language);
    let metadata = profile.metadata();
    let words = Words {
        profile: metadata.id.to_string(),
        version: metadata.version,
        language: args.language.to_string(),
        hash: profile.hash().as_str().to_owned(),
        text: text.clone(),
    };
    Ok(Answer::text(text, &words))
}
