//! Where to with copies that may not stay: what moves together, to which place, in which order.
//!
//! Promises: a step names only places at which everything that moves in it is allowed, by the facts that are supposed; what follows a
//! primary is judged with the primary where the plan puts it; the order is production before staging, primaries before what
//! follows from them, and the place that most tenants must leave first. Refuses to carry an exception along: it was granted for a
//! copy where that was.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holm_core::environment::EnvironmentKind;

use crate::copy::{CopyRole, ServiceKind};
use crate::evaluate::verdict::{Outcome, Verdict};
use crate::evaluate::{BackupBy, Placement};
use crate::fleet::memory::Memory;
use crate::fleet::{Candidate, Held, Objection, Of, also, arrived, kept_by};
use crate::id::{CopyId, Place, ProfileId};
use crate::profile::Kind;

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Step<K> {
    /// For whom.
    pub tenant: K,
    /// In which environment.
    pub environment: EnvironmentKind,
    /// The profile that wants it.
    pub profile: ProfileId,
    /// What moves; of a primary and what goes along, the primary.
    pub role: CopyRole,
    /// Every copy that moves in this step, that one first. A primary takes along the log, backups and snapshots that its provider makes
    /// where it is, whether or not they could have stayed.
    pub copies: Vec<CopyId>,
    /// Copies of everything on its server that could not stay; it leaves them behind.
    pub left: Vec<CopyId>,
    /// From where.
    pub from: Place,
    /// What to do.
    pub act: Act,
}

/// What can be done.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Move to a place where all of it is allowed.
    Move {
        /// The first such candidate.
        to: Candidate,
        /// The others.
        or: Vec<Candidate>,
    },
    /// No allowed place is known.
    NoPlace {
        /// Every candidate but those where it is, and what is against each.
        refused: Vec<Refusal>,
    },
}

/// A candidate that is none, and why.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Refusal {
    /// Which.
    pub candidate: Candidate,
    /// Why.
    pub why: Why,
}

/// Why a candidate is none.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is of another environment, and nothing crosses environments.
    OfEnvironment(EnvironmentKind),
    /// It keeps something else.
    Keeps(ServiceKind),
    /// The profile objects to a copy there: by role, what it has against it.
    Objections(Vec<(CopyRole, Objection)>),
}

/// Where what has to move cannot go, since it is there.
enum There {
    /// Everything at the place where it is.
    Place,
    /// These servers: not the place is wrong, but what else has a copy there.
    Servers(BTreeSet<Arc<str>>),
}

/// What happens to each copy, as far as it is known.
struct Planner<'p, 'a, K> {
    memory: &'p mut Memory<'a>,
    held: &'p [Held<'p, K>],
    before: &'p [Arc<Verdict>],
    after: &'p [Arc<Verdict>],
    candidates: &'p [Candidate],
}

