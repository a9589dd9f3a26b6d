//! `holm provider show`: every fact of a provider and of those who own it.

use std::collections::BTreeSet;

use holm_core::error::Problem;
use holm_policy::id::EntityId;
use holm_policy::registry::Registry;
use holm_policy::registry::findings::FactView;
use holm_policy::registry::provider::Provider;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::known;
use crate::output::{Answer, Cell, Row};

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm provider show scalingo
  holm provider show railway -o json

A fact that is over counts as unknown until somebody looks it up again. None of it is legal advice.")]
pub(in crate::cli) struct Args {
    /// The provider, as `holm provider list` has it
    provider: String,
}

/// A fact as it is shown.
#[derive(serde::Serialize)]
struct FactRow {
    fact: String,
    /// Null if nobody knows.
    value: Option<String>,
    certainty: Option<String>,
    checked_on: Option<Date>,
    /// The first day on which it is unknown again.
    valid_until: Option<Date>,
    /// Whether that day has come.
    over: bool,
    source: Option<String>,
    url: Option<String>,
}

impl FactRow {
    fn of(fact: &FactView<'_>, today: Date) -> Self {
        let evidence = fact.evidence;
        Self {
            fact: fact.id.as_str().to_owned(),
            value: fact.value.clone(),
            certainty: evidence.map(|evidence| evidence.certainty.to_string()),
            checked_on: evidence.map(|evidence| evidence.checked_on),
            valid_until: evidence.map(|evidence| evidence.valid_until),
            over: evidence.is_some_and(|evidence| evidence.valid_until <= today),
            source: evidence.map(|evidence| evidence.what.to_string()),
            url: evidence.and_then(|evidence| evidence.url.as_ref().map(ToString::to_string)),
        }
    }
}

impl Row for FactRow {
    const COLUMNS: &'static [&'static str] = &["FACT", "VALUE", "CERTAINTY", "CHECKED", "UNTIL", "SOURCE", "URL"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        let value = match (&self.value, self.over) {
            (None, _) => "unknown".to_owned(),
            (Some(value), false) => value.clone(),
            (Some(value), true) => format!("over: {value}"),
        };
        vec![
            Cell::of(&self.fact),
            Cell::of(value),
            self.certainty.clone().into(),
            self.checked_on.map(|day| day.to_string()).into(),
            self.valid_until.map(|day| day.to_string()).into(),
            self.source.clone().into(),
            self.url.clone().into(),
        ]
    }

    fn name(&self) -> String {
        self.fact.clone()
    }
}

pub(super) fn run(args: &Args, registry: &Registry, now: Timestamp) -> Result<Answer, Problem> {
    let provider = known(registry, &args.provider)?;
    let today = now.to_zoned(TimeZone::UTC).date();
    let owners = owners(registry, provider);
    let rows: Vec<FactRow> =
        registry.facts().iter().filter(|fact| is_of(fact, provider, &owners)).map(|fact| FactRow::of(fact, today)).collect();
    Ok(Answer::list(&rows))
}

/// The company that signs, and all above it.
fn owners(registry: &Registry, provider: &Provider) -> BTreeSet<EntityId> {
    let (mut found, mut next) = (BTreeSet::new(), Vec::from_iter(provider.contracting.claimed().cloned()));
    while let Some(id) = next.pop() {
        if found.insert(id.clone())
            && let Some(parents) = registry.entity(&id).and_then(|entity| entity.parents.claimed())
        {
            next.extend(parents.iter().cloned());
        }
    }
    found
}

fn is_of(fact: &FactView<'_>, provider: &Provider, owners: &BTreeSet<EntityId>) -> bool {
    let Some((kind, rest)) = fact.id.as_str().split_once(':') else { return false };
    let subject = rest.split(['/', '.']).next().unwrap_or(rest);
    match kind {
        "entity" => owners.iter().any(|owner| owner.as_str() == subject),
        _ => subject == provider.id.as_str(),
    }
}
