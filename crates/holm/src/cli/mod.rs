//! The command line: `holm <noun> <verb>`, one file for each command, each with `Args` and `run`.
//!
//! Promises: every command knows `-o` and the ways to name a server; a change names its environment; nothing is asked where
//! nobody can answer; Ctrl-C ends with 130. See `output` for what goes where and [`crate::exit`] for how it ends.

mod cluster;
mod completion;
mod confirm;
mod context;
mod credential;
mod dev;
mod doctor;
mod env;
mod raw;
mod tenant;
mod version;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use holm_core::error::{ErrorCode, Problem};

use crate::exit::Exit;
use crate::output::{self, Answer};
use context::{Context, Globals};

/// Every customer on an island of their own: a PostgreSQL database for each tenant, behind one endpoint
#[derive(Debug, Parser)]
#[command(name = "holm", version, propagate_version = true, arg_required_else_help = true, max_term_width = 110)]
#[command(after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  holm tenant create uppsala --env production
  psql \"$(holm tenant url uppsala --env production)\"
  holm tenant list -o json

Exit codes: 0 done, 1 failed, 3 partly done, 4 refused by a rule, 5 needs --yes, 6 not found,
7 not signed in, 8 stopped waiting, 64 usage, 130 interrupted";

/// One variant for each noun; the launcher and the servers are nouns of their own.
#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything on this machine, on PostgreSQL servers of its own
    Dev(dev::Args),
    /// Customers, each with a database of its own
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Environments: production, staging and their kin
    #[command(subcommand)]
    Env(env::Command),
    /// PostgreSQL servers that tenants are placed on
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// What apps present to the proxy
    #[command(subcommand)]
    Credential(credential::Command),
    /// Looks at everything and says what is wrong and what to do
    Doctor(doctor::Args),
    /// Prints the completion script of a shell
    Completion(completion::Args),
    /// Prints the version
    Version(version::Args),
}

/// The whole tree, for tests and for completion.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    match Cli::try_parse_from(&arguments) {
        Ok(cli) => execute(cli).into(),
        Err(error) => refuse(&error, &arguments).into(),
    }
}

fn execute(cli: Cli) -> Exit {
    let context = Context::new(cli.globals);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return context.fail(&Problem::new(ErrorCode::Internal, "the program cannot start its threads").because(error)),
    };
    let exit = runtime.block_on(dispatch(&context, cli.command));
    // A task that hangs, such as a name look-up, must not keep the program.
    runtime.shutdown_background();
    exit
}

async fn dispatch(context: &Context, command: Command) -> Exit {
    // The launcher hears signals itself: it has servers to stop.
    let command = match command {
        Command::Dev(args) => return dev::run(context, args).await.unwrap_or_else(|problem| context.fail(&problem)),
        other => other,
    };
    let answer = tokio::select! {
        answer = run(context, command) => answer,
        // Safe to drop: a request that was sent is carried out or not by the server, whether or not we wait.
        _ = tokio::signal::ctrl_c() => return Exit::Interrupted,
    };
    match answer.and_then(|answer| context.show(&answer)) {
        Ok(exit) => exit,
        Err(problem) => context.fail(&problem),
    }
}

async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Dev(_) => unreachable!("the launcher was dispatched before"),
        Command::Tenant(command) => tenant::run(context, command).await,
        Command::Env(command) => env::run(context, command).await,
        Command::Cluster(command) => cluster::run(context, command).await,
        Command::Credential(command) => credential::run(context, command).await,
        Command::Doctor(args) => doctor::run(context, args).await,
        Command::Completion(args) => completion::run(args),
        Command::Version(args) => Ok(version::run(&args)),
    }
}

/// What clap did not accept, or was asked to print.
fn refuse(error: &clap::Error, arguments: &[std::ffi::OsString]) -> Exit {
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        kind => {
            let code = if kind == ErrorKind::UnknownArgument { ErrorCode::UnknownParameter } else { ErrorCode::InvalidValue };
            let problem = Problem::new(code, first_paragraph(&error.to_string())).next("see `holm --help`");
            // A disk that is full is no reason to hide that the command was wrong.
            let _ = output::print(&output::render_failure(&problem, raw::format(arguments)));
            Exit::Usage
        }
    }
}

/// What was wrong, without the usage that follows.
fn first_paragraph(text: &str) -> String {
    let lines: Vec<&str> = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}
