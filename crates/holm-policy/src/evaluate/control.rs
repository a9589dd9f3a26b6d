//! Who can be ordered to hand a copy over: the companies, their owners, and the laws that reach them.

use std::collections::BTreeSet;

use crate::country::Territory;
use crate::evaluate::Bench;
use crate::evaluate::chain::Chain;
use crate::evaluate::evidence::{Inquiry, conclude};
use crate::evaluate::location::{is_any, permits, written};
use crate::evaluate::verdict::{Finding, Outcome, RuleId};
use crate::registry::entity::Entity;
use crate::registry::law::Law;

/// Whether a key that only the customer holds keeps the copy from everybody in the chain; `None` if nobody says so, or the
/// profile does not count it. Never of a running PostgreSQL.
pub(super) fn sealed(bench: &Bench<'_>) -> Option<Inquiry> {
    let (role, holder) = (bench.placement.role, bench.placement.key_holder);
    let rescue = bench.profile.control.rescue.as_ref()?;
    if !role.can_be_sealed() || !holder.is_beyond_the_provider() || !rescue.copies.contains(&role) || !rescue.holders.contains(&holder) {
        return None;
    }
    let mut inquiry = Inquiry::default();
    if !bench.is_sealed_before_it_is_sent() {
        holds_keys(bench, &mut inquiry);
    }
    Some(inquiry)
}

/// Objects or doubts unless the service can have its keys held so.
pub(super) fn holds_keys(bench: &Bench<'_>, inquiry: &mut Inquiry) {
    let (kind, holder) = (bench.kind(), bench.placement.key_holder);
    match bench.provider.services.get(&kind) {
        None => inquiry.doubt(format!("the registry does not say who can hold the keys of `{kind}` at `{}`", bench.provider.id)),
        Some(service) => {
            if inquiry.ask(bench, &service.key_holders).is_some_and(|holders| !holders.contains(&holder)) {
                inquiry.object(format!("at `{}` the keys of `{kind}` cannot be with `{holder}`", bench.provider.id));
            }
        }
    }
}

/// What a rule on the chain comes to, or that the copy is sealed.
pub(super) fn unless_sealed(inquiry: Inquiry, sealed: Option<&Inquiry>) -> Inquiry {
    let Some(sealed) = sealed else { return inquiry };
    let mut either = Inquiry::default();
    either.and_any(vec![inquiry, sealed.clone()], || "no key keeps the copy from them".to_owned());
    either
}

pub(super) fn all(bench: &Bench<'_>, chain: &Chain<'_>, sealed: Option<&Inquiry>) -> Vec<Finding> {
    let control = &bench.profile.control;
    let contracting = contracting(bench, chain);
    let owners = owners_of_contracting(bench, chain);
    let sub_processors = sub_processors(bench, chain);
    let mut running = Inquiry::default();
    for part in [&contracting, &owners, &sub_processors] {
        running.and(part);
    }
    let mut findings = vec![
        conclude(RuleId::ControlContractingEntity, unless_sealed(contracting, sealed), || {
            format!("who signs is in {}", written(&control.contracting_entity))
        }),
        conclude(RuleId::ControlOwners, unless_sealed(owners, sealed), || format!("every owner is in {}", written(&control.owners))),
        conclude(RuleId::ControlSubProcessors, unless_sealed(sub_processors, sealed), || {
            format!("every sub-processor and its owners are in {}", written(&control.sub_processors))
        }),
    ];
    if let Some(allowed) = &control.affiliates {
        let inquiry = affiliates(bench, chain, allowed);
        findings.push(conclude(RuleId::ControlAffiliates, unless_sealed(inquiry, sealed), || {
            format!("the group has companies only in {}", written(allowed))
        }));
    }
    if !control.refuse_laws.is_empty() {
        let inquiry = laws(bench, chain);
        findings.push(conclude(RuleId::ControlLaws, unless_sealed(inquiry, sealed), || "no refused law reaches the chain".to_owned()));
    }
    if bench.placement.role.is_running_database() {
        findings.push(running_database(bench, running));
    }
    findings
}

/// Keys do not count here, and no exception covers it.
fn running_database(bench: &Bench<'_>, inquiry: Inquiry) -> Finding {
    let role = bench.placement.role;
    let mut finding = conclude(RuleId::ControlRunningDatabase, inquiry, || {
        format!("`{role}` can be read by whoever runs it, and they are where the profile wants them")
    });
    if finding.outcome == Outcome::Deny {
        finding.because = format!("`{role}` can be read by whoever runs it, whoever holds keys: {}", finding.because);
    }
    finding
}

fn contracting(bench: &Bench<'_>, chain: &Chain<'_>) -> Inquiry {
    let allowed = &bench.profile.control.contracting_entity;
    let mut inquiry = Inquiry::default();
    if !is_any(allowed) {
        inquiry.and(&chain.contracting_inquiry);
        if let Some(entity) = chain.contracting {
            country(bench, &mut inquiry, entity, allowed);
        }
    }
    inquiry
}

