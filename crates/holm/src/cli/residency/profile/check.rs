//! `holm residency profile check`: a profile's own cases against the registry.

use holm_core::error::Problem;
use holm_policy::profile::Profile;
use holm_policy::profile::case::CaseResult;
use holm_policy::registry::Registry;

use super::{read, refused};
use crate::exit::Exit;
use crate::output::{Answer, Cell, Row};

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency profile check eea-jurisdiction
  holm residency profile check ./mine.toml

Exit code 4 when a case does not come out as the profile says.")]
pub(in crate::cli) struct Args {
    /// A profile that comes with Holm, or a file
    profile: String,
}

#[derive(serde::Serialize)]
struct CaseRow {
    case: usize,
    place: String,
    copy: String,
    expected: String,
    came: String,
    passed: bool,
    because: Vec<String>,
}

impl CaseRow {
    fn of(profile: &Profile, result: &CaseResult) -> Self {
        // Numbered from 1.
        let case = &profile.cases()[result.number - 1];
        Self {
            case: result.number,
            place: case.place.to_string(),
            copy: case.copy.to_string(),
            expected: result.expect.to_string(),
            came: result.verdict.outcome.to_string(),
            passed: result.passed,
            because: result.verdict.objections().map(|finding| format!("{}: {}", finding.rule, finding.because)).collect(),
        }
    }
}

impl Row for CaseRow {
    const COLUMNS: &'static [&'static str] = &["CASE", "PLACE", "COPY", "EXPECTED", "CAME", "PASSED", "BECAUSE"];
    const BRIEF: usize = 7;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.case),
            Cell::of(&self.place),
            Cell::of(&self.copy),
            Cell::of(&self.expected),
            Cell::of(&self.came),
            Cell::of(if self.passed { "yes" } else { "NO" }),
            Cell::of(self.because.join("; ")),
        ]
    }

    fn name(&self) -> String {
        self.case.to_string()
    }
}

pub(super) fn run(args: &Args, registry: &Registry) -> Result<Answer, Problem> {
    let profile = read(&args.profile, registry)?;
    let results = profile.run_cases(registry).map_err(|problems| refused(&args.profile, &problems))?;
    let rows: Vec<CaseRow> = results.iter().map(|result| CaseRow::of(&profile, result)).collect();
    let all_passed = rows.iter().all(|row| row.passed);
    Ok(Answer::list(&rows).exit(if all_passed { Exit::Done } else { Exit::Refused }))
}
