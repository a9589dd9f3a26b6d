//! A decision on where a tenant's database is: what was chosen, what was not, and why (R29), as it is kept.
//!
//! Promises: it can be read without anything else: names, places, rules and reasons are in it, with the hashes of the profile
//! and of the facts. Refuses to be computed anew: it is what was known then.

use holm_policy::evaluate::verdict::Outcome;
use holm_policy::profile::Profile;
use holm_store::cluster::Cluster;
use serde::{Deserialize, Serialize};

use super::choose::Wish;
use super::copies::{self, Judged};
use super::known::Known;

/// A decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// The profile.
    pub profile: String,
    /// Which version of it.
    pub profile_version: u32,
    /// What it means, as a hash.
    pub profile_hash: String,
    /// What was known, as a hash.
    pub registry_hash: String,
    /// Whether somebody named the cluster.
    pub asked_for: bool,
    /// Near what it was wished, if somebody wished that.
    #[serde(default)]
    pub near: Option<String>,
    /// What was chosen.
    pub chosen: Candidate,
    /// What was not.
    pub others: Vec<Candidate>,
}

/// A cluster that could have been chosen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub cluster: String,
    /// Where it was said to be.
    pub place: Option<String>,
    /// What the worst of the copies there came to.
    pub outcome: Outcome,
    /// How long an answer of it took at the least, in microseconds, where Holm looked at it last; none where nobody had measured.
    #[serde(default)]
    pub round_trip_us: Option<u64>,
    /// Why it was chosen, or was not.
    pub because: String,
    /// What spoke against it.
    pub objections: Vec<Objection>,
}

/// A rule that speaks against a copy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Objection {
    /// Which copy.
    pub copy: String,
    /// Which rule.
    pub rule: String,
    /// Why.
    pub because: String,
}

/// What speaks against some copies.
pub fn objections(copies: &[Judged]) -> Vec<Objection> {
    let of = |judged: &Judged| {
        let copy = judged.copy.to_string();
        judged.objections().into_iter().map(move |(rule, because)| Objection { copy: copy.clone(), rule, because }).collect::<Vec<_>>()
    };
    copies.iter().flat_map(of).collect()
}

impl Candidate {
    pub(crate) fn of(cluster: &Cluster, copies: &[Judged], because: String) -> Self {
        Self {
            cluster: cluster.name.to_string(),
            place: copies::place_of(cluster).map(|place| place.to_string()),
            outcome: copies::worst(copies),
            round_trip_us: cluster.capability.as_ref().and_then(|seen| seen.round_trip_us),
            because,
            objections: objections(copies),
        }
    }
}

impl Decision {
    pub(crate) fn of(known: &Known, profile: &Profile, wish: Wish<'_>, chosen: Candidate, others: Vec<Candidate>) -> Self {
        Self {
            profile: profile.metadata().id.to_string(),
            profile_version: profile.metadata().version,
            profile_hash: profile.hash().as_str().to_owned(),
            registry_hash: known.registry().hash().as_str().to_owned(),
            asked_for: wish.cluster.is_some(),
            near: wish.near.map(ToString::to_string),
            chosen,
            others,
        }
    }
}
