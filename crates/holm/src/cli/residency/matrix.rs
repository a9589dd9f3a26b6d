//! `holm residency matrix`

use holm_api::view::surveys::{MatrixRowView, MatrixView};
use holm_core::error::Problem;

use super::{AsOf, countries, say};
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Of what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency matrix --env production
  holm residency matrix --profile eea-jurisdiction -o csv
  holm residency matrix --env production --as-of 2026-03-03

A place is judged as it would be if a tenant were created there now. Without --env it is judged as for production, by papers that are on
file for every environment. Clusters of the environment at a place that come to something else, by what was seen on them, are named
under OTHERWISE.")]
pub(in crate::cli) struct Args {
    /// A profile in force [default: all of them]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// The environment whose papers count
    #[arg(long = "env", env = "HOLM_ENV", value_name = "ENVIRONMENT")]
    environment: Option<String>,
    #[command(flatten)]
    as_of: AsOf,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let query: Vec<(&str, &str)> = [("profile", &args.profile), ("environment", &args.environment)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .chain(args.as_of.query())
        .collect();
    let matrix: MatrixView = context.client()?.get_where(&["residency", "matrix"], &query).await?;
    say(context, &matrix.notes);
    if matrix.rows.is_empty() {
        context.say("no profile is in force; see `holm residency profile add`");
    }
    Ok(Answer::list(&matrix.rows))
}

impl Row for MatrixRowView {
    const COLUMNS: &'static [&'static str] =
        &["PROFILE", "PLACE", "COUNTRIES", "OUTCOME", "AGAINST", "BECAUSE", "OTHERWISE", "COPY", "VERSION"];
    const BRIEF: usize = 7;

    fn cells(&self) -> Vec<Cell> {
        let objection = self.objection.as_ref();
        let otherwise = self.otherwise.iter().map(|one| match &one.objection {
            Some(against) => format!("{}: {} by {}", one.cluster, one.outcome, against.copy),
            None => format!("{}: {}", one.cluster, one.outcome),
        });
        let otherwise: Vec<String> = otherwise.collect();
        vec![
            Cell::of(&self.profile),
            Cell::of(&self.place),
            Cell::of(countries(self.countries.as_ref())),
            Cell::of(&self.outcome),
            objection.map(|one| one.rule.clone()).into(),
            objection.map(|one| one.because.clone()).into(),
            Cell::of(otherwise.join("; ")),
            objection.map(|one| one.copy.clone()).into(),
            Cell::Number(self.profile_version.into()),
        ]
    }

    fn name(&self) -> String {
        format!("{}@{}", self.profile, self.place)
    }
}
