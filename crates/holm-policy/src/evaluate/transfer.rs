//! Transfers to third countries: what carries each of them, what would if that fell, and whether it was assessed.
//!
//! A copy is transferred to wherever it lies, and to wherever somebody is who can see it. A sealed copy is seen by nobody.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::country::{Country, Territory};
use crate::evaluate::Bench;
use crate::evaluate::chain::Chain;
use crate::evaluate::evidence::{Inquiry, conclude};
use crate::evaluate::location::{Lies, permits, permits_all};
use crate::evaluate::verdict::{Finding, Outcome, RuleId};
use crate::fact::{days_after, midnight};
use crate::id::GroupId;
use crate::profile::Transfer;
use crate::registry::entity::{DpfListing, Entity};
use crate::registry::law::{AdequacyScope, Mechanism};

/// A country outside the EEA, perhaps, and who is there.
struct Destination<'a> {
    country: Country,
    importer: Option<&'a Entity>,
}

pub(super) fn all(bench: &Bench<'_>, lies: &Lies<'_>, chain: &Chain<'_>, sealed: Option<&Inquiry>) -> Vec<Finding> {
    let Some(transfer) = &bench.profile.transfer else { return Vec::new() };
    let seen_by_nobody = sealed.is_some_and(|sealed| sealed.outcome() == Outcome::Allow);
    let mut asked = Inquiry::default();
    let mut destinations = Vec::new();
    where_it_lies(bench, lies, chain, &mut asked, &mut destinations);
    if let Some(sealed) = sealed.filter(|_| seen_by_nobody) {
        asked.and(sealed);
    } else {
        who_sees_it(bench, chain, &mut asked, &mut destinations);
    }
    let judge = |rule: RuleId, allowed: &str, ways: &dyn Fn(&Destination<'_>) -> Vec<Inquiry>, refusal: &str| {
        let mut inquiry = asked.clone();
        for destination in &destinations {
            inquiry.and_any(ways(destination), || format!("{refusal} to {}", destination.country));
        }
        conclude(rule, inquiry, || allowed.to_owned())
    };
    let carried = |destination: &Destination<'_>, which: &dyn Fn(Mechanism) -> bool| -> Vec<Inquiry> {
        transfer.mechanisms.iter().filter(|mechanism| which(**mechanism)).map(|m| mechanism(bench, chain, *m, destination)).collect()
    };
    let mut findings = vec![judge(
        RuleId::TransferMechanism,
        "nothing leaves the EEA without a mechanism that holds",
        &|to| carried(to, &|_| true),
        "nothing that the profile permits carries a transfer",
    )];
    if !transfer.fallback.is_empty() {
        let ways = |to: &Destination<'_>| {
            let mut ways = carried(to, &|m| !transfer.fallback.contains_key(&m));
            for (first, others) in &transfer.fallback {
                let mut both = mechanism(bench, chain, *first, to);
                both.and_any(carried(to, &|m| others.contains(&m)), || format!("nothing is on file beside `{first}`"));
                ways.push(both);
            }
            ways
        };
        findings.push(judge(RuleId::TransferFallback, "what may fall has something beside it", &ways, "nothing would carry on a transfer"));
    }
    if !transfer.assessment_for.is_empty() {
        let ways = |to: &Destination<'_>| {
            let mut ways = carried(to, &|m| !transfer.assessment_for.contains(&m));
            ways.extend(carried(to, &|m| transfer.assessment_for.contains(&m)).into_iter().map(|mut way| {
                assessed(bench, transfer, to.country, &mut way);
                way
            }));
            ways
        };
        findings.push(judge(
            RuleId::TransferAssessment,
            "transfers were assessed",
            &ways,
            "there is no assessment that counts of a transfer",
        ));
    }
    findings
}

/// Adds destinations that are not plainly in the EEA.
fn add<'a>(bench: &Bench<'a>, country: Country, importer: Option<&'a Entity>, asked: &mut Inquiry, into: &mut Vec<Destination<'a>>) {
    let mut inside = Inquiry::default();
    permits(bench, &mut inside, &eea(), country, String::new);
    if inside.outcome() == Outcome::Deny {
        into.push(Destination { country, importer });
    } else {
        asked.and(&inside);
    }
}

fn eea() -> [Territory; 1] {
    [Territory::Group("EEA".parse::<GroupId>().expect("the letters of an id"))]
}

fn add_all<'a>(
    bench: &Bench<'a>,
    territories: &BTreeSet<Territory>,
    importer: Option<&'a Entity>,
    asked: &mut Inquiry,
    into: &mut Vec<Destination<'a>>,
) {
    for territory in territories {
        match territory {
            Territory::One(country) => add(bench, *country, importer, asked, into),
            Territory::Group(id) => {
                let mut inside = Inquiry::default();
                permits_all(bench, &mut inside, &eea(), territory, String::new);
                if inside.outcome() != Outcome::Deny {
                    asked.and(&inside);
                    continue;
                }
                let members = bench.registry.groups.get(id).and_then(|group| asked.ask(bench, &group.members));
                for country in members.into_iter().flatten() {
                    add(bench, *country, importer, asked, into);
                }
            }
            Territory::Adequate | Territory::Any => asked.doubt("a fact speaks of no place"),
        }
    }
}

