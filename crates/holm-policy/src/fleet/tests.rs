//! Promises of surveys, on an invented fleet: an American provider that the framework carries, and Nordic ones.

use jiff::Timestamp;

use super::matrix::matrix;
use super::plan::{Act, Refusal, Step, Why};
use super::shorthand::suppose;
use super::what_if::{WhatIf, what_if};
use super::*;
use crate::copy::{Isolation, KeyHolder};
use crate::evaluate::exception::Request;
use crate::evaluate::{Assessment, Paper, judge};
use crate::id::{CopyId, EntityId};
use crate::registry::Supposition;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// A provider with one company, which does everything itself, and its regions.
fn provider(id: &str, country: &str, dpf: &str, regions: &[(&str, &str)], backup_rule: &str) -> String {
    let regions = regions.iter().map(|(region, country)| {
        format!("[[region]]\nid = \"{region}\"\ncountries = {{ is = [\"{country}\"], from = \"s\" }}\ninfrastructure = {{ is = [], from = \"s\" }}\n")
    });
    format!(
        "[[source]]\nid = \"s\"\nwhat = \"a page\"\non = 2026-11-01\ncertainty = \"verified\"\nvalid_until = 2027-05-01\n\
         [provider]\nid = \"{id}\"\nname = \"{id}\"\ncontracting = {{ is = \"{id}-co\", from = \"s\" }}\n\
         support_from = {{ is = [\"{country}\"], from = \"s\" }}\nsub_processors = {{ is = [], from = \"s\" }}\n\
         [[entity]]\nid = \"{id}-co\"\nname = \"{id} Company\"\ncountry = {{ is = \"{country}\", from = \"s\" }}\n\
         parents = {{ is = [], from = \"s\" }}\ndpf = {{ is = \"{dpf}\", from = \"s\" }}\n\
         [[service]]\nkind = \"postgres\"\nbackup_rule = {{ is = \"{backup_rule}\", from = \"s\" }}\n{}",
        regions.collect::<String>()
    )
}

fn registry() -> Registry {
    let providers = [
        ("yankee", provider("yankee", "US", "listed", &[("frankfurt", "DE"), ("dublin", "IE")], "same_region")),
        ("erin", provider("erin", "IE", "not_listed", &[("dublin", "IE")], "same_region")),
        ("nord", provider("nord", "NO", "not_listed", &[("oslo", "NO")], "same_region")),
        ("svea", provider("svea", "SE", "not_listed", &[("stockholm", "SE")], "multi_region_default")),
    ];
    providers.iter().fold(Registry::shipped(), |registry, (name, text)| registry.overlaid((name, text)).unwrap())
}

/// Machines in the EEA, and the framework without anything beside it.
fn profile(registry: &Registry, same_country_for: &str) -> Profile {
    let text = Profile::SHIPPED.iter().find(|(file, _)| *file == "eea-region-adequate.toml").unwrap().1;
    let text = text.replace("fallback = { dpf = [\"scc_m2\", \"scc_m3\"] }\n", "");
    let text = text.replace("[location]\n", &format!("[location]\nsame_country_for = [{same_country_for}]\n"));
    Profile::parse("mine", &text, registry).unwrap()
}

fn placement(copy: &str, environment: EnvironmentKind, role: CopyRole, place: &str, primary: &str) -> Placement {
    let paper = |with: &str| Paper {
        kind: "dpa".parse().unwrap(),
        with: with.parse::<EntityId>().unwrap(),
        signed_on: "2026-01-01".parse().unwrap(),
        ends_on: None,
    };
    Placement {
        copy: copy.parse().unwrap(),
        environment,
        role,
        place: place.parse().unwrap(),
        plan: None,
        backup: BackupBy::ProviderDefault,
        key_holder: KeyHolder::Provider,
        isolation: Isolation::DatabasePerTenant,
        primary: Some(primary.parse().unwrap()),
        papers: ["yankee-co", "erin-co", "nord-co", "svea-co"].map(paper).into(),
        assessments: vec![Assessment { country: "US".parse().unwrap(), done_on: "2026-11-01".parse().unwrap() }],
    }
}

