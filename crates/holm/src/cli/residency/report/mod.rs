//! `holm residency report`: for people who answer for personal data, to print, to file, to read by program.

mod html;
mod record;
mod sub_processors;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use holm_core::error::{ErrorCode, Problem};

use crate::cli::context::{Context, Environment};
use crate::cli::residency::AsOf;
use crate::output::Answer;

/// One variant for each report.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Every company in the chain of the places in use (GDPR Art. 28)
    SubProcessors(sub_processors::Args),
    /// What Holm knows of the processing of each tenant's data (GDPR Art. 30)
    Record(record::Args),
}

/// How it is written for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Paper {
    /// Columns
    #[default]
    Text,
    /// A page that prints well
    Html,
}

/// Of which environment, and how.
#[derive(Debug, clap::Args)]
struct Printed {
    #[command(flatten)]
    environment: Environment,
    #[command(flatten)]
    as_of: AsOf,
    /// How it is written for people; programs take `-o`
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Paper,
    /// Writes the page to a file that is not there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::SubProcessors(args) => sub_processors::run(context, args).await,
        Command::Record(args) => record::run(context, args).await,
    }
}

impl Printed {
    fn path<'a>(&'a self, what: &'a str) -> [&'a str; 3] {
        ["environments", &self.environment.name, what]
    }

    /// The text for people: the page, or where it was put; else what is given.
    fn text(&self, context: &Context, page: impl Fn() -> String, text: String) -> Result<String, Problem> {
        match &self.out {
            Some(file) => {
                let written = OpenOptions::new().write(true).create_new(true).open(file).and_then(|mut to| to.write_all(page().as_bytes()));
                written.map_err(|error| {
                    Problem::new(ErrorCode::InvalidValue, format!("the page cannot be written to `{}`", file.display())).because(error)
                })?;
                context.say(&format!("✓ {} is written", file.display()));
                Ok(text)
            }
            None if self.format == Paper::Html => Ok(page()),
            None => Ok(text),
        }
    }
}
