//! Promises of the evaluator, one story each, on what is shipped.

use jiff::Timestamp;

use super::exception::{RefusedException, Request};
use super::verdict::Outcome;
use super::*;
use crate::registry::Supposition;

const NOW: &str = "2026-11-22T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn profile(id: &str, registry: &Registry) -> Profile {
    let (file, text) = Profile::SHIPPED.iter().find(|(file, _)| *file == format!("{id}.toml")).unwrap();
    Profile::parse(file, text, registry).unwrap()
}

fn placement(place: &str) -> Placement {
    Placement {
        copy: "copy-1".parse().unwrap(),
        environment: EnvironmentKind::Production,
        role: CopyRole::Primary,
        place: place.parse().unwrap(),
        plan: None,
        backup: BackupBy::ProviderDefault,
        key_holder: KeyHolder::Provider,
        isolation: Isolation::DatabasePerTenant,
        primary: None,
        papers: vec![Paper {
            kind: "dpa".parse().unwrap(),
            with: "scalingo-sas".parse().unwrap(),
            signed_on: "2026-01-01".parse().unwrap(),
            ends_on: None,
        }],
        assessments: Vec::new(),
    }
}

fn supposing(registry: &Registry, fact: &str, is: &str) -> Registry {
    let table: toml::Table = format!("is = {is}").parse().unwrap();
    registry.supposing(&[Supposition { fact: fact.to_owned().into(), is: table["is"].clone() }], "2026-11-20".parse().unwrap()).unwrap()
}

fn objections(verdict: &Verdict) -> Vec<(RuleId, Outcome)> {
    verdict.objections().map(|finding| (finding.rule, finding.outcome)).collect()
}

#[test]
fn r9_the_provider_of_the_decision_satisfies_the_profile_of_the_decision() {
    let registry = Registry::shipped();
    let verdict = judge(&registry, &profile("eea-jurisdiction", &registry), &placement("scalingo/osc-fr1"), &[], now());
    assert_eq!(objections(&verdict), []);
    // What was read on 2026-08-21 counts for 180 days.
    assert_eq!(verdict.valid_until, Some("2027-02-17T00:00:00Z".parse().unwrap()));
    let location = verdict.findings.iter().find(|finding| finding.rule == RuleId::LocationCountries).unwrap();
    let facts: Vec<&str> = location.facts.iter().map(crate::fact::FactId::as_str).collect();
    assert_eq!(facts, ["region:scalingo/osc-fr1.countries", "group:EEA.members"]);
}

#[test]
fn a_fact_that_expires_at_midnight_is_unknown_from_then_on() {
    let registry = Registry::shipped();
    let profile = profile("eea-jurisdiction", &registry);
    let verdict = judge(&registry, &profile, &placement("scalingo/osc-fr1"), &[], now());
    let end = verdict.valid_until.unwrap();
    let last = end.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap();
    assert_eq!(judge(&registry, &profile, &placement("scalingo/osc-fr1"), &[], last).outcome, Outcome::Allow);
    assert_eq!(judge(&registry, &profile, &placement("scalingo/osc-fr1"), &[], end).outcome, Outcome::Unknown);
}