fn owners_of_contracting(bench: &Bench<'_>, chain: &Chain<'_>) -> Inquiry {
    let allowed = &bench.profile.control.owners;
    let mut inquiry = Inquiry::default();
    if !is_any(allowed) {
        inquiry.and(&chain.contracting_inquiry);
        for owner in chain.contracting.map(|entity| owners(bench, &mut inquiry, entity)).into_iter().flatten() {
            country(bench, &mut inquiry, owner, allowed);
        }
    }
    inquiry
}

fn sub_processors(bench: &Bench<'_>, chain: &Chain<'_>) -> Inquiry {
    let allowed = &bench.profile.control.sub_processors;
    let mut inquiry = Inquiry::default();
    if !is_any(allowed) {
        inquiry.and(&chain.inquiry);
        for link in &chain.links {
            country(bench, &mut inquiry, link.entity, allowed);
            for owner in owners(bench, &mut inquiry, link.entity) {
                country(bench, &mut inquiry, owner, allowed);
            }
        }
    }
    inquiry
}

fn affiliates(bench: &Bench<'_>, chain: &Chain<'_>, allowed: &[Territory]) -> Inquiry {
    let mut inquiry = Inquiry::default();
    if is_any(allowed) {
        return inquiry;
    }
    inquiry.and(&chain.contracting_inquiry);
    let Some(entity) = chain.contracting else { return inquiry };
    let owners = owners(bench, &mut inquiry, entity);
    for company in std::iter::once(entity).chain(owners) {
        for country in inquiry.ask(bench, &company.affiliates).into_iter().flatten() {
            permits(bench, &mut inquiry, allowed, *country, || format!("a company of the group of {}", company.name));
        }
    }
    inquiry
}

fn country(bench: &Bench<'_>, inquiry: &mut Inquiry, entity: &Entity, allowed: &[Territory]) {
    if let Some(country) = inquiry.ask(bench, &entity.country) {
        permits(bench, inquiry, allowed, *country, || entity.name.clone());
    }
}

/// Everybody above a company, each once; who they are is asked for.
fn owners<'a>(bench: &Bench<'a>, inquiry: &mut Inquiry, entity: &'a Entity) -> Vec<&'a Entity> {
    let mut found: Vec<&Entity> = Vec::new();
    let mut open = vec![entity];
    while let Some(entity) = open.pop() {
        for id in inquiry.ask(bench, &entity.parents).into_iter().flatten() {
            match bench.registry.entities.get(id) {
                None => inquiry.doubt(format!("the registry knows no entity `{id}`")),
                Some(owner) if found.iter().any(|known| known.id == owner.id) => {}
                Some(owner) => {
                    found.push(owner);
                    open.push(owner);
                }
            }
        }
    }
    found
}

fn laws(bench: &Bench<'_>, chain: &Chain<'_>) -> Inquiry {
    let mut inquiry = chain.inquiry.clone();
    inquiry.and(&chain.contracting_inquiry);
    let mut companies: Vec<&Entity> = Vec::new();
    for entity in chain.contracting.into_iter().chain(chain.links.iter().map(|link| link.entity)) {
        companies.push(entity);
        companies.extend(owners(bench, &mut inquiry, entity));
    }
    let mut judged = BTreeSet::new();
    companies.retain(|company| judged.insert(&company.id));
    for id in &bench.profile.control.refuse_laws {
        let Some(law) = bench.registry.laws.get(id) else {
            inquiry.doubt(format!("the registry knows no law `{id}`"));
            continue;
        };
        for company in &companies {
            let ways = vec![is_without_force(bench, law), does_not_reach(bench, law, company)];
            inquiry.and_any(ways, || format!("{} reaches {}", law.name, company.name));
        }
    }
    inquiry
}

fn is_without_force(bench: &Bench<'_>, law: &Law) -> Inquiry {
    let mut way = Inquiry::default();
    if way.ask(bench, &law.status).is_some_and(|status| status.can_reach()) {
        way.object(format!("{} has force", law.name));
    }
    way
}

fn does_not_reach(bench: &Bench<'_>, law: &Law, company: &Entity) -> Inquiry {
    let mut way = Inquiry::default();
    let reached = |why: &str| format!("{} reaches {} {why}", law.name, company.name);
    if way.ask(bench, &company.exposed_to).is_some_and(|laws| laws.contains(&law.id)) {
        way.object(reached("by what is known of it"));
    }
    let countries = way.ask(bench, &law.reaches);
    let country = way.ask(bench, &company.country);
    if let (Some(countries), Some(country)) = (countries, country)
        && countries.contains(country)
    {
        way.object(reached("by its country"));
    }
    way
}
