//! Promises of profiles.

use super::*;
use crate::evaluate::verdict::Outcome;

fn shipped(id: &str) -> &'static str {
    Profile::SHIPPED.iter().find(|(file, _)| *file == format!("{id}.toml")).unwrap().1
}

/// Changes a shipped profile's text, which must have what is changed, and shows what is then wrong with it.
fn problems(id: &str, changes: &[(&str, &str)]) -> String {
    let mut text = shipped(id).to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    Profile::parse("mine.toml", &text, &Registry::shipped()).unwrap_err().to_string()
}

#[test]
fn what_is_shipped_is_a_profile_and_passes_its_cases() {
    let registry = Registry::shipped();
    let mut failed = Vec::new();
    for (file, text) in Profile::SHIPPED {
        let profile = Profile::parse(file, text, &registry).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(format!("{}.toml", profile.metadata.id), *file);
        assert!(profile.cases.len() >= 2, "{file} shows what it means");
        for result in profile.run_cases(&registry).unwrap_or_else(|problems| panic!("{problems}")).iter().filter(|result| !result.passed) {
            let objections: Vec<String> =
                result.verdict.objections().map(|f| format!("{}: {}: {}", f.rule, f.outcome, f.because)).collect();
            failed.push(format!(
                "{file}, case {}: {} expected, got {}: {objections:#?}",
                result.number, result.expect, result.verdict.outcome
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_word_that_does_not_exist_is_refused_with_the_nearest_that_does() {
    insta::assert_snapshot!(problems(
        "nordic-only",
        &[
            ("owners =", "owner ="),
            ("\"@NORDIC\"", "\"@NORDICS\""),
            ("\"@EEA\"", "\"XX\""),
            ("needs_approval", "need_approval"),
            ("[contract]", "[contracts]"),
        ]
    ));
}

#[test]
fn a_profile_that_contradicts_itself_is_refused() {
    insta::assert_snapshot!(problems(
        "national-health-fr",
        &[
            ("countries = [\"FR\"]", "countries = [\"FR\", \"US\"]"),
            ("any_of = [\"secnumcloud-iaas\"", "any_of = [\"hds\""),
            ("pitr_days_min = { production = 14 }", "pitr_days_min = { staging = 14 }"),
            ("key_holder = { backup", "key_holder = { primary"),
            ("review_by = 2027-05-22", "review_by = 2026-05-22"),
            ("after_days = 7", "after_days = 60"),
            ("same_country_for = [\"bucket\"", "same_country_for = [\"primary\""),
        ]
    ));
}

#[test]
fn keys_rescue_nothing_that_runs_and_nothing_that_the_provider_can_open() {
    insta::assert_snapshot!(problems(
        "eea-jurisdiction",
        &[
            ("copies = [\"backup\", \"snapshot\"", "copies = [\"primary\", \"snapshot\""),
            ("holders = [\"customer_external_eea_kms\"", "holders = [\"customer_in_provider_kms\""),
        ]
    ));
}

#[test]
fn a_profile_that_fails_its_own_cases_is_told_which() {
    let registry = Registry::shipped();
    let text = shipped("nordic-only").replace("[\"@NORDIC\"]", "[\"@EEA\"]");
    let results = Profile::parse("mine.toml", &text, &registry).unwrap().run_cases(&registry).unwrap();
    let failed: Vec<_> = results.iter().filter(|result| !result.passed).map(|result| (result.number, result.expect)).collect();
    assert_eq!(failed, [(1, Outcome::Deny)]);
}

#[test]
fn a_case_that_supposes_what_is_not_is_an_error() {
    let registry = Registry::shipped();
    let text = shipped("eea-jurisdiction").replace("entity:scalingo-sas.country", "entity:scalingo-gmbh.country");
    let profile = Profile::parse("mine.toml", &text, &registry).unwrap();
    insta::assert_snapshot!(profile.run_cases(&registry).unwrap_err(), @"supposed: entity:scalingo-gmbh.country: there is nothing called `entity:scalingo-gmbh` in the registry");
}

#[test]
fn the_hash_is_of_the_content_and_not_of_its_order() {
    let registry = Registry::shipped();
    let text = shipped("nordic-only");
    let hash = |text: &str| Profile::parse("any.toml", text, &registry).unwrap().hash().clone();
    let swapped = text.replace("version = 1\nstatus = \"draft\"", "status = \"draft\"\nversion = 1");
    assert_ne!(text, swapped);
    assert_eq!(hash(text), hash(&swapped));
    assert_ne!(hash(text), hash(&text.replace("version = 1", "version = 2")));
    assert_eq!(hash(text).as_str().len(), 64);
}

#[test]
fn the_hash_is_the_same_however_a_profile_is_written() {
    let registry = Registry::shipped();
    for (file, text) in Profile::SHIPPED {
        let table: toml::Table = text.parse().unwrap();
        // Without comments, keys in the order of the alphabet, inline tables as tables of their own.
        let written = toml::to_string_pretty(&table).unwrap();
        assert_ne!(written, *text);
        let (before, after) = (Profile::parse(file, text, &registry).unwrap(), Profile::parse(file, &written, &registry).unwrap());
        assert_eq!(before.hash(), after.hash(), "{file}");
        assert_eq!(before, after, "{file}");
    }
}

#[test]
fn a_difference_says_in_which_direction_it_goes() {
    let registry = Registry::shipped();
    let text = shipped("national-health-fr");
    let before = Profile::parse("a.toml", text, &registry).unwrap();
    let check = |from: &str, to: &str, at: &str, expected: diff::Direction| {
        assert!(text.contains(from), "{from}");
        let after = Profile::parse("b.toml", &text.replacen(from, to, 1), &registry).unwrap_or_else(|problems| panic!("{problems}"));
        let changes = diff::diff(&before, &after);
        let found: Vec<_> = changes.iter().map(|change| (change.at.as_str(), change.direction)).collect();
        assert_eq!(found, [(at, expected)], "{from} -> {to}");
        let back: Vec<_> = diff::diff(&after, &before).into_iter().map(|change| change.direction).collect();
        let opposite = match expected {
            diff::Direction::Looser => diff::Direction::Tighter,
            diff::Direction::Tighter => diff::Direction::Looser,
            diff::Direction::Changed => diff::Direction::Changed,
        };
        assert_eq!(back, [opposite], "{to} -> {from}");
    };
    use diff::Direction::{Changed, Looser, Tighter};
    check("countries = [\"FR\"]", "countries = [\"FR\", \"DE\"]", "location.countries", Looser);
    check("countries = [\"FR\"]", "countries = [\"DE\"]", "location.countries", Changed);
    check("owners = [\"@EEA\"]", "owners = [\"@any\"]", "control.owners", Looser);
    check("affiliates = [\"@EEA\"]\n", "", "control.affiliates", Looser);
    check("production = 14", "production = 30", "technical.pitr_days_min.production", Tighter);
    check("residue_days_max = 35", "residue_days_max = 400", "technical.residue_days_max", Looser);
    check("all_of = [\"hds\", ", "all_of = [", "certification.all_of", Looser);
    check("any_of = [\"secnumcloud-iaas\", ", "any_of = [", "certification.any_of", Tighter);
    check("instance_per_tenant", "shared_schema", "technical.isolation", Looser);
    check("depth = 1", "depth = \"all\"", "control.depth", Tighter);
    check("max_age_days = 180", "max_age_days = 90", "evidence.max_age_days", Tighter);
    check("[transfer]\nmechanisms = []", "[transfer]\nmechanisms = [\"dpf\"]", "transfer.mechanisms", Looser);
    assert_eq!(diff::diff(&before, &before), []);
}
