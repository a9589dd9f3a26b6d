//! What people write wrongly and what the world does meanwhile, as an installation would meet it: refused with a reason, or judged.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

use holm_core::environment::EnvironmentKind;
use holm_policy::copy::{CopyRole, Isolation, KeyHolder};
use holm_policy::endpoint::{Located, locate};
use holm_policy::evaluate::verdict::{Outcome, RuleId, Verdict};
use holm_policy::evaluate::{BackupBy, Paper, Placement, judge};
use holm_policy::fleet::shorthand::suppose;
use holm_policy::id::Place;
use holm_policy::profile::Profile;
use holm_policy::registry::Registry;
use jiff::Timestamp;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn text(profile: &str) -> &'static str {
    Profile::SHIPPED.iter().find(|(file, _)| *file == format!("{profile}.toml")).unwrap().1
}

fn said(registry: &Registry, profile: &str, role: CopyRole, place: &Place) -> Verdict {
    let profile = Profile::parse(profile, text(profile), registry).unwrap();
    let with = registry.provider(&place.provider).and_then(|provider| provider.contracting.claimed());
    let papers = with.map(|with| Paper {
        kind: "dpa".parse().unwrap(),
        with: with.clone(),
        signed_on: "2026-01-01".parse().unwrap(),
        ends_on: None,
    });
    let placement = Placement {
        copy: "copy-1".parse().unwrap(),
        environment: EnvironmentKind::Production,
        role,
        place: place.clone(),
        plan: None,
        backup: BackupBy::ProviderDefault,
        key_holder: KeyHolder::Provider,
        isolation: Isolation::DatabasePerTenant,
        primary: Some(place.clone()),
        papers: papers.into_iter().collect(),
        assessments: Vec::new(),
    };
    judge(registry, &profile, &placement, &[], now())
}

const SOURCE: &str = "[[source]]\nid = \"s\"\nwhat = \"a page\"\non = 2026-11-20\ncertainty = \"verified\"\nvalid_until = 2027-05-01\n";

fn overlaid(facts: &str) -> Result<Registry, String> {
    Registry::shipped().overlaid(("ours", &format!("{SOURCE}{facts}"))).map_err(|problems| problems.to_string())
}

#[test]
fn a_country_that_there_is_not_is_refused_wherever_it_is_written() {
    let registry = Registry::shipped();
    for (country, hint) in
        [("UK", "the United Kingdom is `GB`"), ("XX", "two capital letters"), ("no", "such as `NO`"), ("EU", "the group is `@EU`")]
    {
        let profile = text("eea-jurisdiction").replace("countries = [\"@EEA\"]", &format!("countries = [\"NO\", \"{country}\"]"));
        let refused = Profile::parse("mine", &profile, &registry).unwrap_err().to_string();
        assert!(
            refused.starts_with(&format!("mine: location.countries[1]: `{country}` is not a country")) && refused.contains(hint),
            "{refused}"
        );
        let fact = format!("[[fact]]\nid = \"region:scalingo/osc-fr1.countries\"\nis = [\"{country}\"]\nfrom = \"s\"\n");
        let refused = overlaid(&fact).unwrap_err();
        assert!(refused.contains(&format!("`{country}` is not a country")) && refused.contains(hint), "{refused}");
        let supposed = suppose(&registry, &format!("entity:scalingo-sas.country={country}")).unwrap();
        let refused = registry.supposing(&supposed, "2026-11-22".parse().unwrap()).unwrap_err().to_string();
        assert!(refused.contains(hint), "{refused}");
    }
    let group = text("eea-jurisdiction").replace("support_from = [\"@EEA\"]", "support_from = [\"@EEC\"]");
    let refused = Profile::parse("mine", &group, &registry).unwrap_err().to_string();
    assert_eq!(refused, "mine: access.support_from: there is no group of countries `@EEC` in the registry; did you mean `@EEA`?");
}

