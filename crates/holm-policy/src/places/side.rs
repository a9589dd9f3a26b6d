//! One place, for one of the two: whether it is sold there, on which plan, and what the profile says of each copy that there would be.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::needs::{Possible, possible};
use super::{Against, Bench, Candidate, Kept, Need, near};
use crate::copy::{CopyRole, KeyHolder, ServiceKind};
use crate::evaluate::verdict::{Finding, Outcome, RuleId, Verdict};
use crate::evaluate::{BackupBy, Placement};
use crate::fact::Missing;
use crate::id::{Place, PlanId};
use crate::registry::provider::{Availability, Provider, Region};

/// A place that one of the two can have.
pub(super) struct Side {
    pub(super) place: Place,
    pub(super) needs: BTreeSet<Need>,
    pub(super) valid_until: Option<Timestamp>,
    /// The copies that there would be, with what they need on file.
    pub(super) placements: Vec<Placement>,
}

/// What there is to say of a place.
pub(super) enum Found {
    Side(Side),
    Against(Vec<Against>),
    /// It is known that it is not sold there, and nobody asked for this region by its name.
    NotSold,
}

impl Side {
    pub(super) fn candidate(self, bench: &Bench<'_>) -> Candidate {
        let countries = near::countries(bench, &self.place).map(|countries| countries.iter().copied().collect());
        Candidate { countries, place: self.place, needs: self.needs.into_iter().collect(), valid_until: self.valid_until }
    }
}

pub(super) fn at(bench: &Bench<'_>, kept: Kept, place: &Place) -> Found {
    let Some((provider, region)) = bench.registry.region(place) else { return Found::NotSold };
    let mut needs = BTreeSet::new();
    if let Some(found) = sold(bench, kept, place, region, &mut needs) {
        return found;
    }
    let plans = match plans(bench, kept, provider, region) {
        Ok(plans) => plans,
        Err(against) => return Found::Against(vec![against]),
    };
    let possible = possible(bench, provider, region);
    let mut first_refusal = None;
    let mut allowed: Vec<(Option<PlanId>, Vec<Placement>, Option<Timestamp>)> = Vec::new();
    for plan in plans {
        let copies = copies(bench, kept, provider, place, plan.as_ref());
        match judged(bench, &possible, &copies) {
            Ok(until) => allowed.push((plan, copies, until)),
            Err(against) => first_refusal = first_refusal.or(Some(against)),
        }
        // Without any plan it is allowed on every one.
        if allowed.first().is_some_and(|(plan, ..)| plan.is_none()) {
            break;
        }
    }
    let any_of: Vec<PlanId> = allowed.iter().filter_map(|(plan, ..)| plan.clone()).collect();
    let allowed_until = allowed.iter().filter_map(|(.., until)| *until).min();
    let Some((_, copies, _)) = allowed.into_iter().next() else { return Found::Against(first_refusal.unwrap_or_default()) };
    if !any_of.is_empty() && !bench.ask.plans.contains_key(&provider.id) {
        needs.insert(Need::Plan { kept, provider: provider.id.clone(), any_of });
    }
    let (papers, placements) = possible.needed(&copies, |copy| allows(&bench.judge(copy)));
    needs.extend(papers);
    let sold_until = region.offers.at(bench.now).ok().map(|held| held.ends);
    let valid_until = [allowed_until, sold_until].into_iter().flatten().min();
    Found::Side(Side { place: place.clone(), needs, valid_until, placements })
}

/// Nothing, if it can be bought there; what has to be asked for is a need.
fn sold(bench: &Bench<'_>, kept: Kept, place: &Place, region: &Region, needs: &mut BTreeSet<Need>) -> Option<Found> {
    let copy = if kept == Kept::Database { CopyRole::Primary } else { CopyRole::Bucket };
    let against = |outcome, because: String, fact| Found::Against(vec![Against { copy, rule: None, outcome, because, facts: vec![fact] }]);
    let service = kept.service();
    let offers = region.offers.id().clone();
    match region.offers.at(bench.now) {
        Ok(sold) if !sold.value.contains(&service) => {
            return Some(match is_named(bench, kept, place) {
                true => against(Outcome::Deny, format!("no `{service}` is sold in `{place}`"), offers),
                false => Found::NotSold,
            });
        }
        Ok(_) => {}
        Err(Missing::Unknown) => return Some(against(Outcome::Unknown, format!("`{offers}` is not known"), offers)),
        Err(Missing::Expired(day)) => return Some(against(Outcome::Unknown, format!("`{offers}` was known until {day}"), offers)),
    }
    match region.availability.at(bench.now).map(|held| *held.value) {
        Ok(Availability::Closed) => {
            return Some(against(Outcome::Deny, format!("`{place}` is not for new customers"), region.availability.id().clone()));
        }
        Ok(availability @ (Availability::OnRequest | Availability::Beta)) => {
            needs.insert(Need::Consent { place: place.clone(), availability });
        }
        Ok(Availability::Open) | Err(_) => {}
    }
    None
}