fn held<'a>(profile: &'a Profile, tenant: &'static str, role: CopyRole, place: &str, primary: &str) -> Held<'a, &'static str> {
    let environment = if tenant.starts_with("test") { EnvironmentKind::Staging } else { EnvironmentKind::Production };
    Held {
        tenant,
        profile,
        placement: placement(&format!("{tenant}-{role}"), environment, role, place, primary),
        exceptions: &[],
        of: Of::Tenant,
    }
}

fn candidates(list: &[(&str, &str)]) -> Vec<Candidate> {
    list.iter().map(|(label, place)| Candidate::anywhere(label, place.parse().unwrap())).collect()
}

fn falls(registry: &Registry) -> Vec<Supposition> {
    suppose(registry, "eu-us-dpf=annulled").unwrap()
}

/// A step on one line, as an operator would say it.
fn line(step: &Step<&str>) -> String {
    let copies: Vec<&str> = step.copies.iter().map(CopyId::as_str).collect();
    let what = format!("{} {}: {} from {}", step.environment, step.tenant, copies.join(" + "), step.from);
    match &step.act {
        Act::Move { to, or } => {
            let or: Vec<String> = or.iter().map(|other| format!(" or {}", other.label)).collect();
            format!("{what} to {}{}", to.label, or.concat())
        }
        Act::NoPlace { refused } => {
            let refused: Vec<String> = refused.iter().map(refusal).collect();
            format!("{what}: no allowed place: {}", refused.join("; "))
        }
    }
}

fn refusal(refusal: &Refusal) -> String {
    let why = match &refusal.why {
        Why::OfEnvironment(environment) => format!("is of {environment}"),
        Why::Keeps(kind) => format!("keeps {kind}"),
        Why::Objections(objections) => objections
            .iter()
            .map(|(role, objection)| format!("{role} {} {}", objection.rule, objection.outcome))
            .collect::<Vec<_>>()
            .join(", "),
    };
    format!("{} {why}", refusal.candidate.label)
}

