//! `holm residency facts add`: from then on they count, and everything is judged anew.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use holm_api::view::residency::record::{AddFacts, ChangedFactsView};
use holm_core::error::{ErrorCode, Problem};
use holm_engine::residency::facts::TEXT_BYTES_MAX;

use super::say_notes;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency facts add umea-hall.toml
  holm residency facts add ./2026/answers.toml --name scalingo-answers

The text is laid over what Holm ships, and over texts whose names come before: it replaces facts by their ids and adds companies,
providers and regions of your own, each with a source, a date and an end. See docs/how-to/residency.md. It is refused as a whole, with
everything that is wrong. Cases of profiles that come out otherwise are named, and refuse nothing.")]
pub(in crate::cli) struct Args {
    /// A file of facts, in TOML
    file: PathBuf,
    /// What to call them [default: the file's name without its ending]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let stem = || args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = args.name.unwrap_or_else(stem);
    let text = text_of(&args.file).map_err(|error| {
        let file = args.file.display().to_string();
        Problem::new(ErrorCode::InvalidValue, format!("the facts `{}` cannot be read", file.escape_debug())).because(error)
    })?;
    let changed: ChangedFactsView = context.client()?.post(&["residency", "facts"], &[], &AddFacts { name, text }).await?;
    context.say(&format!("✓ facts {} are in force; everything is judged anew", changed.facts.name));
    say_notes(context, &changed);
    Ok(Answer::one(&changed))
}

fn text_of(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    // One byte more than there may be: what is cut off would be left out without anybody noticing.
    let read = File::open(path)?.take(TEXT_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    if read > TEXT_BYTES_MAX {
        return Err(std::io::Error::other("it is longer than 48 KiB; give it in several texts"));
    }
    Ok(text)
}
