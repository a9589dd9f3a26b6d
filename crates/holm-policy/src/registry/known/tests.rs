//! Promises about the time at which something was known.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::*;
use crate::copy::{CopyRole, Isolation, KeyHolder};
use crate::evaluate::verdict::{Outcome, Verdict};
use crate::evaluate::{BackupBy, Paper, Placement, judge};
use crate::profile::Profile;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// The registry of an installation that heard on 2026-12-01 of an owner abroad who had been there since the summer.
fn bought() -> Registry {
    let news = "
[[source]]
id = \"news\"
what = \"the press\"
on = 2026-12-01
certainty = \"third_party\"
valid_until = 2027-06-01
[[entity]]
id = \"fund-lp\"
name = \"Fund LP\"
country = { is = \"US\", from = \"news\" }
parents = { is = [], from = \"news\" }
[[fact]]
id = \"entity:scalingo-sas.parents\"
is = [\"fund-lp\"]
from = \"news\"
";
    Registry::shipped().overlaid(("news", news)).unwrap()
}

fn parents(registry: &Registry) -> Option<Vec<&str>> {
    let scalingo = registry.entity(&"scalingo-sas".parse().unwrap()).unwrap();
    Some(scalingo.parents.claimed()?.iter().map(|id| id.as_str()).collect())
}

/// What a profile said of a database at the provider.
fn said(registry: &Registry, now: &str) -> Verdict {
    let profile = Profile::parse("p", Profile::SHIPPED[0].1, &Registry::shipped()).unwrap();
    let place: crate::id::Place = "scalingo/osc-fr1".parse().unwrap();
    let placement = Placement {
        copy: "copy".parse().unwrap(),
        environment: holm_core::environment::EnvironmentKind::Production,
        role: CopyRole::Primary,
        primary: Some(place.clone()),
        place,
        plan: None,
        backup: BackupBy::ProviderDefault,
        key_holder: KeyHolder::Provider,
        isolation: Isolation::DatabasePerTenant,
        papers: vec![Paper {
            kind: "dpa".parse().unwrap(),
            with: "scalingo-sas".parse().unwrap(),
            signed_on: day("2026-01-01"),
            ends_on: None,
        }],
        assessments: Vec::new(),
    };
    judge(registry, &profile, &placement, &[], now.parse::<Timestamp>().unwrap())
}

#[test]
fn what_was_read_later_is_unknown_on_a_day_before_it_and_known_on_that_day() {
    let registry = Registry::shipped();
    let countries = |on: &str| {
        let then = registry.as_known(day(on)).unwrap();
        then.region(&"scalingo/osc-fr1".parse().unwrap()).unwrap().1.countries.claimed().is_some()
    };
    assert!(!countries("2026-08-20"));
    assert!(countries("2026-08-21"));
    let before_all = registry.as_known(day("2000-01-01")).unwrap();
    assert!(before_all.facts().iter().all(|fact| fact.evidence.is_none()));
    assert_eq!(before_all.places().count(), registry.places().count(), "that there is something to know is not hidden");
}

#[test]
fn after_the_last_entry_what_was_known_is_the_registry_itself() {
    for registry in [Registry::shipped(), bought()] {
        assert_eq!(registry.as_known(day("2030-01-01")).unwrap().hash(), registry.hash());
    }
}

#[test]
fn where_it_was_by_what_was_known_then_and_by_what_is_known_now_are_two_answers() {
    let registry = bought();
    let known = |on: &str| registry.as_known(day(on)).unwrap();
    let at = "2026-11-25T12:00:00Z";
    assert_eq!(said(&known("2026-11-25"), at).outcome, Outcome::Allow, "nobody could know");
    assert_eq!(said(&registry, at).outcome, Outcome::Deny, "now it is known what was so then");
    assert_eq!(said(&known("2026-11-01"), at).outcome, Outcome::Unknown, "half of it had been read");
    // The other axis: what was known then of a later time.
    assert_eq!(said(&known("2026-11-25"), "2027-03-01T00:00:00Z").outcome, Outcome::Unknown, "it had ended by then");
}

#[test]
fn what_an_overlay_replaces_is_still_what_was_known_before_it() {
    let registry = bought();
    let on = |day_: &str| parents(&registry.as_known(day(day_)).unwrap()).map(|parents| parents.join(", "));
    assert_eq!(on("2026-11-21"), None);
    assert_eq!(on("2026-11-22"), Some(String::new()));
    assert_eq!(on("2026-11-30"), Some(String::new()));
    assert_eq!(on("2026-12-01"), Some("fund-lp".to_owned()));
    // What is laid over all of that later changes nothing about it, and neither does what only an installation had known long before.
    let older = "[[source]]\nid = \"c\"\nwhat = \"a contract\"\non = 2026-01-01\ncertainty = \"stated\"\nvalid_until = 2027-01-01\n\
         [[fact]]\nid = \"entity:scalingo-sas.parents\"\nis = [\"fund-lp\"]\nfrom = \"c\"\n";
    let older = registry.overlaid(("older", older)).unwrap();
    assert_eq!(parents(&older.as_known(day("2026-11-22")).unwrap()).unwrap(), ["fund-lp"]);
    assert_eq!(parents(&older.as_known(day("2025-12-31")).unwrap()), None);
}

/// A fact, its earlier versions, and what a text says of itself.
fn with_history(head: &str, more: &str) -> Result<Registry, Problems> {
    let source = |id: &str, on: &str, more: &str| {
        format!("[[source]]\nid = \"{id}\"\nwhat = \"{id}\"\non = {on}\n{more}certainty = \"verified\"\nvalid_until = 2028-01-01\n")
    };
    let sources =
        [source("may", "2026-05-01", ""), source("june", "2026-06-01", ""), source("late", "2026-06-01", "known_since = 2026-07-01\n")];
    Registry::load(&[("mine", &format!("{head}\n{}{more}", sources.concat()))])
}

const COMPANY: &str = "[[entity]]\nid = \"a\"\nname = \"A\"\n";

#[test]
fn earlier_versions_of_a_fact_are_what_was_known_until_the_next() {
    let was = |is: &str, from: &str, until: &str| format!("[[was]]\nid = \"entity:a.country\"\nis = \"{is}\"\nfrom = \"{from}\"\n{until}");
    let text = format!(
        "{COMPANY}country = {{ is = \"DE\", from = \"late\" }}\n{}{}",
        was("NO", "may", ""),
        was("SE", "june", "until = 2026-06-15\n")
    );
    let registry = with_history("", &text).unwrap();
    let country = |registry: &Registry, on: &str| {
        let then = registry.as_known(day(on)).unwrap();
        then.entities.values().next().unwrap().country.claimed().map(ToString::to_string).unwrap_or_default()
    };
    let days = ["2026-04-30", "2026-05-01", "2026-05-31", "2026-06-01", "2026-06-14", "2026-06-15", "2026-06-30", "2026-07-01"];
    assert_eq!(days.map(|on| country(&registry, on)), ["", "NO", "NO", "SE", "SE", "", "", "DE"]);
    // It can be asked of what came of asking.
    for (later, earlier) in days.iter().flat_map(|later| days.iter().map(move |earlier| (later, earlier))).filter(|(l, e)| e <= l) {
        let (twice, once) =
            (registry.as_known(day(later)).unwrap().as_known(day(earlier)).unwrap(), registry.as_known(day(earlier)).unwrap());
        assert_eq!(twice.hash(), once.hash(), "{later}, then {earlier}");
    }
    // Nobody knows it any more.
    let forgotten = with_history("", &format!("{COMPANY}{}", was("NO", "may", "until = 2026-06-15\n"))).unwrap();
    assert_eq!(["2026-05-01", "2026-06-15"].map(|on| country(&forgotten, on)), ["NO", ""]);
}

#[test]
fn nothing_in_a_text_was_known_before_the_text_says_it_was() {
    let registry = with_history("known_since = 2026-06-20", &format!("{COMPANY}country = {{ is = \"DE\", from = \"may\" }}\n")).unwrap();
    let known = |on: &str| registry.as_known(day(on)).unwrap().facts().iter().filter(|fact| fact.evidence.is_some()).count();
    assert_eq!((known("2026-06-19"), known("2026-06-20")), (0, 1));
    let fact = with_history("", &format!("{COMPANY}country = {{ is = \"DE\", from = \"may\", known_since = 2026-08-01 }}\n")).unwrap();
    assert_eq!(
        fact.facts().iter().filter_map(|fact| fact.evidence).map(|evidence| evidence.known_since).collect::<BTreeSet<_>>(),
        [day("2026-08-01")].into()
    );
}

#[test]
fn a_history_that_cannot_be_is_refused() {
    let refused =
        |text: &str| with_history("", &format!("{COMPANY}country = {{ is = \"DE\", from = \"june\" }}\n{text}")).unwrap_err().to_string();
    let was = |id: &str, more: &str| format!("[[was]]\nid = \"{id}\"\nis = \"NO\"\n{more}\n");
    insta::assert_snapshot!(refused(&was("entity:a.country", "from = \"june\"")), @"registry: was[entity:a.country]: what replaced it was known since 2026-06-01, which is not after 2026-06-01");
    insta::assert_snapshot!(refused(&was("entity:b.country", "from = \"may\"")), @"registry: was[entity:b.country]: there is no such fact, so that it was nothing before");
    insta::assert_snapshot!(refused(&was("entity:a.parents", "from = \"may\"")), @"registry: was[entity:a.parents]: nobody knows it now; accepted: `until`, the day from which that is so");
    insta::assert_snapshot!(refused(&was("entity:a.country", "from = \"may\"\nuntil = 2026-05-01")), @"mine: was[entity:a.country].until: it is not after 2026-05-01, since when it was known");
    insta::assert_snapshot!(refused(&was("entity:a.country", "from = \"april\"\nuntill = 2026-05-01")), @r#"
    mine: was[entity:a.country].from: `april` is not a source of this file; accepted: the `id` of a `[[source]]`
    mine: was[entity:a.country].untill: there is no such key; accepted: id, is, until, from; did you mean `until`?
    "#);
    insta::assert_snapshot!(refused("[[source]]\nid = \"x\"\nwhat = \"x\"\non = 2026-05-01\nknown_since = 2026-04-30\ncertainty = \"verified\"\nvalid_until = 2027-01-01"), @"mine: source[x].known_since: 2026-04-30 is before 2026-05-01, the day it was read");
    // What it said is read when it is asked for.
    let wrong = with_history(
        "",
        &format!(
            "{COMPANY}country = {{ is = \"DE\", from = \"june\" }}\n[[was]]\nid = \"entity:a.country\"\nis = \"UK\"\nfrom = \"may\"\n"
        ),
    );
    insta::assert_snapshot!(wrong.unwrap().as_known(day("2026-05-01")).unwrap_err(), @"mine: entity[a].country.is: `UK` is not a country: two capital letters that ISO 3166-1 assigns, such as `NO`; the United Kingdom is `GB`");
}
