//! What the registry knew on a day: the other axis of time.
//!
//! A verdict has two times. *When it is about* is an argument of [`judge`](crate::evaluate::judge): a fact counts until its end. *What was
//! known then* is a registry: [`Registry::as_known`] is this one without what it came to know later, and with what it said instead.
//!
//! Promises: on a day after the last entry it is the registry itself, hash and all; what came later is unknown or as it was before,
//! never as it is now. Refuses to hide that there is something to know: names of providers, companies and regions stay.
//!
//! ```toml
//! [[was]] # what a fact said before
//! id = "entity:scalingo-sas.parents"
//! is = []
//! from = "card"
//! until = 2026-11-20 # left out: until what replaced it was known
//! ```

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use toml::{Table, Value};

use crate::fact::FactId;
use crate::reading::{Findings, Problems, Section, Sources};
use crate::registry::{Registry, load, overlay};

/// The key with which an overlay marks what it keeps of what it replaces.
pub(super) const REPLACED: &str = "replaced";

/// What a fact said for a while.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Version {
    fact: FactId,
    /// As the fact is written, with its source's full name.
    claim: Table,
    since: Date,
    until: Option<Date>,
    /// Whether an overlay replaced it, perhaps by what was known before it.
    replaced: bool,
    /// Where it is written: the text, and which of its `[[was]]`.
    at: (usize, usize),
}

/// Reads the `[[was]]` of one text.
pub(super) fn versions<'a>(file: &Section<'a>, number: usize, sources: &Sources, into: &mut Vec<Version>) {
    for (i, section) in file.sections("was").into_iter().enumerate() {
        let id = section.must::<String>("id").map(FactId::from);
        let (is, until) = (section.must::<Value>("is"), section.may("until"));
        let (evidence, replaced) = (section.evidence(sources), section.peek(REPLACED).is_some());
        let mut claim = Table::new();
        for key in ["is", "from", "certainty", "checked_on", "valid_until", "known_since", "note"] {
            claim.extend(section.peek(key).map(|value| (key.to_owned(), value.clone())));
        }
        if replaced {
            section.allow(REPLACED);
        }
        section.finish();
        overlay::name_source(&mut claim, file.file);
        let (Some(fact), Some(_), Some(evidence)) = (id, is, evidence) else { continue };
        if until.is_some_and(|until| until <= evidence.known_since) {
            section.problem("until", format!("it is not after {}, since when it was known", evidence.known_since));
        }
        into.push(Version { fact, claim, since: evidence.known_since, until, replaced, at: (number, i) });
    }
}

/// Each earlier version is of a fact that there is, and earlier than what replaced it.
pub(super) fn check(registry: &Registry, findings: &Findings) {
    // What overlays replaced was right when it was there; to look at every fact takes a while.
    if registry.was.iter().all(|version| version.replaced) {
        return;
    }
    let present = present(registry);
    for version in registry.was.iter().filter(|version| !version.replaced) {
        let is_last = registry.was.iter().all(|other| other.fact != version.fact || other.since <= version.since);
        let wrong = match present.get(&version.fact) {
            None => Some("there is no such fact, so that it was nothing before".to_owned()),
            Some(None) if is_last && version.until.is_none() => {
                Some("nobody knows it now; accepted: `until`, the day from which that is so".to_owned())
            }
            Some(Some(since)) if *since <= version.since => {
                Some(format!("what replaced it was known since {since}, which is not after {}", version.since))
            }
            Some(_) => None,
        };
        if let Some(why) = wrong {
            findings.add("registry", &format!("was[{}]", version.fact), why);
        }
    }
}

/// Since when each fact is known, of those that are.
fn present(registry: &Registry) -> BTreeMap<FactId, Option<Date>> {
    let facts = registry.facts().into_iter();
    facts.map(|fact| (fact.id.clone(), fact.evidence.map(|evidence| evidence.known_since))).collect()
}

impl Registry {
    /// This registry as it was on a day: what became known later is unknown, or what it was before.
    ///
    /// # Errors
    /// An earlier version says what its fact cannot be.
    pub fn as_known(&self, on: Date) -> Result<Self, Problems> {
        let mut documents = self.documents.clone();
        let mut known_since = BTreeMap::new();
        for (fact, since) in present(self) {
            if since.is_some_and(|since| since <= on) {
                known_since.insert(fact, since);
                continue;
            }
            let earlier = self.was.iter().filter(|version| version.fact == fact && version.since <= on);
            let last = earlier.max_by_key(|version| version.since).filter(|version| version.until.is_none_or(|until| on < until));
            if let Some(version) = last {
                overlay::put(&mut documents, &fact, Value::Table(version.claim.clone()));
            } else if since.is_some() {
                overlay::put(&mut documents, &fact, Value::String("unknown".to_owned()));
            }
            known_since.insert(fact, last.map(|version| version.since));
        }
        // What it had not heard of yet, and what is in its place again, are no earlier versions.
        let gone = self.was.iter().filter(|version| version.since > on || known_since.get(&version.fact) == Some(&Some(version.since)));
        let gone: BTreeSet<(usize, usize)> = gone.map(|version| version.at).collect();
        for (number, (_, text)) in documents.iter_mut().enumerate() {
            let Some(Value::Array(was)) = text.get_mut("was") else { continue };
            let mut i = 0;
            was.retain(|_| {
                i += 1;
                !gone.contains(&(number, i - 1))
            });
        }
        load::build(documents, Findings::default())
    }
}

#[cfg(test)]
mod tests;
