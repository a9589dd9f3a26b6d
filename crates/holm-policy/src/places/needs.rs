//! What can still be put on file, and which of it a place cannot do without.
//!
//! Everything that somebody could sign or assess is taken for done while a place is judged; of what is allowed so, one thing after
//! the other is taken away again, and what is missed then is needed. More on file never makes a verdict worse, so that what remains
//! is enough and nothing in it is idle.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Bench, Need};
use crate::country::{Country, Territory};
use crate::evaluate::{Assessment, Paper, Placement};
use crate::id::PaperId;
use crate::registry::law::Mechanism;
use crate::registry::provider::{Provider, Region};

/// What is not on file and could be.
pub(super) struct Possible {
    papers: Vec<Paper>,
    assessments: Vec<Assessment>,
}

/// What could be put on file for a region. A company that offers no data processing agreement signs none.
pub(super) fn possible(bench: &Bench<'_>, provider: &Provider, region: &Region) -> Possible {
    let on = bench.now.to_zoned(TimeZone::UTC).date();
    Possible { papers: papers(bench, provider, on), assessments: assessments(bench, provider, region, on) }
}

fn papers(bench: &Bench<'_>, provider: &Provider, signed_on: Date) -> Vec<Paper> {
    let Some(with) = provider.contracting.claimed() else { return Vec::new() };
    let offers_none = provider.dpa.at(bench.now).is_ok_and(|offered| !offered.value);
    let contract = bench.profile.contract.as_ref();
    let dpa = contract.is_some_and(|contract| contract.dpa && !offers_none).then(|| "dpa".parse().expect("the letters of an id"));
    let others = contract.into_iter().flat_map(|contract| contract.papers.iter().cloned());
    let clauses = bench.profile.transfer.iter().flat_map(|transfer| &transfer.mechanisms).filter(|mechanism| is_signed(**mechanism));
    let clauses = clauses.map(|mechanism| mechanism.as_str().parse::<PaperId>().expect("a mechanism's word is letters, digits and `_`"));
    let kinds: BTreeSet<PaperId> = dpa.into_iter().chain(others).chain(clauses).collect();
    kinds.into_iter().map(|kind| Paper { kind, with: with.clone(), signed_on, ends_on: None }).collect()
}

const fn is_signed(mechanism: Mechanism) -> bool {
    match mechanism {
        Mechanism::SccM2 | Mechanism::SccM3 | Mechanism::Bcr => true,
        Mechanism::Adequacy | Mechanism::Dpf => false,
    }
}

/// Of every country, besides those of the EEA, to which something could be transferred: where somebody of the registry is.
fn assessments(bench: &Bench<'_>, provider: &Provider, region: &Region, done_on: Date) -> Vec<Assessment> {
    if bench.profile.transfer.as_ref().is_none_or(|transfer| transfer.assessment_for.is_empty()) {
        return Vec::new();
    }
    let mut countries: BTreeSet<Country> = region.countries.claimed().into_iter().flatten().copied().collect();
    countries.extend(bench.registry.entities.values().filter_map(|entity| entity.country.claimed()));
    let links = provider.sub_processors.claimed().into_iter().flatten().flat_map(|link| &link.countries);
    let named = provider.support_from.claimed().into_iter().flatten().chain(links);
    countries.extend(named.filter_map(|territory| if let Territory::One(country) = territory { Some(*country) } else { None }));
    let eea = bench.registry.groups.values().find(|group| group.id.as_str() == "EEA").and_then(|group| group.members.claimed());
    countries.retain(|country| eea.is_none_or(|eea| !eea.contains(country)));
    countries.into_iter().map(|country| Assessment { country, done_on }).collect()
}

impl Possible {
    /// A copy with all of it on file, besides what is.
    pub(super) fn with(&self, placement: &Placement) -> Placement {
        let mut with = placement.clone();
        with.papers.extend(self.papers.iter().cloned());
        with.assessments.extend(self.assessments.iter().cloned());
        with
    }

    /// What the copies cannot do without, and the copies with that and no more. `allows` says whether they may be there.
    pub(super) fn needed(mut self, copies: &[Placement], allows: impl Fn(&Placement) -> bool) -> (BTreeSet<Need>, Vec<Placement>) {
        let all_allow = |possible: &Self| copies.iter().all(|copy| allows(&possible.with(copy)));
        let assessments = std::mem::take(&mut self.assessments);
        if !all_allow(&self) {
            self.assessments = assessments;
            without_idle(&mut self, |possible| &mut possible.assessments, &all_allow);
        }
        without_idle(&mut self, |possible| &mut possible.papers, &all_allow);
        let papers = self.papers.iter().map(|paper| Need::Paper { paper: paper.kind.clone(), with: paper.with.clone() });
        let needs = papers.chain(self.assessments.iter().map(|one| Need::Assessment { country: one.country })).collect();
        (needs, copies.iter().map(|copy| self.with(copy)).collect())
    }
}

/// Takes away what nothing misses, the last first: of two that would do, the first stays.
fn without_idle<T: Clone>(possible: &mut Possible, list: impl Fn(&mut Possible) -> &mut Vec<T>, allow: &impl Fn(&Possible) -> bool) {
    for i in (0..list(possible).len()).rev() {
        let taken = list(possible).remove(i);
        if !allow(possible) {
            list(possible).insert(i, taken);
        }
    }
}
