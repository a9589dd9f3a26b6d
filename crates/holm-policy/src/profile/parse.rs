//! Reads a profile: a closed vocabulary, every problem at once.

use std::collections::{BTreeMap, BTreeSet};

use holm_core::environment::EnvironmentKind;
use toml::Value;

use crate::copy::CopyRole;
use crate::country::Territory;
use crate::id::GroupId;
use crate::nearest::nearest;
use crate::profile::case::{self, Case};
use crate::profile::check;
use crate::profile::{
    BreachStep, Certification, Contract, Control, Evidence, Kind, Location, Metadata, Profile, Rescue, Scope, Technical, Title, Transfer,
};
use crate::reading::{Findings, FromToml, Problems, Section, parse, text_of};
use crate::registry::{Hash, Registry, hash_of};

impl FromToml for Kind {
    fn from_toml(value: &Value) -> Result<Self, String> {
        let text = text_of(value)?;
        let accepted = EnvironmentKind::ALL.map(EnvironmentKind::as_str);
        text.parse().map(Self).map_err(|_| {
            let hint = nearest(text, accepted).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            format!("`{}` is not an environment; accepted: {}{hint}", text.escape_debug(), accepted.join(", "))
        })
    }
}

pub(super) fn profile(file: &str, text: &str, registry: &Registry) -> Result<Profile, Problems> {
    let findings = Findings::default();
    let profile = parse(file, text, &findings).and_then(|table| {
        let root = Section::new(file, String::new(), &table, &findings);
        let profile = read(&root, registry, hash_of(&[("profile".to_owned(), table.clone())]));
        root.finish();
        if let Some(profile) = &profile {
            check::check(profile, &root, registry);
        }
        profile
    });
    findings.settle(profile)
}

fn read(root: &Section<'_>, registry: &Registry, hash: Hash) -> Option<Profile> {
    // Every section is read before any is asked for, so that all problems are found.
    let metadata = within(root, "profile", metadata);
    let scope = within(root, "scope", scope);
    let location = within(root, "location", |section| location(section, registry));
    let support_from = within(root, "access", |section| countries(section, "support_from", registry));
    let control = within(root, "control", |section| control(section, registry));
    let transfer = optional(root, "transfer", transfer);
    let contract = optional(root, "contract", contract);
    let certification = optional(root, "certification", certification);
    let technical = optional(root, "technical", technical);
    let evidence = within(root, "evidence", evidence);
    let on_breach = root.sections("on_breach").iter().filter_map(breach).collect();
    let cases: Vec<Case> = root.sections("case").iter().filter_map(case::read).collect();
    Some(Profile {
        metadata: metadata?,
        scope: scope?,
        location: location?,
        support_from: support_from?,
        control: control?,
        transfer: transfer?,
        contract: contract?,
        certification: certification?.unwrap_or_default(),
        technical: technical?.unwrap_or_default(),
        evidence: evidence?,
        on_breach,
        cases,
        hash,
    })
}

fn within<'a, T>(root: &Section<'a>, key: &'a str, read: impl FnOnce(&Section<'a>) -> Option<T>) -> Option<T> {
    let Some(section) = root.section(key) else {
        root.problem(key, format!("it is missing; accepted: a table `[{key}]`"));
        return None;
    };
    let value = read(&section);
    section.finish();
    value
}

/// `Some(None)` is a section that is not there, `None` one that is wrong.
fn optional<'a, T>(root: &Section<'a>, key: &'a str, read: impl FnOnce(&Section<'a>) -> Option<T>) -> Option<Option<T>> {
    let Some(section) = root.section(key) else { return Some(None) };
    let value = read(&section);
    section.finish();
    value.map(Some)
}

fn set<T: FromToml + Ord>(section: &Section<'_>, key: &str) -> BTreeSet<T> {
    section.list(key).unwrap_or_default().into_iter().collect()
}

/// Countries that must be said: an empty list forbids everything and is no list.
fn countries(section: &Section<'_>, key: &str, registry: &Registry) -> Option<Vec<Territory>> {
    let Some(list) = section.list::<Territory>(key) else {
        section.problem(key, "it is missing; accepted: a list of countries (\"NO\") and groups (\"@EEA\", \"@ADEQUATE\", \"@any\")");
        return None;
    };
    for territory in &list {
        if let Territory::Group(group) = territory
            && !registry.groups.contains_key(group)
        {
            let hint = nearest(group.as_str(), registry.groups.keys().map(GroupId::as_str));
            let hint = hint.map(|near| format!("; did you mean `@{near}`?")).unwrap_or_default();
            section.problem(key, format!("there is no group of countries `@{group}` in the registry{hint}"));
        }
    }
    if list.contains(&Territory::Any) && list.len() > 1 {
        section.problem(key, "it contradicts itself: beside \"@any\" nothing else means anything");
    }
    Some(list)
}

fn metadata(section: &Section<'_>) -> Option<Metadata> {
    let (id, version) = (section.must("id"), section.must("version"));
    let title = within(section, "title", |title| {
        let (en, nb, sv) = (title.must("en"), title.must("nb"), title.must("sv"));
        Some(Title { en: en?, nb: nb?, sv: sv? })
    });
    let (status, date, review_by) = (section.must("status"), section.must("date"), section.must("review_by"));
    let (deciders, basis) = (section.must("deciders"), section.must("basis"));
    Some(Metadata {
        id: id?,
        version: version?,
        title: title?,
        status: status?,
        date: date?,
        deciders: deciders?,
        basis: basis?,
        review_by: review_by?,
    })
}

