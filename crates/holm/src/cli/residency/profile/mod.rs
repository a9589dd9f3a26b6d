//! `holm residency profile`: policies as files, read, tested, compared, put into words, and put in force.

mod add;
mod check;
mod diff;
mod in_force;
mod list;
mod show;

use holm_core::error::{Changed, ErrorCode, Problem};
use holm_policy::profile::Profile;
use holm_policy::reading::Problems;
use holm_policy::registry::Registry;

use crate::cli::context::Context;
use crate::output::Answer;

/// No profile is longer than a few pages; a wrong file is not read to its end.
const BYTES_MAX: u64 = 1024 * 1024;

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Puts one in force: one that comes with Holm, or a file
    Add(add::Args),
    /// Lists those in force
    InForce(in_force::Args),
    /// Lists those that come with Holm
    List(list::Args),
    /// Puts one into words that somebody can sign, in English, Norwegian or Swedish
    Show(show::Args),
    /// Reads one and runs the cases in it
    Check(check::Args),
    /// Says what another version permits more, and what less
    Diff(diff::Args),
}

pub(in crate::cli) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    let registry = Registry::shipped();
    match command {
        Command::Add(args) => add::run(context, args).await,
        Command::InForce(args) => in_force::run(context, args).await,
        Command::List(args) => list::run(&args, &registry),
        Command::Show(args) => show::run(&args, &registry),
        Command::Check(args) => check::run(&args, &registry),
        Command::Diff(args) => diff::run(&args, &registry),
    }
}

/// One that comes with Holm, by its name, or the one in a file.
pub(super) fn read(name: &str, registry: &Registry) -> Result<Profile, Problem> {
    let file = format!("{name}.toml");
    if let Some((file, text)) = Profile::SHIPPED.iter().find(|(shipped, _)| *shipped == file) {
        return Profile::parse(file, text, registry).map_err(|problems| refused(name, &problems));
    }
    if !name.contains(['/', '.']) {
        return Err(Problem::new(ErrorCode::InvalidValue, format!("no profile comes with Holm under the name `{}`", name.escape_debug()))
            .next("see which do: `holm residency profile list`; a file is named with its directory or its ending: `./mine.toml`"));
    }
    let text = text_of(name).map_err(|error| {
        Problem::new(ErrorCode::InvalidValue, format!("the profile `{}` cannot be read", name.escape_debug())).because(error)
    })?;
    Profile::parse(name, &text, registry).map_err(|problems| refused(name, &problems))
}

fn text_of(path: &str) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    // One byte more than there may be: a rule that is cut off would be one that nobody asks for.
    let read = std::fs::File::open(path)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > BYTES_MAX {
        return Err(std::io::Error::other("it is longer than 1 MiB"));
    }
    Ok(text)
}

fn refused(name: &str, problems: &Problems) -> Problem {
    Problem::new(ErrorCode::InvalidValue, format!("the profile `{}` cannot be used", name.escape_debug()))
        .because(problems)
        .changed(Changed::Nothing)
        .next("put that in order and say `holm residency profile check` again")
}
