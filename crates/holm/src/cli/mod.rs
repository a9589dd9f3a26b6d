//! The command line: `holm <noun> <verb>`, one file for each command, each with `Args` and `run`.
//!
//! Promises: every command knows `-o` and the ways to name a server; a change names its environment; nothing is asked where
//! nobody can answer; Ctrl-C ends with 130, and with 8 while an operation is waited for, which goes on. See `output` for what
//! goes where and [`crate::exit`] for how it ends.

mod access;
mod approval;
mod audit;
mod catalog;
mod cluster;
mod completion;
mod confirm;
mod context;
mod credential;
mod dev;
mod doctor;
mod env;
mod fleet;
mod import;
mod init;
mod key;
mod node;
mod op;
mod provider;
mod raw;
mod residency;
mod serve;
mod tenant;
mod until;
mod version;
mod waiting;
mod webhook;

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
7 not signed in or not allowed, 8 stopped waiting, 64 usage, 130 interrupted";

/// One variant for each noun; the launcher and the servers are nouns of their own.
#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything on this machine, on PostgreSQL servers of its own
    Dev(Box<dev::Args>),
    /// Makes an empty database a catalog, with the first principal and its token
    Init(init::Args),
    /// Runs one process of an installation, on a catalog and clusters that are there
    Serve(Box<serve::Args>),
    /// The catalog itself: backup and restore
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// All tenants at once
    #[command(subcommand)]
    Fleet(fleet::Command),
    /// Makes tenants of what another pooler's files list
    #[command(subcommand)]
    Import(import::Command),
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
    /// Who may do what: people, machines, roles, tokens
    #[command(subcommand)]
    Access(access::Command),
    /// What one asks for and another agrees to
    #[command(subcommand)]
    Approval(approval::Command),
    /// What was done, by whom, and proof that the log still says so
    #[command(subcommand)]
    Audit(audit::Command),
    /// Master keys, which wrap the keys that seal Holm's secrets
    #[command(subcommand)]
    Key(key::Command),
    /// The processes on the catalog
    #[command(subcommand)]
    Node(node::Command),
    /// Work that takes longer than a request
    #[command(subcommand)]
    Op(op::Command),
    /// What is known of those who run servers, with its sources
    #[command(subcommand)]
    Provider(provider::Command),
    /// Where data may lie, where it does, and why
    #[command(subcommand)]
    Residency(residency::Command),
    /// Receivers that are told what was done
    #[command(subcommand)]
    Webhook(webhook::Command),
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
        Command::Dev(args) => return dev::run(context, *args).await.unwrap_or_else(|problem| context.fail(&problem)),
        Command::Serve(args) => return serve::run(*args).await.unwrap_or_else(|problem| context.fail(&problem)),
        other => other,
    };
    let answer = tokio::select! {
        // Ctrl-C is listened for before anything is sent, so that it never ends the program without its exit code.
        biased;
        _ = tokio::signal::ctrl_c() => return context.interrupted(),
        // Safe to drop: a request that was sent is carried out or not by the server, whether or not we wait.
        answer = run(context, command) => answer,
    };
    match answer.and_then(|answer| context.show(&answer)) {
        Ok(exit) => exit,
        Err(problem) => context.fail(&problem),
    }
}

async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Init(args) => init::run(context, args).await,
        Command::Catalog(command) => catalog::run(context, command).await,
        Command::Dev(_) | Command::Serve(_) => unreachable!("both were dispatched before"),
        Command::Fleet(command) => fleet::run(context, command).await,
        Command::Import(command) => import::run(context, command).await,
        Command::Tenant(command) => tenant::run(context, command).await,
        Command::Env(command) => env::run(context, command).await,
        Command::Cluster(command) => cluster::run(context, command).await,
        Command::Credential(command) => credential::run(context, command).await,
        Command::Access(command) => access::run(context, command).await,
        Command::Approval(command) => approval::run(context, command).await,
        Command::Audit(command) => audit::run(context, command).await,
        Command::Key(command) => key::run(context, command).await,
        Command::Node(command) => node::run(context, command).await,
        Command::Op(command) => op::run(context, command).await,
        Command::Provider(command) => provider::run(command),
        Command::Residency(command) => residency::run(context, command).await,
        Command::Webhook(command) => webhook::run(context, command).await,
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