pub(super) fn plan<K: Ord + Clone>(
    memory: &mut Memory<'_>,
    held: &[Held<'_, K>],
    before: &[Arc<Verdict>],
    after: &[Arc<Verdict>],
    candidates: &[Candidate],
) -> Vec<Step<K>> {
    let mut tenants: BTreeMap<(&K, Kind), Vec<usize>> = BTreeMap::new();
    for (i, one) in held.iter().enumerate() {
        tenants.entry((&one.tenant, Kind(one.placement.environment))).or_default().push(i);
    }
    let mut planner = Planner { memory, held, before, after, candidates };
    let mut steps = Vec::new();
    for copies in tenants.into_values() {
        planner.tenant(copies, &mut steps);
    }
    order(&mut steps);
    steps
}

fn order<K: Ord + Clone>(steps: &mut [Step<K>]) {
    let mut leaving: BTreeMap<(Kind, Place), BTreeSet<K>> = BTreeMap::new();
    for step in steps.iter() {
        leaving.entry((Kind(step.environment), step.from.clone())).or_default().insert(step.tenant.clone());
    }
    let tenants: BTreeMap<(Kind, Place), usize> = leaving.into_iter().map(|(place, tenants)| (place, tenants.len())).collect();
    steps.sort_by_cached_key(|step| {
        let from = (Kind(step.environment), step.from.clone());
        let most = Reverse(tenants.get(&from).copied().unwrap_or_default());
        (from.0, step.role, most, from.1, step.tenant.clone(), step.copies.clone())
    });
}

/// Whether a copy is where its primary is because that is there.
fn goes_along(placement: &Placement) -> bool {
    match placement.role {
        CopyRole::Wal | CopyRole::Snapshot => true,
        CopyRole::Backup => placement.backup != BackupBy::Holm,
        _ => false,
    }
}

impl<K: Clone> Planner<'_, '_, K> {
    /// Plans all copies of a tenant in an environment.
    fn tenant(&mut self, mut copies: Vec<usize>, steps: &mut Vec<Step<K>>) {
        copies.sort_by(|a, b| self.name(*a).cmp(&self.name(*b)));
        let (primaries, others): (Vec<usize>, Vec<usize>) = copies.into_iter().partition(|i| self.placement(*i).role == CopyRole::Primary);
        let (servers, mut others): (Vec<usize>, Vec<usize>) = others.into_iter().partition(|i| matches!(self.held[*i].of, Of::Server(_)));
        let mut to = BTreeMap::new();
        for primary in primaries {
            let from = self.placement(primary).place.clone();
            let (along, rest): (Vec<usize>, Vec<usize>) =
                others.into_iter().partition(|i| goes_along(self.placement(*i)) && self.placement(*i).place == from);
            others = rest;
            let bundle: Vec<usize> = std::iter::once(primary).chain(along).collect();
            let stays = !bundle.iter().any(|i| self.cannot_stay(*i, self.after[*i].outcome));
            let left = servers.iter().filter(|i| self.placement(**i).primary.as_ref() == Some(&from));
            let left: Vec<usize> = left.filter(|i| self.cannot_stay(**i, self.after[**i].outcome)).copied().collect();
            if !stays || !left.is_empty() {
                let placements = bundle.iter().map(|i| self.placement(*i).clone()).collect();
                let there = if stays { There::Servers(self.labels(&left)) } else { There::Place };
                let step = Step { left: self.copies(&left), ..self.step(&bundle, placements, &there) };
                if let Act::Move { to: candidate, .. } = &step.act {
                    to.insert(from, candidate.place.clone());
                }
                steps.push(step);
            }
        }
        for other in others {
            let mut placement = self.placement(other).clone();
            if let Some(place) = placement.primary.as_ref().and_then(|primary| to.get(primary)) {
                placement.primary = Some(place.clone());
            }
            let outcome = self.memory.judge(self.held[other].profile, &placement, self.held[other].exceptions).outcome;
            if self.cannot_stay(other, outcome) {
                steps.push(self.step(&[other], vec![placement], &There::Place));
            }
        }
    }

    fn placement(&self, i: usize) -> &Placement {
        &self.held[i].placement
    }

    fn copies(&self, copies: &[usize]) -> Vec<CopyId> {
        copies.iter().map(|i| self.placement(*i).copy.clone()).collect()
    }

    /// The servers whose copies these are.
    fn labels(&self, copies: &[usize]) -> BTreeSet<Arc<str>> {
        let of = copies.iter().filter_map(|i| match &self.held[*i].of {
            Of::Server(label) => Some(label.clone()),
            Of::Tenant => None,
        });
        of.collect()
    }

    /// By which the copies of a tenant are put in order, in whatever order they come.
    fn name(&self, i: usize) -> (CopyRole, &CopyId) {
        (self.placement(i).role, &self.placement(i).copy)
    }

    /// Whether a copy could stay, and could not any more. What may not be where it is already is no news.
    fn cannot_stay(&self, i: usize, outcome: Outcome) -> bool {
        outcome != Outcome::Allow && outcome != self.before[i].outcome
    }

    /// What moves together, as it would be before the move.
    fn step(&mut self, copies: &[usize], placements: Vec<Placement>, there: &There) -> Step<K> {
        let first = &self.held[copies[0]];
        let from = first.placement.place.clone();
        let (mut allowed, mut refused) = (Vec::new(), Vec::new());
        let is_there = |candidate: &Candidate| match there {
            There::Place => candidate.place == from && candidate.plan == first.placement.plan,
            There::Servers(labels) => labels.contains(&candidate.label),
        };
        for candidate in self.candidates.iter().filter(|candidate| !is_there(candidate)) {
            match self.against(copies, &placements, candidate) {
                None => allowed.push(candidate.clone()),
                Some(why) => refused.push(Refusal { candidate: candidate.clone(), why }),
            }
        }
        let mut allowed = allowed.into_iter();
        let act = match allowed.next() {
            Some(to) => Act::Move { to, or: allowed.collect() },
            None => Act::NoPlace { refused },
        };
        Step {
            tenant: first.tenant.clone(),
            environment: first.placement.environment,
            profile: first.profile.metadata().id.clone(),
            role: first.placement.role,
            copies: self.copies(copies),
            left: Vec::new(),
            from,
            act,
        }
    }

    fn against(&mut self, copies: &[usize], placements: &[Placement], candidate: &Candidate) -> Option<Why> {
        let first = &placements[0];
        if let Some(environment) = candidate.environment.filter(|environment| *environment != first.environment) {
            return Some(Why::OfEnvironment(environment));
        }
        if let Some(keeps) = candidate.keeps.filter(|keeps| *keeps != kept_by(first)) {
            return Some(Why::Keeps(keeps));
        }
        let mut objections = Vec::new();
        for (i, placement) in copies.iter().zip(placements) {
            let verdict = self.memory.judge(self.held[*i].profile, &arrived(placement, candidate), &[]);
            if !verdict.allows() {
                objections.extend(Objection::of(&verdict).into_iter().map(|objection| (placement.role, objection)));
            }
        }
        if first.role == CopyRole::Primary {
            objections.extend(self.against_found(copies[0], &arrived(first, candidate), candidate));
        }
        (!objections.is_empty()).then_some(Why::Objections(objections))
    }

    /// What is against the copies of everything there, which a primary would have too.
    fn against_found(&mut self, copy: usize, primary: &Placement, candidate: &Candidate) -> Vec<(CopyRole, Objection)> {
        let mut objections = Vec::new();
        for found in &candidate.found {
            let Some(place) = &found.place else {
                objections.push((found.role, Objection::nowhere(&found.copy)));
                continue;
            };
            let verdict = self.memory.judge(self.held[copy].profile, &also(primary, found, place), &[]);
            objections.extend(Objection::of(&verdict).into_iter().map(|objection| (found.role, objection)));
        }
        objections
    }
}
