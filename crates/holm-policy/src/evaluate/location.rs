//! Where a copy lies, and whether it may lie there. A backup may lie elsewhere than what it is a backup of.

use crate::copy::{CopyRole, ServiceKind};
use crate::country::{Country, Territory};
use crate::evaluate::evidence::{Inquiry, conclude};
use crate::evaluate::verdict::{Finding, RuleId};
use crate::evaluate::{BackupBy, Bench};
use crate::id::Place;
use crate::registry::provider::{Provider, Region};
use crate::registry::service::BackupRule;

/// The regions that hold a copy, as far as they are known.
pub(super) struct Lies<'a> {
    /// What was asked to find them, and what speaks against it.
    pub(super) inquiry: Inquiry,
    pub(super) regions: Vec<(&'a Provider, &'a Region)>,
}

pub(super) fn lies<'a>(bench: &Bench<'a>) -> Lies<'a> {
    let mut lies = Lies { inquiry: Inquiry::default(), regions: Vec::new() };
    let follows_the_rule = matches!(bench.placement.role, CopyRole::Backup | CopyRole::Snapshot | CopyRole::Wal);
    match &bench.placement.backup {
        BackupBy::ProviderDefault if follows_the_rule => by_rule(bench, &mut lies),
        BackupBy::ProviderIn(place) if follows_the_rule => told(bench, place, &mut lies),
        _ => lies.regions.push((bench.provider, bench.region)),
    }
    lies
}

fn by_rule<'a>(bench: &Bench<'a>, lies: &mut Lies<'a>) {
    let Some(postgres) = bench.provider.services.get(&ServiceKind::Postgres).and_then(|service| service.postgres.as_ref()) else {
        lies.inquiry.doubt(format!("the registry does not say where `{}` puts backups", bench.provider.id));
        return;
    };
    match lies.inquiry.ask(bench, &postgres.backup_rule) {
        None => {}
        // A place in the same country is, for country and company, this region.
        Some(BackupRule::SameRegion | BackupRule::SameCountry) => lies.regions.push((bench.provider, bench.region)),
        Some(BackupRule::CrossCountryDefault | BackupRule::NearestOtherProvider | BackupRule::MultiRegionDefault) => {
            for place in lies.inquiry.ask(bench, &bench.region.backup_regions).into_iter().flatten() {
                found(bench, place, lies);
            }
        }
    }
}

fn told<'a>(bench: &Bench<'a>, place: &Place, lies: &mut Lies<'a>) {
    let postgres = bench.provider.services.get(&ServiceKind::Postgres).and_then(|service| service.postgres.as_ref());
    match postgres.map(|postgres| lies.inquiry.ask(bench, &postgres.backup_overridable)) {
        None => lies.inquiry.doubt(format!("the registry does not say whether `{}` can be told where backups lie", bench.provider.id)),
        Some(Some(false)) => lies.inquiry.object(format!("`{}` cannot be told where backups lie", bench.provider.id)),
        Some(Some(true) | None) => {}
    }
    found(bench, place, lies);
}

fn found<'a>(bench: &Bench<'a>, place: &Place, lies: &mut Lies<'a>) {
    match bench.registry.region(place) {
        Some(region) => lies.regions.push(region),
        None => lies.inquiry.doubt(format!("the registry knows no region `{place}`")),
    }
}

pub(super) fn countries(bench: &Bench<'_>, lies: &Lies<'_>) -> Finding {
    let allowed = &bench.profile.location.countries;
    let mut inquiry = Inquiry::default();
    if !is_any(allowed) {
        inquiry.and(&lies.inquiry);
        for (provider, region) in &lies.regions {
            for country in inquiry.ask(bench, &region.countries).into_iter().flatten() {
                permits(bench, &mut inquiry, allowed, *country, || format!("`{}/{}`", provider.id, region.id));
            }
        }
    }
    let places: Vec<String> = lies.regions.iter().map(|(provider, region)| format!("`{}/{}`", provider.id, region.id)).collect();
    conclude(RuleId::LocationCountries, inquiry, || format!("{} is in {}", places.join(", "), written(allowed)))
}

pub(super) fn same_country(bench: &Bench<'_>, lies: &Lies<'_>) -> Option<Finding> {
    if !bench.profile.location.same_country_for.contains(&bench.placement.role) {
        return None;
    }
    let mut inquiry = lies.inquiry.clone();
    let primary = bench.placement.primary.as_ref().and_then(|place| bench.registry.region(place));
    let mut countries: Vec<Country> = Vec::new();
    match primary {
        None => inquiry.doubt("it is not known where the primary is"),
        Some((_, region)) => {
            for (_, region) in lies.regions.iter().chain([&(bench.provider, region)]) {
                countries.extend(inquiry.ask(bench, &region.countries).into_iter().flatten());
            }
        }
    }
    countries.sort_unstable();
    countries.dedup();
    if countries.len() > 1 {
        let names: Vec<&str> = countries.iter().map(Country::as_str).collect();
        inquiry.object(format!("it and the primary are in {}", names.join(", ")));
    }
    Some(conclude(RuleId::LocationSameCountry, inquiry, || "it is in the country of the primary".to_owned()))
}

pub(super) fn is_any(list: &[Territory]) -> bool {
    list.contains(&Territory::Any)
}

/// A list as people write it: `@EEA, US`.
pub(super) fn written(list: &[Territory]) -> String {
    if list.is_empty() { "no country".to_owned() } else { list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ") }
}

/// Objects or doubts unless a country is in a list.
pub(super) fn permits(bench: &Bench<'_>, inquiry: &mut Inquiry, list: &[Territory], country: Country, what: impl Fn() -> String) {
    if list.iter().any(|territory| *territory == Territory::Any || *territory == Territory::One(country)) {
        return;
    }
    let refusal = || format!("{} is in {country}, outside {}", what(), written(list));
    let mut ways = Vec::new();
    for territory in list {
        let mut way = Inquiry::default();
        match territory {
            Territory::Group(id) => match bench.registry.groups.get(id) {
                None => way.doubt(format!("the registry has no group `@{id}`")),
                Some(group) => {
                    if way.ask(bench, &group.members).is_some_and(|members| !members.contains(&country)) {
                        way.object(refusal());
                    }
                }
            },
            Territory::Adequate => crate::evaluate::transfer::adequate(bench, &mut way, country),
            Territory::One(_) | Territory::Any => continue,
        }
        ways.push(way);
    }
    inquiry.and_any(ways, refusal);
}

/// The same for what a fact says, which may be a group.
pub(super) fn permits_all(bench: &Bench<'_>, inquiry: &mut Inquiry, list: &[Territory], territory: &Territory, what: impl Fn() -> String) {
    match territory {
        Territory::One(country) => permits(bench, inquiry, list, *country, what),
        Territory::Group(id) if !list.iter().any(|allowed| allowed == territory || *allowed == Territory::Any) => {
            match bench.registry.groups.get(id) {
                None => inquiry.doubt(format!("the registry has no group `@{id}`")),
                Some(group) => {
                    for country in inquiry.ask(bench, &group.members).into_iter().flatten() {
                        permits(bench, inquiry, list, *country, &what);
                    }
                }
            }
        }
        Territory::Group(_) => {}
        // The registry refuses both in facts: they are no places.
        Territory::Adequate | Territory::Any => inquiry.doubt(format!("{} is in no place that could be judged", what())),
    }
}
