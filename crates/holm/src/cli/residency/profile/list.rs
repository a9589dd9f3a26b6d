//! `holm residency profile list`

use holm_core::error::Problem;
use holm_policy::profile::Profile;
use holm_policy::registry::Registry;

use super::refused;
use crate::output::{Answer, Cell, Row};

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm residency profile list\n  holm residency profile list -o json")]
pub(in crate::cli) struct Args {}

#[derive(serde::Serialize)]
struct ProfileRow {
    profile: String,
    version: u32,
    status: String,
    date: String,
    review_by: String,
    cases: usize,
    title: String,
    hash: String,
}

impl From<&Profile> for ProfileRow {
    fn from(profile: &Profile) -> Self {
        let metadata = profile.metadata();
        Self {
            profile: metadata.id.to_string(),
            version: metadata.version,
            status: metadata.status.to_string(),
            date: metadata.date.to_string(),
            review_by: metadata.review_by.to_string(),
            cases: profile.cases().len(),
            title: metadata.title.en.clone(),
            hash: profile.hash().as_str().to_owned(),
        }
    }
}

impl Row for ProfileRow {
    const COLUMNS: &'static [&'static str] = &["PROFILE", "VERSION", "STATUS", "DATE", "REVIEW-BY", "CASES", "TITLE", "HASH"];
    const BRIEF: usize = 7;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.profile),
            Cell::Number(self.version.into()),
            Cell::of(&self.status),
            Cell::of(&self.date),
            Cell::of(&self.review_by),
            Cell::of(self.cases),
            Cell::of(&self.title),
            Cell::of(&self.hash),
        ]
    }

    fn name(&self) -> String {
        self.profile.clone()
    }
}

pub(super) fn run(_: &Args, registry: &Registry) -> Result<Answer, Problem> {
    let read = |(file, text): &(&str, &str)| {
        let profile = Profile::parse(file, text, registry).map_err(|problems| refused(file, &problems))?;
        Ok(ProfileRow::from(&profile))
    };
    let rows = Profile::SHIPPED.iter().map(read).collect::<Result<Vec<_>, Problem>>()?;
    Ok(Answer::list(&rows))
}
