//! `holm residency`: where data may lie, and where it does.

mod breach_scope;
mod certificate;
mod copy;
mod decision;
mod exception;
mod explain;
mod facts;
mod matrix;
mod paper;
mod places;
mod profile;
mod report;
mod what_if;
mod whereabouts;

use holm_core::error::Problem;

use super::context::{Context, Environment};
use crate::output::{Answer, visible};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Says where every copy of a tenant's data is, and by whose word
    Where(whereabouts::Args),
    /// Says why a tenant's data is here, why not there, and what would break that
    Explain(explain::Args),
    /// Shows the decision on where a tenant's data lies, as a record in Markdown
    Decision(decision::Args),
    /// Shows what the data plane is told of where a tenant's database may be used
    Certificate(certificate::Args),
    /// Judges every place that is known by every profile in force
    Matrix(matrix::Args),
    /// Says where a database and a bucket could lie that are not there yet, nearest each other first
    Places(places::Args),
    /// Says which copies would come to something else if facts were otherwise, and where to move them
    WhatIf(what_if::Args),
    /// Says whose data is on a server to which something happened
    BreachScope(breach_scope::Args),
    /// Reports for people who answer for personal data
    #[command(subcommand)]
    Report(report::Command),
    /// A rule that does not count for a copy, for a time
    #[command(subcommand)]
    Exception(exception::Command),
    /// What is known here besides what Holm ships
    #[command(subcommand)]
    Facts(facts::Command),
    /// Copies that Holm neither makes nor sees: buckets, log sinks, the machines of the app
    #[command(subcommand)]
    Copy(copy::Command),
    /// Contracts, clauses and assessments on file
    #[command(subcommand)]
    Paper(paper::Command),
    /// Policies with a name and a version
    #[command(subcommand)]
    Profile(profile::Command),
}

/// A tenant of an environment.
#[derive(Debug, clap::Args)]
struct Named {
    /// The tenant's name
    #[arg(value_name = "SLUG")]
    slug: String,
    #[command(flatten)]
    environment: Environment,
}

impl Named {
    /// Its path in the API, and what is asked.
    fn path<'a>(&'a self, what: &'a str) -> [&'a str; 5] {
        ["environments", &self.environment.name, "tenants", &self.slug, what]
    }
}

/// About when a question is.
#[derive(Debug, clap::Args)]
struct AsOf {
    /// What was in force then: a day, of which the end is meant in UTC, or a time [default: now]
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
    /// What Holm had been told by then: a day or a time [default: now]
    #[arg(long, value_name = "DATE", requires = "as_of")]
    known_at: Option<String>,
}

impl AsOf {
    /// As the API is asked.
    fn query(&self) -> Vec<(&str, &str)> {
        let both = [("as_of", &self.as_of), ("known_at", &self.known_at)];
        both.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }
}

/// Says what is not known of another day, each on a line of its own.
fn say(context: &Context, notes: &[String]) {
    for note in notes {
        context.say(&format!("note: {}", visible(note)));
    }
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Where(args) => whereabouts::run(context, args).await,
        Command::Explain(args) => explain::run(context, args).await,
        Command::Decision(args) => decision::run(context, args).await,
        Command::Certificate(args) => certificate::run(context, args).await,
        Command::Matrix(args) => matrix::run(context, args).await,
        Command::Places(args) => places::run(context, args).await,
        Command::WhatIf(args) => what_if::run(context, args).await,
        Command::BreachScope(args) => breach_scope::run(context, args).await,
        Command::Report(command) => report::run(context, command).await,
        Command::Exception(command) => exception::run(context, command).await,
        Command::Facts(command) => facts::run(context, command).await,
        Command::Copy(command) => copy::run(context, command).await,
        Command::Paper(command) => paper::run(context, command).await,
        Command::Profile(command) => profile::run(context, command).await,
    }
}

/// Countries as people read them; `?` where they are not known.
fn countries(known: Option<&Vec<String>>) -> String {
    known.map_or_else(|| "?".to_owned(), |known| known.join(" "))
}

/// Lines for a terminal: what others wrote into them can do nothing there.
fn shown(text: &str) -> String {
    text.lines().map(|line| visible(line) + "\n").collect()
}
