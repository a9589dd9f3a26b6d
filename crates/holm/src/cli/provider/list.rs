//! `holm provider list`

use holm_policy::registry::Registry;
use jiff::Timestamp;

use super::compared;
use crate::output::Answer;

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm provider list
  holm provider list -o csv

`?` is what is not known, or what was known and has to be looked up again. None of it is legal advice.")]
pub(in crate::cli) struct Args {}

pub(super) fn run(_: &Args, registry: &Registry, now: Timestamp) -> Answer {
    Answer::list(&compared(registry, now))
}