fn lines(what_if: &WhatIf<&str>) -> String {
    what_if.plan.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn r10_if_the_framework_falls_the_plan_says_what_moves_where_and_in_which_order() {
    let registry = registry();
    let profile = profile(&registry, "");
    let copy = |tenant, role, place| held(&profile, tenant, role, place, "yankee/frankfurt");
    use CopyRole::{Backup, Bucket, Primary, Replica, Wal};
    let held = [
        copy("test-a", Primary, "yankee/frankfurt"),
        copy("a", Backup, "yankee/frankfurt"),
        copy("a", Replica, "yankee/dublin"),
        copy("a", Primary, "yankee/frankfurt"),
        copy("a", Wal, "yankee/frankfurt"),
        copy("a", Bucket, "nord/oslo"),
        copy("b", Primary, "yankee/dublin"),
        copy("c", Primary, "yankee/frankfurt"),
        copy("d", Primary, "yankee/frankfurt"),
        copy("e", Primary, "nord/oslo"),
    ];
    let candidates =
        candidates(&[("fra-2", "yankee/frankfurt"), ("dub-1", "yankee/dublin"), ("sto-1", "svea/stockholm"), ("osl-1", "nord/oslo")]);
    let outcome = what_if(&registry, &held, &falls(&registry), &candidates, now()).unwrap();
    insta::assert_snapshot!(lines(&outcome), @r#"
    production a: a-primary + a-wal + a-backup from yankee/frankfurt to osl-1
    production c: c-primary from yankee/frankfurt to sto-1 or osl-1
    production d: d-primary from yankee/frankfurt to sto-1 or osl-1
    production b: b-primary from yankee/dublin to sto-1 or osl-1
    production a: a-replica from yankee/dublin to sto-1 or osl-1
    staging test-a: test-a-primary from yankee/frankfurt to sto-1 or osl-1
    "#);
    assert_eq!(outcome.tenants().into_iter().copied().collect::<Vec<_>>(), ["a", "b", "c", "d", "test-a"]);
    assert_eq!((outcome.changes.len(), outcome.unchanged), (8, 2));
    let first = &outcome.changes[0];
    assert_eq!((first.tenant, first.role, first.before, first.after), ("a", Primary, Outcome::Allow, Outcome::Deny));
    let transfer = first.differences.iter().find(|difference| difference.rule == RuleId::TransferMechanism).unwrap();
    let facts: Vec<&str> = transfer.facts.iter().map(crate::fact::FactId::as_str).collect();
    assert_eq!(
        (transfer.before, transfer.after, facts),
        (Outcome::Allow, Outcome::Deny, vec!["adequacy:US.status", "mechanism:dpf.status"])
    );
    assert!(transfer.because.contains("`dpf` is annulled"), "{}", transfer.because);
    // In whatever order the copies come, the answer is the same.
    let mut reversed = held.to_vec();
    reversed.reverse();
    assert_eq!(what_if(&registry, &reversed, &falls(&registry), &candidates, now()).unwrap(), outcome);
}

#[test]
fn where_no_allowed_place_is_known_the_plan_says_so_and_why_for_each() {
    let registry = registry();
    let profile = profile(&registry, "");
    let copy = |role| held(&profile, "a", role, "yankee/frankfurt", "yankee/frankfurt");
    let held = [copy(CopyRole::Primary), copy(CopyRole::Backup)];
    let mut candidates =
        candidates(&[("dub-1", "yankee/dublin"), ("sto-1", "svea/stockholm"), ("osl-test", "nord/oslo"), ("osl-files", "nord/oslo")]);
    candidates[2].environment = Some(EnvironmentKind::Staging);
    candidates[3].keeps = Some(ServiceKind::Object);
    let outcome = what_if(&registry, &held, &falls(&registry), &candidates, now()).unwrap();
    insta::assert_snapshot!(lines(&outcome), @"production a: a-primary + a-backup from yankee/frankfurt: no allowed place: dub-1 primary transfer.mechanism deny, primary transfer.assessment deny, backup transfer.mechanism deny, backup transfer.assessment deny; sto-1 backup location.countries unknown, backup access.support unknown, backup control.sub_processors unknown, backup transfer.mechanism unknown, backup transfer.assessment unknown; osl-test is of staging; osl-files keeps object");
    assert_eq!(what_if(&registry, &held, &falls(&registry), &[], now()).unwrap().plan[0].act, Act::NoPlace { refused: Vec::new() });
}

#[test]
fn what_stays_behind_is_judged_with_its_primary_where_the_plan_puts_it() {
    let registry = registry();
    let profile = profile(&registry, "\"replica\"");
    let copy = |role, place| held(&profile, "a", role, place, "yankee/dublin");
    let held = [copy(CopyRole::Primary, "yankee/dublin"), copy(CopyRole::Replica, "erin/dublin")];
    let only_north = candidates(&[("osl-1", "nord/oslo")]);
    let outcome = what_if(&registry, &held, &falls(&registry), &only_north, now()).unwrap();
    assert_eq!(outcome.changes.len(), 1, "the replica itself is as allowed as before");
    insta::assert_snapshot!(lines(&outcome), @r#"
    production a: a-primary from yankee/dublin to osl-1
    production a: a-replica from erin/dublin to osl-1
    "#);
    let also_near = candidates(&[("dub-2", "erin/dublin"), ("osl-1", "nord/oslo")]);
    let outcome = what_if(&registry, &held, &falls(&registry), &also_near, now()).unwrap();
    insta::assert_snapshot!(lines(&outcome), @"production a: a-primary from yankee/dublin to dub-2 or osl-1");
}

#[test]
fn what_gets_better_changes_and_moves_nowhere_and_what_was_refused_before_is_no_news() {
    let registry = registry();
    let refused = registry.supposing(&falls(&registry), "2026-11-22".parse().unwrap()).unwrap();
    let profile = profile(&registry, "");
    let held = [held(&profile, "a", CopyRole::Primary, "yankee/frankfurt", "yankee/frankfurt")];
    let candidates = candidates(&[("osl-1", "nord/oslo")]);
    let back = suppose(&registry, "dpf=in_force").unwrap();
    let better = what_if(&refused, &held, &back, &candidates, now()).unwrap();
    assert_eq!((better.changes[0].before, better.changes[0].after, better.plan.len()), (Outcome::Deny, Outcome::Allow, 0));
    let law = suppose(&registry, "us_fisa_702=in_force").unwrap();
    let same = what_if(&refused, &held, &law, &candidates, now()).unwrap();
    assert_eq!((same.changes.len(), same.unchanged, same.plan.len()), (0, 1, 0));
}

#[test]
fn an_exception_keeps_a_copy_where_it_is_and_does_not_go_along() {
    let registry = registry();
    let profile = profile(&registry, "");
    let mut copy = held(&profile, "a", CopyRole::Bucket, "yankee/frankfurt", "yankee/frankfurt");
    let exceptions: Vec<Exception> = [RuleId::TransferMechanism, RuleId::TransferAssessment]
        .map(|rule| {
            let request = Request {
                copy: copy.placement.copy.clone(),
                rule,
                owner: "Kari".to_owned(),
                reason: "a move is under way".to_owned(),
                measure: "nobody is let in".to_owned(),
                until: "2026-12-01T00:00:00Z".parse().unwrap(),
            };
            Exception::grant(request, now()).unwrap()
        })
        .into();
    copy.exceptions = &exceptions;
    let falls = falls(&registry);
    let excepted = what_if(&registry, std::slice::from_ref(&copy), &falls, &[], now()).unwrap();
    assert_eq!(excepted.changes, []);
    // Its support staff would be Indian too, which nothing excepts: at another place of the same provider that and the rest count.
    let also = [falls, suppose(&registry, "provider:yankee.support_from=[\"IN\"]").unwrap()].concat();
    let outcome = what_if(&registry, &[copy], &also, &candidates(&[("dub-1", "yankee/dublin")]), now()).unwrap();
    insta::assert_snapshot!(lines(&outcome), @"production a: a-bucket from yankee/frankfurt: no allowed place: dub-1 bucket access.support deny, bucket transfer.mechanism deny, bucket transfer.assessment deny");
}

/// A copy of everything on a server, which goes nowhere with a tenant.
fn seen<'a>(profile: &'a Profile, tenant: &'static str, place: &str, (server, at): (&str, &str)) -> Held<'a, &'static str> {
    let mut seen = held(profile, tenant, CopyRole::Replica, place, at);
    seen.placement.backup = BackupBy::Holm;
    Held { of: Of::Server(server.into()), ..seen }
}

#[test]
fn a_tenant_leaves_a_server_of_which_a_copy_may_not_stay_and_goes_to_none_that_has_such_a_copy_too() {
    let registry = registry();
    let profile = profile(&registry, "");
    let all = [
        held(&profile, "a", CopyRole::Primary, "nord/oslo", "nord/oslo"),
        held(&profile, "a", CopyRole::Backup, "nord/oslo", "nord/oslo"),
        seen(&profile, "a", "yankee/frankfurt", ("osl-1", "nord/oslo")),
    ];
    let mut to = candidates(&[("osl-1", "nord/oslo"), ("osl-2", "nord/oslo"), ("dub-1", "erin/dublin"), ("dub-2", "erin/dublin")]);
    let found = |place: Option<&str>| Found {
        plan: None,
        copy: "slot-x".parse().unwrap(),
        role: CopyRole::Replica,
        place: place.map(|place| place.parse().unwrap()),
        key_holder: KeyHolder::Provider,
    };
    to[1].found = vec![found(Some("yankee/dublin"))];
    to[2].found = vec![found(None)];
    let outcome = what_if(&registry, &all, &falls(&registry), &to, now()).unwrap();
    assert_eq!(outcome.changes.len(), 1, "{:?}", outcome.changes);
    let [step] = outcome.plan.as_slice() else { panic!("{:?}", outcome.plan) };
    assert_eq!(step.left.iter().map(CopyId::as_str).collect::<Vec<_>>(), ["a-replica"]);
    insta::assert_snapshot!(line(step), @"production a: a-primary + a-backup from nord/oslo to dub-2");
    // Another server at the same place would do: it is not the place that is wrong.
    to[1].found = vec![found(Some("svea/stockholm"))];
    let outcome = what_if(&registry, &all, &falls(&registry), &to[..3], now()).unwrap();
    insta::assert_snapshot!(lines(&outcome), @"production a: a-primary + a-backup from nord/oslo to osl-2");
    let nowhere = what_if(&registry, &all, &falls(&registry), &to[2..3], now()).unwrap();
    insta::assert_snapshot!(lines(&nowhere), @"production a: a-primary + a-backup from nord/oslo: no allowed place: dub-1 replica location.countries unknown");
}

#[test]
fn what_cannot_be_is_not_supposed() {
    let registry = registry();
    let profile = profile(&registry, "");
    let held = [held(&profile, "a", CopyRole::Primary, "nord/oslo", "nord/oslo")];
    let wrong = suppose(&registry, "entity:nord-co.country=UK").unwrap();
    insta::assert_snapshot!(what_if(&registry, &held, &wrong, &[], now()).unwrap_err(), @"nord: entity[nord-co].country.is: `UK` is not a country: two capital letters that ISO 3166-1 assigns, such as `NO`; the United Kingdom is `GB`");
}

#[test]
fn ten_thousand_tenants_are_judged_anew_at_the_cost_of_the_placements_that_differ() {
    // The time itself, a second at the most, is what `examples/placements.rs` measures and holds.
    let registry = registry();
    let fallen = registry.supposing(&falls(&registry), "2026-11-22".parse().unwrap()).unwrap();
    let profiles = [profile(&registry, ""), profile(&registry, "\"wal\"")];
    let places = ["yankee/frankfurt", "yankee/dublin", "erin/dublin", "nord/oslo", "svea/stockholm"];
    let mut held = Vec::new();
    for tenant in 0..10_000 {
        for role in [CopyRole::Primary, CopyRole::Wal, CopyRole::Backup] {
            let place = places[tenant % places.len()];
            let placement = placement(&format!("{tenant}-{role}"), EnvironmentKind::Production, role, place, place);
            held.push(Held { tenant, profile: &profiles[tenant % profiles.len()], placement, exceptions: &[], of: Of::Tenant });
        }
    }
    let mut memory = Memory::new(&fallen, now());
    let verdicts: Vec<_> = held.iter().map(|held| memory.held(held)).collect();
    assert_eq!(memory.asked(), profiles.len() * places.len() * 3);
    assert_eq!(verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Deny).count(), 30_000 / 5 * 2, "whoever is at the American's");
    let answer = what_if(&registry, &held, &falls(&registry), &candidates(&[("osl-1", "nord/oslo")]), now()).unwrap();
    assert_eq!((answer.changes.len(), answer.plan.len(), answer.tenants().len()), (12_000, 4_000, 4_000));
}

#[test]
fn a_matrix_has_every_profile_at_every_place_with_the_worst_that_is_said_first() {
    let registry = registry();
    let profiles: Vec<Profile> = Profile::SHIPPED.iter().map(|(file, text)| Profile::parse(file, text, &registry).unwrap()).collect();
    let places: Vec<Place> = registry.places().collect();
    let template = placement("c", EnvironmentKind::Production, CopyRole::Primary, "nord/oslo", "nord/oslo");
    let rows = matrix(&registry, &profiles, &places, &template, now());
    assert_eq!(rows.len(), profiles.len() * places.len());
    for (row, (profile, place)) in rows.iter().zip(profiles.iter().flat_map(|profile| places.iter().map(move |place| (profile, place)))) {
        assert_eq!((&row.profile, &row.place), (&profile.metadata().id, place));
        let verdict =
            judge(&registry, profile, &Placement { place: place.clone(), primary: Some(place.clone()), ..template.clone() }, &[], now());
        assert_eq!(row.outcome, verdict.outcome);
        let first = verdict.objections().find(|finding| finding.outcome == verdict.outcome).map(|finding| finding.rule);
        assert_eq!(row.objection.as_ref().map(|objection| objection.rule), first);
    }
    let of =
        |profile: &str, place: &str| rows.iter().find(|row| row.profile.as_str() == profile && row.place.to_string() == place).unwrap();
    let owned = of("eea-jurisdiction", "yankee/frankfurt").objection.as_ref().unwrap();
    assert_eq!((owned.rule, owned.because.as_str()), (RuleId::AccessSupport, "staff of `yankee` is in US, outside @EEA"));
    assert_eq!(of("eea-region-adequate", "nord/oslo").objection, None);
}

#[test]
fn a_short_name_stands_for_every_fact_that_would_change_with_it() {
    let registry = Registry::shipped();
    let facts = |text: &str| {
        suppose(&registry, text).unwrap().iter().map(|one| format!("{} = {}", one.fact, one.is)).collect::<Vec<_>>().join(", ")
    };
    for name in ["dpf", "eu-us-dpf", "EU-US-DPF", "data-privacy-framework"] {
        assert_eq!(facts(&format!("{name}=annulled")), "mechanism:dpf.status = \"annulled\", adequacy:US.status = \"annulled\"");
    }
    assert_eq!(facts("scc-m2 = suspended"), "mechanism:scc_m2.status = \"suspended\"");
    assert_eq!(facts("bcr=unknown"), "mechanism:bcr.status = \"unknown\"");
    assert_eq!(facts("us_fisa_702=in_force"), "law:us_fisa_702.status = \"in_force\"");
    assert_eq!(facts("adequacy:GB=expired"), "adequacy:GB.status = \"expired\"");
    assert_eq!(facts("entity:scalingo-sas.country=US"), "entity:scalingo-sas.country = \"US\"");
    assert_eq!(facts("region:scalingo/osc-fr1.countries=[\"FR\", \"GB\"]"), "region:scalingo/osc-fr1.countries = [\"FR\", \"GB\"]");
    assert_eq!(facts("entity:scalingo-sas.parents=unknown"), "entity:scalingo-sas.parents = \"unknown\"");
}

#[test]
fn a_name_that_there_is_not_is_answered_with_the_nearest_that_there_is() {
    let registry = Registry::shipped();
    let refused = |text: &str| suppose(&registry, text).unwrap_err().to_string();
    insta::assert_snapshot!(refused("eu-us-dfp=annulled"), @"nothing is called `eu-us-dfp`; accepted: adequacy, dpf, scc_m2, scc_m3, bcr, eu-us-dpf, data-privacy-framework, ca_production_order, cn_nil, eu_e_evidence, uk_ipa, us_cloud_act, us_eo_12333, us_fisa_702, or a fact's id, such as entity:scalingo-sas.country; did you mean `eu-us-dpf`?");
    insta::assert_snapshot!(refused("dpf=anulled"), @"`anulled` is not a legal status; accepted: in_force, suspended, repealed, annulled, expired, proposed, lapsed, lapsed_certifications_running; did you mean `annulled`?");
    insta::assert_snapshot!(refused("dpf=3"), @"`3` is not a legal status; accepted: in_force, suspended, repealed, annulled, expired, proposed, lapsed, lapsed_certifications_running");
    insta::assert_snapshot!(refused("entity:scalngo-sas.country=US"), @"nothing is called `entity:scalngo-sas.country`; accepted: a fact's id, such as entity:scalingo-sas.country; did you mean `entity:scalingo-sas.country`?");
    insta::assert_snapshot!(refused("entity:scalingo-sas.contry=US"), @"nothing is called `entity:scalingo-sas.contry`; accepted: entity:scalingo-sas.country, entity:scalingo-sas.parents, entity:scalingo-sas.affiliates, entity:scalingo-sas.exposed_to, entity:scalingo-sas.dpf; did you mean `entity:scalingo-sas.country`?");
    insta::assert_snapshot!(refused("entity:scalingo-sas=US"), @"nothing is called `entity:scalingo-sas.status`; accepted: entity:scalingo-sas.country, entity:scalingo-sas.parents, entity:scalingo-sas.affiliates, entity:scalingo-sas.exposed_to, entity:scalingo-sas.dpf");
    insta::assert_snapshot!(refused("adequacy:XX=annulled"), @"nothing is called `adequacy:XX.status`; accepted: a fact's id, such as entity:scalingo-sas.country; did you mean `adequacy:AD.status`?");
    for nothing in ["", "=", "dpf", "dpf=", "=annulled", ":", ".=x", ":.=x", &"x".repeat(1000)] {
        assert!(suppose(&registry, nothing).is_err(), "{nothing}");
        assert!(refused(nothing).len() < 1000, "{nothing}");
    }
}