fn where_it_lies<'a>(bench: &Bench<'a>, lies: &Lies<'a>, chain: &Chain<'a>, asked: &mut Inquiry, into: &mut Vec<Destination<'a>>) {
    asked.and(&lies.inquiry);
    for (_, region) in &lies.regions {
        for country in asked.ask(bench, &region.countries).into_iter().flatten() {
            add(bench, *country, chain.contracting, asked, into);
        }
    }
}

fn who_sees_it<'a>(bench: &Bench<'a>, chain: &Chain<'a>, asked: &mut Inquiry, into: &mut Vec<Destination<'a>>) {
    asked.and(&chain.inquiry);
    asked.and(&chain.contracting_inquiry);
    let companies = chain.contracting.into_iter().chain(chain.links.iter().map(|link| link.entity));
    for entity in companies {
        if let Some(country) = asked.ask(bench, &entity.country) {
            add(bench, *country, Some(entity), asked, into);
        }
    }
    for provider in &chain.providers {
        if let Some(territories) = asked.ask(bench, &provider.support_from) {
            add_all(bench, territories, chain.contracting, asked, into);
        }
    }
    for link in &chain.links {
        if let Some(territories) = link.works_from {
            add_all(bench, territories, Some(link.entity), asked, into);
        }
    }
}

/// Objects or doubts unless a decision covers everybody in a country.
pub(super) fn adequate(bench: &Bench<'_>, way: &mut Inquiry, country: Country) {
    match decision(bench, way, country) {
        Some(AdequacyScope::All | AdequacyScope::Commercial) | None => {}
        Some(AdequacyScope::Partial) => way.doubt(format!("the adequacy decision on {country} covers some processing only")),
        Some(AdequacyScope::ListedOrganisations) => {
            way.object(format!("the adequacy decision on {country} covers only organisations on a list"));
        }
    }
}

/// The scope of the decision on a country, with objections if none is in force.
fn decision(bench: &Bench<'_>, way: &mut Inquiry, country: Country) -> Option<AdequacyScope> {
    let Some(decision) = bench.registry.adequacy.get(&country) else {
        way.object(format!("there is no adequacy decision on {country}"));
        return None;
    };
    if decision.has_ended(bench.now) {
        way.object(format!("the adequacy decision on {country} has ended"));
    } else if let Some(day) = decision.ends_on {
        way.until(midnight(day));
    }
    match way.ask(bench, &decision.status) {
        Some(status) if !status.can_be_relied_on() => way.object(format!("the adequacy decision on {country} is {status}")),
        _ => {}
    }
    way.ask(bench, &decision.scope).copied()
}

/// Whether one mechanism carries a transfer.
fn mechanism(bench: &Bench<'_>, chain: &Chain<'_>, mechanism: Mechanism, to: &Destination<'_>) -> Inquiry {
    let mut way = Inquiry::default();
    match bench.registry.mechanisms.get(&mechanism) {
        None => way.doubt(format!("the registry knows no mechanism `{mechanism}`")),
        Some(entry) => match way.ask(bench, &entry.status) {
            Some(status) if !status.can_be_relied_on() => way.object(format!("`{mechanism}` is {status}")),
            _ => {}
        },
    }
    match mechanism {
        Mechanism::Adequacy => adequate(bench, &mut way, to.country),
        Mechanism::Dpf => listed(bench, &mut way, to),
        Mechanism::SccM2 | Mechanism::SccM3 | Mechanism::Bcr => on_file(bench, chain, mechanism, to, &mut way),
    }
    way
}

fn listed(bench: &Bench<'_>, way: &mut Inquiry, to: &Destination<'_>) {
    match decision(bench, way, to.country) {
        Some(AdequacyScope::ListedOrganisations) | None => {}
        Some(_) => way.object(format!("`dpf` is not about {}", to.country)),
    }
    let Some(importer) = to.importer else {
        way.doubt(format!("it is not known who is in {}", to.country));
        return;
    };
    match way.ask(bench, &importer.dpf) {
        Some(DpfListing::NotListed) => way.object(format!("{} is not on the list of the Data Privacy Framework", importer.name)),
        Some(DpfListing::ListedWithoutHr) => way.doubt(format!("{} is not listed for data of employees", importer.name)),
        Some(DpfListing::Listed) | None => {}
    }
}

/// Signed with who is there, or with the company that signs for all of its own.
fn on_file(bench: &Bench<'_>, chain: &Chain<'_>, mechanism: Mechanism, to: &Destination<'_>, way: &mut Inquiry) {
    let parties: Vec<&Entity> = to.importer.into_iter().chain(chain.contracting).collect();
    let papers = bench.placement.papers.iter().filter(|paper| paper.is(mechanism) && paper.holds(bench.now));
    let signed = papers.filter(|paper| parties.iter().any(|party| party.id == paper.with));
    match signed.max_by_key(|paper| paper.ends_on.map_or(Timestamp::MAX, midnight)) {
        Some(paper) => paper.ends_on.into_iter().for_each(|day| way.until(midnight(day))),
        None => way.object(format!("no `{mechanism}` is on file")),
    }
}

fn assessed(bench: &Bench<'_>, transfer: &Transfer, country: Country, way: &mut Inquiry) {
    let days = transfer.assessment_max_age_days;
    let ends = bench.placement.assessments.iter().filter(|one| one.country == country && midnight(one.done_on) <= bench.now);
    let last = ends.map(|one| days_after(midnight(one.done_on), days)).max();
    match last.filter(|end| bench.now < *end) {
        Some(end) => way.until(end),
        None => way.object(format!("no transfer to {country} was assessed in the last {days} days")),
    }
}