#[test]
fn a_provider_whose_parent_changes_is_judged_anew_up_to_the_last_owner() {
    let registry = Registry::shipped();
    let profile = profile("eea-jurisdiction", &registry);
    // Twice removed: the platform's new owner is in the EEA, and its owner is not.
    let bought = registry
        .overlaid((
            "news",
            "
[[source]]
id = \"news\"
what = \"the press\"
on = 2026-11-22
certainty = \"third_party\"
valid_until = 2027-05-22
[[entity]]
id = \"holding-bv\"
name = \"Holding BV\"
country = { is = \"NL\", from = \"news\" }
parents = { is = [\"fund-lp\"], from = \"news\" }
[[entity]]
id = \"fund-lp\"
name = \"Fund LP\"
country = { is = \"US\", from = \"news\" }
parents = { is = [], from = \"news\" }
[[fact]]
id = \"entity:scalingo-sas.parents\"
is = [\"holding-bv\"]
from = \"news\"
",
        ))
        .unwrap();
    let verdict = judge(&bought, &profile, &placement("scalingo/osc-fr1"), &[], now());
    assert_eq!(objections(&verdict), [(RuleId::ControlOwners, Outcome::Deny), (RuleId::ControlRunningDatabase, Outcome::Deny)]);
    assert!(verdict.findings.iter().any(|finding| finding.because == "Fund LP is in US, outside @EEA"));
}

#[test]
fn a_region_that_is_a_set_of_zones_over_two_countries_is_in_both() {
    let registry = supposing(&Registry::shipped(), "region:scalingo/osc-fr1.countries", "[\"FR\", \"GB\"]");
    let verdict = judge(&registry, &profile("eea-jurisdiction", &registry), &placement("scalingo/osc-fr1"), &[], now());
    assert_eq!(objections(&verdict)[0], (RuleId::LocationCountries, Outcome::Deny));
}

#[test]
fn a_region_that_nobody_knows_is_unknown_and_not_allowed() {
    let registry = Registry::shipped();
    for id in ["eea-jurisdiction", "unrestricted"] {
        let mut placement = placement("scalingo/osc-fr9");
        placement.environment = if id == "unrestricted" { EnvironmentKind::Ci } else { EnvironmentKind::Production };
        let verdict = judge(&registry, &profile(id, &registry), &placement, &[], now());
        assert_eq!(objections(&verdict), [(RuleId::LocationCountries, Outcome::Unknown)]);
    }
}

#[test]
fn customer_held_keys_save_a_backup_and_never_a_running_postgres() {
    let registry = supposing(&Registry::shipped(), "entity:scalingo-sas.country", "\"US\"");
    let profile = profile("eea-jurisdiction", &registry);
    let mut placement = placement("scalingo/osc-fr1");
    placement.key_holder = KeyHolder::ClientSide;
    let verdict = judge(&registry, &profile, &placement, &[], now());
    assert!(objections(&verdict).contains(&(RuleId::ControlRunningDatabase, Outcome::Deny)));
    // What the provider makes of a running database is not sealed, whoever says so.
    placement.role = CopyRole::Backup;
    let verdict = judge(&registry, &profile, &placement, &[], now());
    assert!(objections(&verdict).contains(&(RuleId::ControlContractingEntity, Outcome::Deny)));
    // What Holm makes is: only what is not known of files there is left to say.
    placement.backup = BackupBy::Holm;
    for holder in [KeyHolder::ClientSide, KeyHolder::CustomerExternalEeaKms] {
        placement.key_holder = holder;
        let verdict = judge(&registry, &profile, &placement, &[], now());
        assert_eq!(objections(&verdict), [(RuleId::TechnicalResidue, Outcome::Unknown)]);
    }
    for holder in [KeyHolder::Provider, KeyHolder::CustomerInProviderKms] {
        placement.key_holder = holder;
        let verdict = judge(&registry, &profile, &placement, &[], now());
        assert!(objections(&verdict).contains(&(RuleId::ControlContractingEntity, Outcome::Deny)));
    }
}

#[test]
fn r16_an_exception_has_an_owner_a_reason_a_measure_and_an_end() {
    let registry = Registry::shipped();
    let profile = profile("eea-jurisdiction", &registry);
    let mut unsigned = placement("scalingo/osc-fr1");
    unsigned.papers.clear();
    let until: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let request = || Request {
        copy: unsigned.copy.clone(),
        rule: RuleId::ContractDpa,
        owner: "Kari".to_owned(),
        reason: "the signature is under way".to_owned(),
        measure: "no customers yet".to_owned(),
        until,
    };
    let exception = Exception::grant(request(), now()).unwrap();
    let verdict = judge(&registry, &profile, &unsigned, std::slice::from_ref(&exception), now());
    assert_eq!((verdict.outcome, verdict.valid_until), (Outcome::Allow, Some(until)));
    assert_eq!(judge(&registry, &profile, &unsigned, &[exception], until).outcome, Outcome::Deny);
    let refused = [
        Request { owner: " ".to_owned(), ..request() },
        Request { reason: String::new(), ..request() },
        Request { measure: String::new(), ..request() },
        Request { until: now(), ..request() },
        Request { rule: RuleId::ControlRunningDatabase, ..request() },
    ];
    let refused: Vec<RefusedException> = refused.into_iter().map(|request| Exception::grant(request, now()).unwrap_err()).collect();
    assert_eq!(
        refused,
        [
            RefusedException::Empty("owner"),
            RefusedException::Empty("reason"),
            RefusedException::Empty("compensating measure"),
            RefusedException::Ended(now()),
            RefusedException::Rule(RuleId::ControlRunningDatabase),
        ]
    );
}

#[test]
fn r8_a_law_that_lapsed_while_its_orders_run_on_still_reaches() {
    let registry = supposing(&Registry::shipped(), "entity:scalingo-sas.exposed_to", "[\"us_fisa_702\"]");
    let text = Profile::SHIPPED[0].1.replace("depth = 1", "depth = 1\nrefuse_laws = [\"us_fisa_702\"]");
    // Whom the law reaches by country is remembered, which this profile does not accept: it cannot say that nobody is reached.
    let profile = Profile::parse("p", &text.replace("\"third_party\"]", "\"third_party\", \"background\"]"), &registry).unwrap();
    let laws = |registry: &Registry| {
        let verdict = judge(registry, &profile, &placement("scalingo/osc-fr1"), &[], now());
        verdict.findings.into_iter().find(|finding| finding.rule == RuleId::ControlLaws).unwrap().outcome
    };
    assert_eq!(laws(&registry), Outcome::Deny);
    assert_eq!(laws(&supposing(&registry, "law:us_fisa_702.status", "\"lapsed\"")), Outcome::Allow);
    assert_eq!(laws(&supposing(&registry, "entity:scalingo-sas.exposed_to", "[]")), Outcome::Allow);
    assert_eq!(laws(&supposing(&registry, "entity:scalingo-sas.exposed_to", "\"unknown\"")), Outcome::Unknown);
    let strict = Profile::parse("p", &text, &registry).unwrap();
    let verdict = judge(&supposing(&registry, "entity:scalingo-sas.exposed_to", "[]"), &strict, &placement("scalingo/osc-fr1"), &[], now());
    assert!(objections(&verdict).contains(&(RuleId::ControlLaws, Outcome::Unknown)));
}

#[test]
fn r7_r10_what_if_a_mechanism_falls() {
    let registry = Registry::shipped();
    let profile = profile("eea-region-adequate", &registry);
    let american = supposing(&supposing(&registry, "entity:scalingo-sas.country", "\"US\""), "entity:scalingo-sas.dpf", "\"listed\"");
    let mut signed = placement("scalingo/osc-fr1");
    signed.papers.push(Paper { kind: "scc_m2".parse().unwrap(), ends_on: Some("2026-12-24".parse().unwrap()), ..signed.papers[0].clone() });
    signed.assessments.push(Assessment { country: "US".parse().unwrap(), done_on: "2026-06-01".parse().unwrap() });
    assert_eq!(objections(&judge(&american, &profile, &signed, &[], now())), []);
    let fallen = supposing(&american, "mechanism:dpf.status", "\"annulled\"");
    let verdict = judge(&fallen, &profile, &signed, &[], now());
    assert_eq!(objections(&verdict), []);
    assert_eq!(verdict.valid_until, Some("2026-12-24T00:00:00Z".parse().unwrap()), "the clauses are what it rests on now");
    signed.papers.pop();
    let verdict = judge(&fallen, &profile, &signed, &[], now());
    assert!(objections(&verdict).contains(&(RuleId::TransferMechanism, Outcome::Deny)));
}

/// One sub-processor more than there is, as a link.
fn with_link(link: &str) -> Registry {
    supposing(&Registry::shipped(), "provider:scalingo.sub_processors", &format!("[{link}]"))
}

#[test]
fn r102_a_sub_processor_is_judged_for_what_it_can_see_and_by_who_owns_it() {
    use RuleId::{AccessSupport, ControlRunningDatabase, ControlSubProcessors, TransferMechanism};
    let rules = |registry: &Registry, role: CopyRole| -> Vec<RuleId> {
        let placement = Placement { role, ..placement("scalingo/osc-fr1") };
        let verdict = judge(registry, &profile("eea-jurisdiction", registry), &placement, &[], now());
        verdict.findings.iter().filter(|finding| finding.outcome == Outcome::Deny).map(|finding| finding.rule).collect()
    };
    let american = |link: &str| supposing(&with_link(link), "entity:dassault-systemes-se.country", "\"US\"");
    let sees = r#"{ entity = "dassault-systemes-se", purpose = "support", reach = "support_view", countries = ["FR"] }"#;
    // Outscale's owner, on whose machines the region stands, would be American too.
    let owner = supposing(&Registry::shipped(), "entity:dassault-systemes-se.country", "\"US\"");
    assert_eq!(rules(&owner, CopyRole::Primary), [ControlSubProcessors, ControlRunningDatabase]);
    assert_eq!(rules(&american(sees), CopyRole::Primary), [ControlSubProcessors, ControlRunningDatabase, TransferMechanism]);

    // Nothing else of the region's: only the link tells who is there.
    let elsewhere = |link: &str| supposing(&with_link(link), "region:scalingo/osc-fr1.infrastructure", "[]");
    let link = |reach: &str, country: &str, more: &str| {
        elsewhere(&format!(
            "{{ entity = \"outscale-sas\", purpose = \"support\", reach = \"{reach}\", countries = [\"{country}\"]{more} }}"
        ))
    };
    assert_eq!(rules(&link("content", "FR", ""), CopyRole::Primary), []);
    assert_eq!(rules(&link("content", "US", ""), CopyRole::Primary), [AccessSupport, TransferMechanism]);
    assert_eq!(rules(&link("support_view", "IN", ""), CopyRole::Primary), [AccessSupport, TransferMechanism]);
    assert_eq!(rules(&link("metadata", "US", ""), CopyRole::Primary), []);
    assert_eq!(rules(&link("content", "US", ", copies = [\"wal\"]"), CopyRole::Primary), []);
    assert_eq!(rules(&link("content", "US", ", copies = [\"wal\"]"), CopyRole::Wal), [AccessSupport, TransferMechanism]);
    let owned = supposing(&link("content", "FR", ""), "entity:dassault-systemes-se.country", "\"US\"");
    assert_eq!(rules(&owned, CopyRole::Primary), [ControlSubProcessors, ControlRunningDatabase]);
}

#[test]
fn r102_who_processes_for_a_sub_processor_is_asked_as_deep_as_the_profile_says() {
    let registry = Registry::shipped();
    let text = Profile::SHIPPED[0].1.replace("depth = 1", "depth = \"all\"");
    let deep = Profile::parse("p", &text, &registry).unwrap();
    let verdict = judge(&registry, &deep, &placement("scalingo/osc-fr1"), &[], now());
    assert!(objections(&verdict).contains(&(RuleId::ControlSubProcessors, Outcome::Unknown)));
    // A circle of sub-processors has an end.
    let circle = registry
        .overlaid((
            "circle",
            "
[[source]]
id = \"s\"
what = \"a page\"
on = 2026-11-01
certainty = \"verified\"
valid_until = 2027-05-01
[provider]
id = \"first\"
name = \"First\"
contracting = { is = \"first-as\", from = \"s\" }
support_from = { is = [\"NO\"], from = \"s\" }
sub_processors = { is = [{ entity = \"scalingo-sas\", purpose = \"other\", reach = \"content\", countries = [\"FR\"] }], from = \"s\" }
[[entity]]
id = \"first-as\"
name = \"First AS\"
country = { is = \"NO\", from = \"s\" }
parents = { is = [], from = \"s\" }
[[region]]
id = \"oslo\"
countries = { is = [\"NO\"], from = \"s\" }
infrastructure = { is = [], from = \"s\" }
[[fact]]
id = \"provider:scalingo.sub_processors\"
is = [{ entity = \"first-as\", purpose = \"other\", reach = \"content\", countries = [\"NO\"] }]
from = \"s\"
",
        ))
        .unwrap();
    let control = |registry: &Registry| {
        let verdict = judge(registry, &deep, &placement("first/oslo"), &[], now());
        verdict.findings.into_iter().find(|finding| finding.rule == RuleId::ControlSubProcessors).unwrap().outcome
    };
    assert_eq!(control(&circle), Outcome::Allow);
    assert_eq!(control(&supposing(&circle, "entity:first-as.country", "\"US\"")), Outcome::Deny, "the circle comes back to it");
    assert_eq!(control(&supposing(&circle, "entity:scalingo-sas.country", "\"US\"")), Outcome::Deny);
}

#[test]
fn r101_a_backup_is_judged_where_it_lies_and_not_where_its_database_is() {
    let registry = Registry::shipped();
    let profile = profile("eea-jurisdiction", &registry);
    let away = supposing(&registry, "service:scalingo/postgres.backup_rule", "\"cross_country_default\"");
    let location = |registry: &Registry, role: CopyRole, backup: BackupBy| {
        let placement = Placement { role, backup, ..placement("scalingo/osc-fr1") };
        let verdict = judge(registry, &profile, &placement, &[], now());
        verdict.findings.into_iter().find(|finding| finding.rule == RuleId::LocationCountries).unwrap().outcome
    };
    use BackupBy::{Holm, ProviderDefault, ProviderIn};
    assert_eq!(location(&registry, CopyRole::Backup, ProviderDefault), Outcome::Allow);
    assert_eq!(location(&away, CopyRole::Primary, ProviderDefault), Outcome::Allow);
    for role in [CopyRole::Backup, CopyRole::Snapshot, CopyRole::Wal] {
        assert_eq!(location(&away, role, ProviderDefault), Outcome::Unknown, "nobody knows where to: {role}");
    }
    let abroad = supposing(&away, "region:scalingo/osc-fr1.backup_regions", "[\"scalingo/osc-secnum-fr1\"]");
    assert_eq!(location(&abroad, CopyRole::Backup, ProviderDefault), Outcome::Allow);
    let abroad = supposing(&abroad, "region:scalingo/osc-secnum-fr1.countries", "[\"GB\"]");
    assert_eq!(location(&abroad, CopyRole::Backup, ProviderDefault), Outcome::Deny);
    assert_eq!(location(&abroad, CopyRole::Backup, Holm), Outcome::Allow);
    let told = || ProviderIn("scalingo/osc-fr1".parse().unwrap());
    assert_eq!(location(&abroad, CopyRole::Backup, told()), Outcome::Unknown, "nobody knows whether it can be told");
    assert_eq!(
        location(&supposing(&abroad, "service:scalingo/postgres.backup_overridable", "true"), CopyRole::Backup, told()),
        Outcome::Allow
    );
    assert_eq!(
        location(&supposing(&abroad, "service:scalingo/postgres.backup_overridable", "false"), CopyRole::Backup, told()),
        Outcome::Deny
    );
}

#[test]
fn r16_an_exception_of_another_copy_covers_nothing_here() {
    let registry = Registry::shipped();
    let profile = profile("eea-jurisdiction", &registry);
    let mut unsigned = placement("scalingo/osc-fr1");
    unsigned.papers.clear();
    let request = Request {
        copy: "copy-2".parse().unwrap(),
        rule: RuleId::ContractDpa,
        owner: "Kari".to_owned(),
        reason: "the signature is under way".to_owned(),
        measure: "no customers yet".to_owned(),
        until: "2026-12-01T00:00:00Z".parse().unwrap(),
    };
    let exception = Exception::grant(request, now()).unwrap();
    assert_eq!(judge(&registry, &profile, &unsigned, &[exception], now()).outcome, Outcome::Deny);
}

#[test]
fn a_profile_that_asks_only_about_transfers_asks_who_could_be_abroad() {
    let registry = Registry::shipped();
    let text = Profile::SHIPPED.iter().find(|(file, _)| *file == "unrestricted.toml").unwrap().1;
    let text = text.replace("depth = \"all\"", "depth = 1\n[transfer]\nmechanisms = [\"adequacy\"]");
    let profile = Profile::parse("p", &text, &registry).unwrap();
    let placement = Placement { environment: EnvironmentKind::Ci, ..placement("scalingo/osc-fr1") };
    let outcome = |registry: &Registry| judge(registry, &profile, &placement, &[], now()).outcome;
    assert_eq!(outcome(&registry), Outcome::Allow);
    for missing in [
        "group:EEA.members",
        "region:scalingo/osc-fr1.countries",
        "region:scalingo/osc-fr1.infrastructure",
        "provider:scalingo.contracting",
        "provider:scalingo.support_from",
        "provider:scalingo.sub_processors",
        "entity:scalingo-sas.country",
        "entity:outscale-sas.country",
    ] {
        assert_eq!(outcome(&supposing(&registry, missing, "\"unknown\"")), Outcome::Unknown, "{missing}");
    }
    // With no staff anywhere, only the companies' own countries are asked whether they are in the EEA.
    let alone = supposing(&registry, "provider:scalingo.support_from", "[]");
    assert_eq!(outcome(&alone), Outcome::Allow);
    assert_eq!(outcome(&supposing(&alone, "group:EEA.members", "\"unknown\"")), Outcome::Unknown);
    let abroad = |country: &str| supposing(&registry, "provider:scalingo.support_from", &format!("[\"{country}\"]"));
    assert_eq!(outcome(&abroad("CH")), Outcome::Allow);
    assert_eq!(outcome(&abroad("BR")), Outcome::Unknown, "the decision covers a part");
    assert_eq!(outcome(&abroad("US")), Outcome::Deny, "the decision covers organisations on a list");
    assert_eq!(outcome(&abroad("IN")), Outcome::Deny);
    let british = abroad("GB");
    assert_eq!(outcome(&british), Outcome::Allow);
    assert_eq!(outcome(&supposing(&british, "adequacy:GB.status", "\"annulled\"")), Outcome::Deny);
    assert_eq!(outcome(&supposing(&british, "adequacy:GB.status", "\"unknown\"")), Outcome::Unknown);
}
