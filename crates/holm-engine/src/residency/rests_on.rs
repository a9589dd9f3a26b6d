//! What a verdict rests on, and what would break it: each fact with its source and its end, and the law that it leans on.
//!
//! Promises: what would come of a law's fall is judged, not guessed: the copies are judged by the same profile as if it had fallen.

use std::collections::BTreeMap;
use std::sync::Arc;

use holm_core::error::Problem;
use holm_policy::evaluate::verdict::{Finding, Outcome};
use holm_policy::fact::FactId;
use holm_policy::fleet::shorthand;
use holm_policy::registry::Supposition;
use holm_store::cluster::Cluster;
use jiff::Timestamp;
use jiff::civil::Date;

use super::copies::{self, Comes, Judged, Whose};
use super::decision::{Objection, objections};
use super::known::Known;
use super::what_if::{cannot_be, written};

/// A fact that a verdict rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ground {
    /// Which.
    pub fact: FactId,
    /// What it says.
    pub value: Option<String>,
    /// Until when it counts, if nobody looks it up again.
    pub until: Option<Timestamp>,
    /// When it was looked up.
    pub checked_on: Option<Date>,
    /// How sure it is.
    pub certainty: Option<String>,
    /// Where it was read, in words.
    pub source: Option<String>,
    /// Where it can be read again.
    pub url: Option<String>,
}

/// What would come of the fall of something that a verdict rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fall {
    /// What would be otherwise, as one asks for it: `dpf=annulled`.
    pub supposed: String,
    /// Each fact of it, and its value.
    pub facts: Vec<(String, String)>,
    /// What the worst of the copies would come to.
    pub outcome: Outcome,
    /// What would speak against them.
    pub objections: Vec<Objection>,
}

/// The facts that nothing speaks against as long as they are known; the first to end is first.
pub fn grounds(known: &Known, here: &[Judged]) -> Vec<Ground> {
    let mut until: BTreeMap<&FactId, Option<Timestamp>> = BTreeMap::new();
    for finding in allowing(here) {
        for fact in &finding.facts {
            let end = until.entry(fact).or_insert(finding.valid_until);
            // A finding is known as long as all of its facts: the longest that it was, is the least that the fact is.
            *end = (*end).max(finding.valid_until);
        }
    }
    let facts = known.registry().facts();
    let mut grounds: Vec<Ground> = facts
        .iter()
        .filter_map(|fact| Some((fact, *until.get(fact.id)?)))
        .map(|(fact, until)| Ground {
            fact: fact.id.clone(),
            value: fact.value.clone(),
            until,
            checked_on: fact.evidence.map(|evidence| evidence.checked_on),
            certainty: fact.evidence.map(|evidence| evidence.certainty.to_string()),
            source: fact.evidence.map(|evidence| evidence.what.to_string()),
            url: fact.evidence.and_then(|evidence| evidence.url.as_ref().map(ToString::to_string)),
        })
        .collect();
    grounds.sort_by(|a, b| (a.until.is_none(), a.until, &a.fact).cmp(&(b.until.is_none(), b.until, &b.fact)));
    grounds
}

fn allowing(here: &[Judged]) -> impl Iterator<Item = &Finding> {
    let findings = here.iter().flat_map(|judged| match &judged.standing {
        Comes::To(verdict) => verdict.findings.as_slice(),
        Comes::Nowhere => &[],
    });
    findings.filter(|finding| finding.outcome == Outcome::Allow)
}

/// Judges the copies on a cluster as if each mechanism, adequacy decision and law among their grounds were otherwise: annulled, or, of
/// a law that reaches people, in force.
pub(super) fn falls(
    known: &Arc<Known>,
    profile: &str,
    whose: Whose<'_>,
    cluster: &Cluster,
    grounds: &[Ground],
    now: Timestamp,
) -> Result<Vec<Fall>, Problem> {
    let profile = known.profile(profile)?;
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut falls = Vec::new();
    for text in grounds.iter().filter_map(otherwise) {
        let Ok(supposed) = shorthand::suppose(known.registry(), &text) else { continue };
        if supposed.iter().all(|one| is_so(grounds, one)) {
            continue;
        }
        let registry = known.registry().supposing(&supposed, today).map_err(|problems| cannot_be(&problems))?;
        let copies = copies::on(&known.with_registry(registry), profile, whose, cluster, now);
        falls.push(Fall {
            supposed: text,
            facts: supposed.iter().map(|one| (one.fact.to_string(), written(one))).collect(),
            outcome: copies::worst(&copies),
            objections: objections(&copies),
        });
    }
    Ok(falls)
}

/// What is asked of a fact of law.
fn otherwise(ground: &Ground) -> Option<String> {
    let subject = ground.fact.as_str().strip_suffix(".status")?;
    match subject.split_once(':')? {
        ("mechanism", name) => Some(format!("{name}=annulled")),
        ("adequacy", _) => Some(format!("{subject}=annulled")),
        ("law", name) => Some(format!("{name}=in_force")),
        _ => None,
    }
}

/// Whether that is how it is.
fn is_so(grounds: &[Ground], one: &Supposition) -> bool {
    grounds.iter().any(|ground| ground.fact == one.fact && ground.value.as_deref() == one.is.as_str())
}
