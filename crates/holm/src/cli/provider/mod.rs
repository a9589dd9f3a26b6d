//! `holm provider`: what is known of those who run servers, and how it is known. Asks no server: the registry is in the program.

mod compare;
mod list;
mod show;

use holm_core::error::{ErrorCode, Problem};
use holm_policy::compare::{self as rows, Row as Compared};
use holm_policy::id::ProviderId;
use holm_policy::registry::Registry;
use holm_policy::registry::provider::Provider;
use jiff::Timestamp;

use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists them: where they are, who controls them, what they have signed
    List(list::Args),
    /// Shows every fact of one, with its source, its date and how sure it is
    Show(show::Args),
    /// Puts some side by side
    Compare(compare::Args),
}

pub(super) fn run(command: Command) -> Result<Answer, Problem> {
    let (registry, now) = (Registry::shipped(), Timestamp::now());
    match command {
        Command::List(args) => Ok(list::run(&args, &registry, now)),
        Command::Show(args) => show::run(&args, &registry, now),
        Command::Compare(args) => compare::run(&args, &registry, now),
    }
}

/// A provider in a table of several.
#[derive(serde::Serialize)]
struct ProviderRow {
    provider: String,
    eea_countries: Vec<String>,
    eea_regions: Vec<String>,
    /// Countries of the company that signs and of all that own it; null if one of them is not known.
    controlled_from: Option<Vec<String>>,
    papers: String,
    mcp: String,
    /// How hard it is to move a tenant there or away, and why.
    move_complexity: String,
    move_because: Vec<&'static str>,
}

impl From<&Compared> for ProviderRow {
    fn from(row: &Compared) -> Self {
        Self {
            provider: row.provider.to_string(),
            eea_countries: row.countries.iter().map(ToString::to_string).collect(),
            eea_regions: row.regions.clone(),
            controlled_from: row.controlled_from.as_ref().map(|countries| countries.iter().map(ToString::to_string).collect()),
            papers: row.papers.clone(),
            mcp: row.mcp.clone(),
            move_complexity: row.complexity.to_string(),
            move_because: row.because.clone(),
        }
    }
}

impl Row for ProviderRow {
    const COLUMNS: &'static [&'static str] = &["PROVIDER", "EEA", "CONTROLLED-FROM", "PAPERS", "MCP", "MOVE", "REGIONS", "BECAUSE"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        let controlled = self.controlled_from.as_ref().map_or_else(|| "?".to_owned(), |countries| countries.join(", "));
        vec![
            Cell::of(&self.provider),
            Cell::of(if self.eea_countries.len() > 8 {
                format!("{} countries", self.eea_countries.len())
            } else {
                self.eea_countries.join(" ")
            }),
            Cell::of(controlled),
            Cell::of(&self.papers),
            Cell::of(&self.mcp),
            Cell::of(&self.move_complexity),
            Cell::of(self.eea_regions.join(", ")),
            Cell::of(self.move_because.join(", ")),
        ]
    }

    fn name(&self) -> String {
        self.provider.clone()
    }
}

fn compared(registry: &Registry, now: Timestamp) -> Vec<ProviderRow> {
    rows::rows(registry, now).iter().map(Into::into).collect()
}

/// The one of a name, with every fact that is known of it.
fn known<'r>(registry: &'r Registry, name: &str) -> Result<&'r Provider, Problem> {
    let found = name.parse::<ProviderId>().ok().and_then(|id| registry.provider(&id));
    found.ok_or_else(|| {
        Problem::new(ErrorCode::InvalidValue, format!("the registry has no provider `{}`", name.escape_debug()))
            .next("see which there are: `holm provider list`")
    })
}