#[test]
fn a_profile_that_permits_and_forbids_the_same_is_refused_and_told_which_two_rules() {
    let registry = Registry::shipped();
    let refused = |from: &str, to: &str| {
        let changed = text("eea-jurisdiction").replacen(from, to, 1);
        assert_ne!(changed, text("eea-jurisdiction"), "{from}");
        Profile::parse("mine", &changed, &registry).unwrap_err().to_string()
    };
    let abroad = refused("countries = [\"@EEA\"]", "countries = [\"@EEA\", \"CH\"]");
    assert_eq!(
        abroad,
        "mine: location.countries: it contradicts itself: `CH` is not all in the EEA, and `transfer.mechanisms` permits no transfer"
    );
    let anywhere = refused("countries = [\"@EEA\"]", "countries = [\"@EEA\", \"@any\"]");
    assert!(anywhere.contains("beside \"@any\" nothing else means anything"), "{anywhere}");
    let nowhere = refused("owners = [\"@EEA\"]", "owners = []");
    assert_eq!(nowhere, "mine: control.owners: it contradicts itself: no country is left; accepted: at least one");
    let sealed = refused("residue_days_max = 400", "residue_days_max = 400\nkey_holder = { primary = [\"client_side\"] }");
    assert!(sealed.contains("`primary` is of a running PostgreSQL, which must read it in clear"), "{sealed}");
}

#[test]
fn a_circle_of_owners_is_refused_whatever_closes_it() {
    let circle = "owners go in a circle: dassault-systemes-se -> outscale-sas -> dassault-systemes-se";
    let fact = "[[fact]]\nid = \"entity:dassault-systemes-se.parents\"\nis = [\"outscale-sas\"]\nfrom = \"s\"\n";
    let refused = overlaid(fact).unwrap_err();
    assert!(refused.contains(circle), "{refused}");
    let registry = Registry::shipped();
    let supposed = suppose(&registry, "entity:dassault-systemes-se.parents=[\"outscale-sas\"]").unwrap();
    let refused = registry.supposing(&supposed, "2026-11-22".parse().unwrap()).unwrap_err().to_string();
    assert!(refused.contains(circle), "{refused}");
    let itself = overlaid("[[entity]]\nid = \"x\"\nname = \"X\"\nparents = { is = [\"x\"], from = \"s\" }\n").unwrap_err();
    assert_eq!(itself, "registry: entity:x.parents: owners go in a circle: x -> x; accepted: parents that end in an entity without any");
}

#[test]
fn a_parent_that_changes_while_nobody_looks_is_denied_and_one_that_nobody_knows_is_unknown() {
    let place: Place = "scalingo/osc-fr1".parse().unwrap();
    let objects = |registry: &Registry| {
        let verdict = said(registry, "eea-jurisdiction", CopyRole::Primary, &place);
        verdict.findings.iter().find(|finding| finding.rule == RuleId::ControlOwners).unwrap().outcome
    };
    assert_eq!(objects(&Registry::shipped()), Outcome::Allow);
    let bought = |parent: &str| format!("[[fact]]\nid = \"entity:scalingo-sas.parents\"\nis = {parent}\nfrom = \"s\"\n");
    let abroad =
        "[[entity]]\nid = \"fund-lp\"\nname = \"Fund LP\"\ncountry = { is = \"US\", from = \"s\" }\nparents = { is = [], from = \"s\" }\n";
    assert_eq!(objects(&overlaid(&format!("{abroad}{}", bought("[\"fund-lp\"]"))).unwrap()), Outcome::Deny);
    let half_known = "[[entity]]\nid = \"fund-lp\"\nname = \"Fund LP\"\ncountry = { is = \"FR\", from = \"s\" }\nparents = \"unknown\"\n";
    assert_eq!(objects(&overlaid(&format!("{half_known}{}", bought("[\"fund-lp\"]"))).unwrap()), Outcome::Unknown);
    assert_eq!(objects(&overlaid("[[fact]]\nid = \"entity:scalingo-sas.parents\"\nis = \"unknown\"\n").unwrap()), Outcome::Unknown);
}

