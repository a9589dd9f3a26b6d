//! What every command is given: how to show, whom to ask, which environment is meant.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use holm_api::view::operation::OperationView;
use holm_core::error::{Changed, ErrorCode, Problem};

use crate::client::Client;
use crate::exit::Exit;
use crate::output::{self, Answer, Format};
use crate::settings::{self, Given};

/// Flags that stand anywhere in a command line.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// How stdout looks
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        hide_default_value = true,
        hide_possible_values = false,
        value_name = "FORMAT"
    )]
    output: Format,
    /// Which columns of a table or of CSV, in this order
    #[arg(long, global = true, value_delimiter = ',', value_name = "NAME,…")]
    columns: Option<Vec<String>>,
    /// The directory of a `holm dev` [env: HOLM_DIR] [default: `.holm` here or above]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A server elsewhere [env: HOLM_URL]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "dir")]
    url: Option<String>,
    /// The file with the token for it [env: HOLM_TOKEN_FILE, or HOLM_TOKEN for the token itself]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Says nothing but the answer and failures
    #[arg(short, long, global = true)]
    quiet: bool,
}

/// The environment that a command is about.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Environment {
    /// The environment; there is no default
    #[arg(id = "environment", long = "env", env = "HOLM_ENV", value_name = "ENVIRONMENT")]
    pub(crate) name: String,
}

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context {
    globals: Globals,
    waiting: Mutex<Option<Operation>>,
}

/// An operation as whoever stops waiting for it names it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    /// `tenant.delete of tenant ...`
    pub(crate) what: String,
}

impl Operation {
    /// Says that it goes on without us.
    pub(crate) fn goes_on(&self, how: &str) -> Problem {
        Problem::new(ErrorCode::OperationGoesOn, format!("{how}; {} goes on", self.what))
            .changed(Changed::Something)
            .next(format!("watch it: `holm op watch {}`", self.id))
            .next(format!("or have it undone: `holm op cancel {}`", self.id))
    }
}

impl Context {
    pub(crate) const fn new(globals: Globals) -> Self {
        Self { globals, waiting: Mutex::new(None) }
    }

    fn given(&self) -> Given {
        let flags = Given {
            url_flag: self.globals.url.clone(),
            token_file_flag: self.globals.token_file.clone(),
            directory_flag: self.globals.dir.clone(),
            ..Given::default()
        };
        flags.with_environment()
    }

    /// The directory for a development server: `--dir`, `HOLM_DIR`, else `.holm`.
    pub(crate) fn dev_directory(&self) -> PathBuf {
        self.given().dev_directory()
    }

    /// A connection to the server that is meant.
    ///
    /// # Errors
    /// None is found, or what was said about it cannot be used.
    pub(crate) fn client(&self) -> Result<Client, Problem> {
        let here = std::env::current_dir()
            .map_err(|error| Problem::new(ErrorCode::InvalidConfig, "there is no working directory").because(error))?;
        let client = Client::new(settings::find(&self.given(), &here)?)?;
        if let Some(warning) = client.warning() {
            self.say(&warning);
        }
        Ok(client)
    }

    /// Says something to a person who may be there.
    pub(crate) fn say(&self, text: &str) {
        if !self.globals.quiet {
            output::say(&format!("{text}\n"));
        }
    }

    /// Shows an answer and says how the command ends.
    ///
    /// # Errors
    /// A column was chosen that is not there, or stdout cannot be written.
    pub(crate) fn show(&self, answer: &Answer) -> Result<Exit, Problem> {
        let text = answer.render(self.globals.output, self.globals.columns.as_deref())?;
        output::print(&text).map_err(|error| {
            Problem::new(ErrorCode::InvalidConfig, "the answer cannot be written to stdout").because(error).changed(Changed::Unknown)
        })?;
        if let Some(problem) = answer.why() {
            output::say(&output::render_problem(problem));
        }
        Ok(answer.exits())
    }

    /// Whether a person watches stdout: a table, on a terminal.
    pub(crate) fn watches(&self) -> bool {
        self.globals.output == Format::Table && self.globals.columns.is_none() && std::io::stdout().is_terminal()
    }

    /// Whether progress may be drawn: somebody watches, and did not ask for quiet.
    pub(crate) fn draws(&self) -> bool {
        !self.globals.quiet && std::io::stderr().is_terminal()
    }

    /// Remembers for which operation the command waits, so that Ctrl-C can say that it goes on.
    pub(crate) fn waits_for(&self, operation: Option<&Operation>) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = operation.cloned();
    }

    /// What Ctrl-C means: the command stops waiting, if it waits for an operation; else it is interrupted.
    pub(crate) fn interrupted(&self) -> Exit {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(operation) = waiting else { return Exit::Interrupted };
        let answer = Answer::list::<OperationView>(&[]).operation(&operation.id).problem(operation.goes_on("stopped waiting"));
        self.show(&answer).unwrap_or_else(|problem| self.fail(&problem))
    }

    /// Shows a problem: to a person always, to a program in the envelope.
    pub(crate) fn fail(&self, problem: &Problem) -> Exit {
        // Stdout may be what failed; stderr says the same.
        let _ = output::print(&output::render_failure(problem, self.globals.output));
        output::say(&output::render_problem(problem));
        Exit::from(problem)
    }
}