/// A list of copies, in which `@all` stands for every role.
fn copies(section: &Section<'_>, key: &str) -> Option<BTreeSet<CopyRole>> {
    if section.peek(key).and_then(Value::as_array).is_some_and(|items| items.len() == 1 && items[0].as_str() == Some("@all")) {
        section.may::<Vec<String>>(key);
        return Some(CopyRole::ALL.iter().copied().collect());
    }
    section.list(key).map(|list| list.into_iter().collect())
}

fn scope(section: &Section<'_>) -> Option<Scope> {
    let (environments, copies) = (section.must("environments"), copies(section, "copies"));
    if copies.is_none() {
        section.problem("copies", "it is missing; accepted: a list of roles, or [\"@all\"]");
    }
    Some(Scope { environments: environments?, copies: copies? })
}

fn location(section: &Section<'_>, registry: &Registry) -> Option<Location> {
    let (countries, same_country_for) = (countries(section, "countries", registry), set(section, "same_country_for"));
    Some(Location { countries: countries?, same_country_for })
}

fn control(section: &Section<'_>, registry: &Registry) -> Option<Control> {
    let (contracting_entity, owners) = (countries(section, "contracting_entity", registry), countries(section, "owners", registry));
    let sub_processors = countries(section, "sub_processors", registry);
    let depth = match section.peek("depth") {
        Some(Value::String(all)) if all == "all" => section.may::<String>("depth").map(|_| None),
        Some(Value::Integer(_)) => section.may::<u32>("depth").map(Some),
        _ => {
            section.may::<String>("depth");
            section.problem("depth", "accepted: \"all\", or a number of links of sub-processors");
            None
        }
    };
    let affiliates = section.peek("affiliates").is_some().then(|| countries(section, "affiliates", registry));
    section.allow("affiliates");
    let refuse_laws = set(section, "refuse_laws");
    let rescue = optional(section, "rescued_by_keys", |keys| {
        let (copies, holders) = (set(keys, "copies"), set(keys, "holders"));
        Some(Rescue { copies, holders })
    });
    Some(Control {
        contracting_entity: contracting_entity?,
        owners: owners?,
        sub_processors: sub_processors?,
        depth: depth?,
        affiliates: affiliates.map_or(Some(None), |list| list.map(Some))?,
        refuse_laws,
        rescue: rescue?,
    })
}

fn transfer(section: &Section<'_>) -> Option<Transfer> {
    let mechanisms = section.must("mechanisms");
    let mut fallback = BTreeMap::new();
    if let Some(table) = section.section("fallback") {
        for (key, value) in table.entries() {
            match (key.parse(), BTreeSet::from_toml(value)) {
                (Ok(mechanism), Ok(others)) => {
                    fallback.insert(mechanism, others);
                }
                (mechanism, others) => {
                    let why = mechanism.err().map(|e: crate::word::UnknownWord| e.to_string()).or(others.err());
                    table.problem(key, why.unwrap_or_default());
                }
            }
        }
    }
    let assessment_for = set(section, "assessment_for");
    let age = section.may("assessment_max_age_days");
    if !assessment_for.is_empty() && age.is_none() {
        section.problem("assessment_max_age_days", "it is missing; accepted: days for which an assessment counts");
    }
    Some(Transfer { mechanisms: mechanisms?, fallback, assessment_for, assessment_max_age_days: age.unwrap_or(0) })
}

fn contract(section: &Section<'_>) -> Option<Contract> {
    let (dpa, papers) = (section.must("dpa"), set(section, "papers"));
    Some(Contract { dpa: dpa?, papers })
}

#[expect(clippy::unnecessary_wraps, reason = "it is handed to `optional`, as its neighbours are")]
fn certification(section: &Section<'_>) -> Option<Certification> {
    Some(Certification { all_of: set(section, "all_of"), any_of: set(section, "any_of") })
}

fn technical(section: &Section<'_>) -> Option<Technical> {
    let mut technical = Technical {
        isolation: section.may("isolation"),
        encryption_at_rest: section.may("encryption_at_rest").unwrap_or(false),
        residue_days_max: section.may("residue_days_max"),
        plan: section.may("plan").unwrap_or(false),
        ..Technical::default()
    };
    if let Some(table) = section.section("pitr_days_min") {
        for (key, value) in table.entries() {
            match (Kind::from_toml(&Value::String(key.to_owned())), u32::from_toml(value)) {
                (Ok(kind), Ok(days)) => {
                    technical.pitr_days_min.insert(kind, days);
                }
                (kind, days) => table.problem(key, kind.err().or(days.err()).unwrap_or_default()),
            }
        }
    }
    if let Some(table) = section.section("key_holder") {
        for (key, value) in table.entries() {
            match (key.parse().map_err(|e: crate::word::UnknownWord| e.to_string()), BTreeSet::from_toml(value)) {
                (Ok(role), Ok(holders)) => {
                    technical.key_holder.insert(role, holders);
                }
                (role, holders) => table.problem(key, role.err().or(holders.err()).unwrap_or_default()),
            }
        }
    }
    Some(technical)
}

fn evidence(section: &Section<'_>) -> Option<Evidence> {
    let (accept, max_age_days, unknown) = (section.must("accept"), section.must("max_age_days"), section.must("unknown"));
    Some(Evidence { accept: accept?, max_age_days: max_age_days?, unknown: unknown? })
}

fn breach(section: &Section<'_>) -> Option<BreachStep> {
    let (after_days, step) = (section.must("after_days"), section.must("step"));
    section.finish();
    Some(BreachStep { after_days: after_days?, step: step? })
}