#[test]
fn a_set_of_zones_is_in_all_its_countries_for_backups_and_for_the_primarys_country_too() {
    let place: Place = "scalingo/osc-fr1".parse().unwrap();
    let zones = |countries: &str| {
        overlaid(&format!("[[fact]]\nid = \"region:scalingo/osc-fr1.countries\"\nis = {countries}\nfrom = \"s\"\n")).unwrap()
    };
    let location = |registry: &Registry, role| {
        let verdict = said(registry, "eea-jurisdiction", role, &place);
        verdict.findings.into_iter().find(|finding| finding.rule == RuleId::LocationCountries).unwrap()
    };
    for role in [CopyRole::Primary, CopyRole::Backup, CopyRole::Replica] {
        assert_eq!(location(&zones("[\"FR\", \"DE\"]"), role).outcome, Outcome::Allow);
        let outside = location(&zones("[\"FR\", \"GB\"]"), role);
        assert_eq!((outside.outcome, outside.because.as_str()), (Outcome::Deny, "`scalingo/osc-fr1` is in GB, outside @EEA"));
    }
    let registry = zones("[\"FR\", \"DE\"]");
    let national = said(&registry, "national-health-fr", CopyRole::Bucket, &place);
    let same = national.findings.iter().find(|finding| finding.rule == RuleId::LocationSameCountry).unwrap();
    assert_eq!((same.outcome, same.because.as_str()), (Outcome::Deny, "it and the primary are in DE, FR"));
}

#[test]
fn r39_an_endpoint_outside_the_profile_is_denied_by_where_its_host_says_it_is() {
    let registry = Registry::shipped();
    let Ok(Located::In(place, fact)) = locate(&registry, "https://account.eu.r2.cloudflarestorage.com/bucket", now()) else {
        panic!("the host says where it is")
    };
    assert_eq!(fact.as_str(), format!("region:{place}.hosts"));
    assert_eq!(said(&registry, "eea-jurisdiction", CopyRole::Bucket, &place).outcome, Outcome::Deny, "the company is American");
    let abroad = suppose(&registry, &format!("region:{place}.countries=[\"US\"]")).unwrap();
    let abroad = registry.supposing(&abroad, "2026-11-22".parse().unwrap()).unwrap();
    let verdict = said(&abroad, "eea-region-adequate", CopyRole::Bucket, &place);
    assert!(verdict.objections().any(|finding| (finding.rule, finding.outcome) == (RuleId::LocationCountries, Outcome::Deny)));
    // A host that says nothing is nowhere, so that there is nothing that could be allowed.
    assert_eq!(locate(&registry, "https://eu.r2.cloudflarestorage.com.example", now()), Ok(Located::Nowhere));
    for wrong in ["", "https://", "postgresql:///db", "a b"] {
        assert!(locate(&registry, wrong, now()).is_err(), "{wrong}");
    }
}

#[test]
fn a_fact_that_ends_at_midnight_ends_at_midnight_utc_and_everything_that_rests_on_it_with_it() {
    let ends = "[[source]]\nid = \"short\"\nwhat = \"a page\"\non = 2026-11-20\ncertainty = \"verified\"\nvalid_until = 2026-11-23\n\
         [[fact]]\nid = \"region:scalingo/osc-fr1.countries\"\nis = [\"FR\"]\nfrom = \"short\"\n";
    let registry = Registry::shipped().overlaid(("ours", ends)).unwrap();
    let place: Place = "scalingo/osc-fr1".parse().unwrap();
    let verdict = said(&registry, "eea-jurisdiction", CopyRole::Primary, &place);
    let midnight: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
    assert_eq!((verdict.outcome, verdict.valid_until), (Outcome::Allow, Some(midnight)));
    let stale =
        |now: Timestamp| registry.stale(now, 0).iter().filter(|stale| stale.fact.as_str() == "region:scalingo/osc-fr1.countries").count();
    assert_eq!((stale(midnight.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap()), stale(midnight)), (0, 1));
    let refused = Registry::shipped().overlaid(("ours", &ends.replace("2026-11-23", "2026-11-20"))).unwrap_err().to_string();
    assert!(refused.contains("2026-11-20 is not after 2026-11-20, the day it was read"), "{refused}");
}