fn is_named(bench: &Bench<'_>, kept: Kept, place: &Place) -> bool {
    let within = if kept == Kept::Database { &bench.ask.database } else { &bench.ask.bucket };
    matches!(within, Some(super::Within::Region(named)) if named == place)
}

/// The plans to judge by, the least that is asked first: none, unless the region needs one or somebody says on which they are.
fn plans(bench: &Bench<'_>, kept: Kept, provider: &Provider, region: &Region) -> Result<Vec<Option<PlanId>>, Against> {
    let said = bench.ask.plans.get(&provider.id);
    let needed = region.plans.at(bench.now).ok().map(|held| held.value).filter(|plans| !plans.is_empty());
    match (said, needed) {
        (Some(said), Some(needed)) if !needed.contains(said) => {
            let plans: Vec<&str> = needed.iter().map(PlanId::as_str).collect();
            let because = format!("`{}/{}` is had on plan {}, not on `{said}`", provider.id, region.id, plans.join(" or "));
            let copy = if kept == Kept::Database { CopyRole::Primary } else { CopyRole::Bucket };
            let facts = vec![region.plans.id().clone()];
            Err(Against { copy, rule: Some(RuleId::TechnicalPlan), outcome: Outcome::Deny, because, facts })
        }
        (Some(said), _) => Ok(vec![Some(said.clone())]),
        (None, Some(needed)) => Ok(needed.iter().cloned().map(Some).collect()),
        (None, None) if kept == Kept::Database => Ok([None].into_iter().chain(provider.plans().into_iter().cloned().map(Some)).collect()),
        (None, None) => Ok(vec![None]),
    }
}

/// The copies that there would be: the backups that a service makes are there whether or not anybody asked for them.
fn copies(bench: &Bench<'_>, kept: Kept, provider: &Provider, place: &Place, plan: Option<&PlanId>) -> Vec<Placement> {
    let roles: &[CopyRole] = match kept {
        Kept::Bucket => &[CopyRole::Bucket],
        Kept::Database if provider.services.contains_key(&ServiceKind::Postgres) => &[CopyRole::Primary, CopyRole::Backup],
        Kept::Database => &[CopyRole::Primary],
    };
    let placement = |role: &CopyRole| Placement {
        copy: role.as_str().parse().expect("a role's word is letters and `_`"),
        environment: bench.ask.environment,
        role: *role,
        place: place.clone(),
        plan: plan.cloned(),
        backup: if kept == Kept::Database { bench.ask.backup.clone() } else { BackupBy::ProviderDefault },
        key_holder: if kept == Kept::Bucket { bench.ask.bucket_keys } else { KeyHolder::Provider },
        isolation: bench.ask.isolation,
        primary: Some(place.clone()),
        papers: bench.ask.papers.clone(),
        assessments: bench.ask.assessments.clone(),
    };
    roles.iter().map(placement).collect()
}

/// Until when all are allowed with everything on file that could be; or what speaks against them even so.
fn judged(bench: &Bench<'_>, possible: &Possible, copies: &[Placement]) -> Result<Option<Timestamp>, Vec<Against>> {
    let mut against = Vec::new();
    let mut ends = None;
    for copy in copies {
        let verdict = bench.judge(&possible.with(copy));
        against.extend(objections(&verdict, copy.role).map(|finding| Against {
            copy: copy.role,
            rule: Some(finding.rule),
            outcome: finding.outcome,
            because: finding.because.clone(),
            facts: finding.facts.clone(),
        }));
        ends = ends.into_iter().chain(verdict.valid_until).min();
    }
    if against.is_empty() { Ok(ends) } else { Err(against) }
}

/// What speaks against a copy wherever the database is: of a bucket, not that it should be in the country of that.
fn objections(verdict: &Verdict, role: CopyRole) -> impl Iterator<Item = &Finding> {
    verdict.objections().filter(move |finding| role != CopyRole::Bucket || finding.rule != RuleId::LocationSameCountry)
}

fn allows(verdict: &Verdict) -> bool {
    verdict.objections().all(|finding| finding.rule == RuleId::LocationSameCountry)
}
