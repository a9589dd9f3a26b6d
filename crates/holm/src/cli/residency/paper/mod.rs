//! `holm residency paper`: contracts and clauses on file.

mod add;
mod list;
mod remove;

use holm_api::view::residency::record::PaperView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Puts one on file; the document itself stays here
    Add(add::Args),
    /// Lists those on file
    List(list::Args),
    /// Takes one off file; what rests on it is judged anew
    Remove(remove::Args),
}

pub(in crate::cli) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Add(args) => add::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Remove(args) => remove::run(context, args).await,
    }
}

/// As people call it: `dpa with scalingo-sas`, `assessment of US`.
fn called(paper: &PaperView) -> String {
    match (&paper.with, &paper.country) {
        (Some(company), _) => format!("{} with {company}", paper.kind),
        (None, Some(country)) => format!("{} of {country}", paper.kind),
        (None, None) => paper.kind.clone(),
    }
}
