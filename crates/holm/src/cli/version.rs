//! `holm version`: which Holm this is, without asking any server.

use serde::Serialize;

use crate::output::{Answer, Cell, Row};

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm version\n  holm version -o json")]
pub(super) struct Args {}

#[derive(Serialize)]
struct Version {
    version: &'static str,
}

impl Row for Version {
    const COLUMNS: &'static [&'static str] = &["VERSION"];
    const BRIEF: usize = 1;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(self.version)]
    }

    fn name(&self) -> String {
        self.version.to_owned()
    }
}

pub(super) fn run(_: &Args) -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    Answer::text(format!("holm {version}\n"), &Version { version })
}
