//! A profile against itself: what can never hold, what says the same thing twice, and words that the registry does not have.

use std::collections::BTreeSet;

use crate::country::{Country, Territory};
use crate::id::{GroupId, LawId};
use crate::nearest::nearest;
use crate::profile::{Profile, Transfer};
use crate::reading::Section;
use crate::registry::Registry;

/// The group that Chapter V of the GDPR is about.
const EEA: &str = "EEA";

pub(super) fn check(profile: &Profile, root: &Section<'_>, registry: &Registry) {
    known_words(profile, root, registry);
    metadata(profile, root);
    scope(profile, root);
    keys(profile, root);
    if let Some(transfer) = &profile.transfer {
        transfers(profile, transfer, root, registry);
    }
    for scheme in profile.certification.all_of.intersection(&profile.certification.any_of) {
        root.problem("certification.any_of", format!("`{scheme}` is in `all_of` already, so one of `any_of` always holds"));
    }
    for pair in profile.on_breach.windows(2) {
        if pair[1].after_days < pair[0].after_days || pair[1].step <= pair[0].step {
            let why = format!(
                "`{}` after {} days does not follow `{}`; accepted: stronger steps, later",
                pair[1].step, pair[1].after_days, pair[0].step
            );
            root.problem("on_breach", why);
        }
    }
}

fn territories(profile: &Profile) -> Vec<(&'static str, &[Territory])> {
    let control = &profile.control;
    let mut lists: Vec<(&str, &[Territory])> = vec![
        ("location.countries", &profile.location.countries),
        ("access.support_from", &profile.support_from),
        ("control.contracting_entity", &control.contracting_entity),
        ("control.owners", &control.owners),
        ("control.sub_processors", &control.sub_processors),
    ];
    if let Some(affiliates) = &control.affiliates {
        lists.push(("control.affiliates", affiliates));
    }
    lists
}

fn known_words(profile: &Profile, root: &Section<'_>, registry: &Registry) {
    for law in profile.control.refuse_laws.iter().filter(|law| !registry.laws.contains_key(*law)) {
        let hint = nearest(law.as_str(), registry.laws.keys().map(LawId::as_str));
        let hint = hint.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        root.problem("control.refuse_laws", format!("there is no law `{law}` in the registry{hint}"));
    }
}

fn metadata(profile: &Profile, root: &Section<'_>) {
    let metadata = &profile.metadata;
    if metadata.review_by <= metadata.date {
        root.problem("profile.review_by", format!("{} is not after {}, the profile's date", metadata.review_by, metadata.date));
    }
    if metadata.version == 0 {
        root.problem("profile.version", "versions begin with 1");
    }
    if metadata.deciders.is_empty() {
        root.problem("profile.deciders", "nobody decided it; accepted: at least one name or role");
    }
    for (at, list) in territories(profile) {
        if list.is_empty() && at != "access.support_from" && at != "control.affiliates" {
            root.problem(at, "it contradicts itself: no country is left; accepted: at least one");
        }
    }
}

fn scope(profile: &Profile, root: &Section<'_>) {
    let scope = &profile.scope;
    if scope.environments.is_empty() {
        root.problem("scope.environments", "it contradicts itself: it covers no environment");
    }
    if scope.copies.is_empty() {
        root.problem("scope.copies", "it contradicts itself: it covers no copy");
    }
    for kind in profile.technical.pitr_days_min.keys().filter(|kind| !scope.environments.contains(kind)) {
        root.problem("technical.pitr_days_min", format!("`{}` is not in `scope.environments`", kind.0));
    }
    for role in profile.technical.key_holder.keys().filter(|role| !scope.copies.contains(role)) {
        root.problem("technical.key_holder", format!("`{role}` is not in `scope.copies`"));
    }
    for role in profile.location.same_country_for.difference(&scope.copies) {
        root.problem("location.same_country_for", format!("`{role}` is not in `scope.copies`"));
    }
    if profile.location.same_country_for.contains(&crate::copy::CopyRole::Primary) {
        root.problem("location.same_country_for", "the primary always lies where the primary lies");
    }
}

fn keys(profile: &Profile, root: &Section<'_>) {
    for (role, holders) in &profile.technical.key_holder {
        let sealed = holders.iter().all(|holder| holder.is_beyond_the_provider());
        if role.is_running_database() && sealed {
            let why =
                format!("it contradicts itself: `{role}` is of a running PostgreSQL, which must read it in clear, so the provider can too");
            root.problem(&format!("technical.key_holder.{role}"), why);
        }
    }
    let Some(rescue) = &profile.control.rescue else { return };
    for role in rescue.copies.iter().filter(|role| !role.can_be_sealed()) {
        let accepted: Vec<&str> = crate::copy::CopyRole::ALL.iter().filter(|role| role.can_be_sealed()).map(|role| role.as_str()).collect();
        let why = format!("no key keeps a `{role}` from who runs it; accepted: {}", accepted.join(", "));
        root.problem("control.rescued_by_keys.copies", why);
    }
    for holder in rescue.holders.iter().filter(|holder| !holder.is_beyond_the_provider()) {
        let why = format!("`{holder}` lets the provider decrypt; accepted: customer_external_eea_kms, client_side");
        root.problem("control.rescued_by_keys.holders", why);
    }
    for role in rescue.copies.difference(&profile.scope.copies) {
        root.problem("control.rescued_by_keys.copies", format!("`{role}` is not in `scope.copies`"));
    }
    if rescue.copies.is_empty() || rescue.holders.is_empty() {
        root.problem("control.rescued_by_keys", "it rescues nothing; accepted: copies and holders, or no such table");
    }
}

fn transfers(profile: &Profile, transfer: &Transfer, root: &Section<'_>, registry: &Registry) {
    for (mechanism, others) in &transfer.fallback {
        if !transfer.mechanisms.contains(mechanism) {
            root.problem("transfer.fallback", format!("`{mechanism}` is not in `transfer.mechanisms`"));
        }
        for other in others.difference(&transfer.mechanisms) {
            root.problem("transfer.fallback", format!("`{other}` is not in `transfer.mechanisms`"));
        }
        if others.contains(mechanism) || others.is_empty() {
            root.problem("transfer.fallback", format!("nothing else is beside `{mechanism}`; accepted: other mechanisms"));
        }
    }
    for mechanism in transfer.assessment_for.difference(&transfer.mechanisms) {
        root.problem("transfer.assessment_for", format!("`{mechanism}` is not in `transfer.mechanisms`"));
    }
    if !transfer.mechanisms.is_empty() {
        return;
    }
    let eea = EEA.parse().ok().and_then(|id: GroupId| registry.groups.get(&id)).and_then(|group| group.members.claimed());
    for (at, list) in territories(profile).into_iter().filter(|(at, _)| *at == "location.countries" || *at == "access.support_from") {
        for territory in list.iter().filter(|territory| !within(territory, eea, registry)) {
            root.problem(
                at,
                format!("it contradicts itself: `{territory}` is not all in the EEA, and `transfer.mechanisms` permits no transfer"),
            );
        }
    }
}

fn within(territory: &Territory, eea: Option<&BTreeSet<Country>>, registry: &Registry) -> bool {
    let Some(eea) = eea else { return true };
    match territory {
        Territory::One(country) => eea.contains(country),
        Territory::Group(group) => {
            registry.groups.get(group).and_then(|group| group.members.claimed()).is_none_or(|members| members.is_subset(eea))
        }
        Territory::Adequate | Territory::Any => false,
    }
}
