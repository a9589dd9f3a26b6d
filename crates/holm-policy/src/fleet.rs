//! Surveys over many copies: all of them judged, what would change if facts were otherwise, and what to do about it.
//!
//! Promises: a survey says of each copy what [`judge`](crate::evaluate::judge) says of it, and asks only once what is asked of many
//! alike; the same question has the same answer, in the same order. Refuses to know who the copies are: whoever keeps them brings
//! them along, and a key that tells tenants apart.

pub mod matrix;
pub mod plan;
pub mod shorthand;
pub mod what_if;

mod memory;

use std::sync::Arc;

use holm_core::environment::EnvironmentKind;
use jiff::Timestamp;

use crate::copy::{CopyRole, KeyHolder, ServiceKind};
use crate::evaluate::exception::Exception;
use crate::evaluate::verdict::{Outcome, RuleId, Verdict};
use crate::evaluate::{BackupBy, Placement};
use crate::id::{CopyId, Place, PlanId};
use crate::profile::Profile;
use crate::registry::Registry;

use self::memory::Memory;

/// A copy that somebody keeps, and what it is judged by.
#[derive(Clone, Debug)]
pub struct Held<'a, K> {
    /// Whose it is.
    pub tenant: K,
    /// The profile of that tenant.
    pub profile: &'a Profile,
    /// The copy, and where it lies. Its papers are all that are on file, with whomever, so that it can be judged elsewhere too.
    pub placement: Placement,
    /// Exceptions that were granted; those of other copies may be among them and cover nothing here.
    pub exceptions: &'a [Exception],
    /// Whether it goes where its tenant goes.
    pub of: Of,
}

/// To what a copy belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Of {
    /// To its tenant: it moves.
    Tenant,
    /// To a server, since it is one of everything there; a tenant that moves leaves it behind. By the label of the candidate that it is.
    Server(Arc<str>),
}

/// A copy of everything at a candidate: whoever moves there has it too.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize)]
pub struct Found {
    /// What it is called.
    pub copy: CopyId,
    /// What it is.
    pub role: CopyRole,
    /// Where it is; `None` where nobody said so.
    pub place: Option<Place>,
    /// On which plan of the provider's, if that is known.
    pub plan: Option<PlanId>,
    /// Who holds its keys.
    pub key_holder: KeyHolder,
}

/// A place that a copy could move to.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize)]
pub struct Candidate {
    /// What people call it: a cluster's name.
    pub label: Arc<str>,
    /// Where it is.
    pub place: Place,
    /// On which plan of the provider's, if that is known.
    pub plan: Option<PlanId>,
    /// The environment that it is of; `None` takes copies of any.
    pub environment: Option<EnvironmentKind>,
    /// The kind of service that it is; `None` keeps copies of any.
    pub keeps: Option<ServiceKind>,
    /// Copies of everything there.
    pub found: Vec<Found>,
}

/// What a rule has against a copy.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Objection {
    /// The rule.
    pub rule: RuleId,
    /// Deny or unknown.
    pub outcome: Outcome,
    /// Why.
    pub because: String,
}

impl Candidate {
    /// A place that takes copies of every environment and kind.
    pub fn anywhere(label: &str, place: Place) -> Self {
        Self { label: label.into(), place, plan: None, environment: None, keeps: None, found: Vec::new() }
    }
}

impl Objection {
    fn of(verdict: &Verdict) -> Vec<Self> {
        let objections = verdict.objections();
        objections.map(|finding| Self { rule: finding.rule, outcome: finding.outcome, because: finding.because.clone() }).collect()
    }

    /// What speaks against a copy of which nobody said where it is.
    fn nowhere(copy: &CopyId) -> Self {
        let because = format!("nobody said where `{copy}` is, which was seen there");
        Self { rule: RuleId::LocationCountries, outcome: Outcome::Unknown, because }
    }

    /// The first that is as bad as the whole.
    fn first_of(verdict: &Verdict) -> Option<Self> {
        Self::of(verdict).into_iter().find(|objection| objection.outcome == verdict.outcome)
    }
}

/// Judges every copy; the verdicts come in the order of the copies.
pub fn survey<K>(registry: &Registry, held: &[Held<'_, K>], now: Timestamp) -> Vec<Arc<Verdict>> {
    let mut memory = Memory::new(registry, now);
    held.iter().map(|held| memory.held(held)).collect()
}

/// The kind of service that keeps a copy. What Holm makes of a database is a file.
fn kept_by(placement: &Placement) -> ServiceKind {
    if placement.role == CopyRole::Backup && placement.backup == BackupBy::Holm { ServiceKind::Object } else { placement.role.kept_by() }
}

/// A copy as it would be at another place. What is the former provider's alone, a plan or where it was told to put backups, stays.
fn moved(placement: &Placement, to: &Place) -> Placement {
    let mut moved = placement.clone();
    if to.provider != placement.place.provider {
        moved.plan = None;
        if matches!(moved.backup, BackupBy::ProviderIn(_)) {
            moved.backup = BackupBy::ProviderDefault;
        }
    }
    if moved.role == CopyRole::Primary || moved.primary.as_ref() == Some(&placement.place) {
        moved.primary = Some(to.clone());
    }
    moved.place = to.clone();
    moved
}

/// A copy as it would be at a candidate: on the plan that is used there, whatever it is on now.
fn arrived(placement: &Placement, at: &Candidate) -> Placement {
    Placement { plan: at.plan.clone(), ..moved(placement, &at.place) }
}

/// A copy that a primary would have at a candidate, since it is of everything there; as the primary would be.
fn also(primary: &Placement, found: &Found, place: &Place) -> Placement {
    Placement {
        copy: found.copy.clone(),
        role: found.role,
        place: place.clone(),
        plan: found.plan.clone(),
        // Where it is, and not where a provider would put such a thing.
        backup: BackupBy::Holm,
        key_holder: found.key_holder,
        ..primary.clone()
    }
}

#[cfg(test)]
mod tests;
