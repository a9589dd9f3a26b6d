//! Promises of the prose.

use super::*;
use crate::profile::Profile;

fn shipped(id: &str) -> (&'static str, &'static str) {
    *Profile::SHIPPED.iter().find(|(file, _)| file.starts_with(id)).unwrap()
}

fn rendered(id: &str, language: Language) -> String {
    let registry = Registry::shipped();
    let (file, text) = shipped(id);
    render(&Profile::parse(file, text, &registry).unwrap(), &registry, language)
}

#[test]
fn every_rule_has_its_clause_in_every_language() {
    for (file, _) in Profile::SHIPPED {
        for language in Language::ALL {
            let text = rendered(file.trim_end_matches(".toml"), *language);
            for rule in RuleId::ALL {
                assert_eq!(text.matches(&format!(" [{rule}]")).count(), 1, "{file} in {language}: {rule}");
            }
            for word in ["compliant", "in samsvar", "  ", " ."] {
                assert!(!text.to_lowercase().contains(word), "{file} in {language}: {word:?}\n{text}");
            }
        }
    }
}

#[test]
fn languages_do_not_borrow_each_others_clauses() {
    for (file, _) in Profile::SHIPPED {
        let texts = Language::ALL.iter().map(|language| rendered(file.trim_end_matches(".toml"), *language)).collect::<Vec<_>>();
        for rule in RuleId::ALL {
            let mut clauses: Vec<&str> =
                texts.iter().map(|text| text.lines().find(|line| line.ends_with(&format!("[{rule}]"))).unwrap()).collect();
            clauses.sort_unstable();
            clauses.dedup();
            assert_eq!(clauses.len(), Language::ALL.len(), "{file}: {rule}: {clauses:?}");
        }
    }
}

/// A change to each rule of a profile, and what follows of it in the text besides the hash.
#[test]
fn a_changed_rule_is_a_changed_text() {
    let registry = Registry::shipped();
    for (id, from, to) in [
        ("national-health-fr", "environments = [\"production\"]", "environments = [\"production\", \"staging\"]"),
        ("eea-jurisdiction", "\"restore_drill\",", "\"restore_drill\", \"metric\","),
        ("national-health-fr", "countries = [\"FR\"]", "countries = [\"FR\", \"DE\"]"),
        ("national-health-fr", "same_country_for = [\"bucket\", ", "same_country_for = [\"log\", \"bucket\", "),
        ("national-health-fr", "support_from = [\"@EEA\"]", "support_from = [\"FR\"]"),
        ("national-health-fr", "contracting_entity = [\"@EEA\"]", "contracting_entity = [\"FR\"]"),
        ("national-health-fr", "owners = [\"@EEA\"]", "owners = [\"FR\"]"),
        ("national-health-fr", "sub_processors = [\"@EEA\"]", "sub_processors = [\"FR\"]"),
        ("national-health-fr", "depth = 1", "depth = 2"),
        ("national-health-fr", "affiliates = [\"@EEA\"]", "affiliates = [\"FR\"]"),
        ("national-health-fr", "\"us_fisa_702\", ", ""),
        ("eea-jurisdiction", "\"snapshot\", \"export\"", "\"export\""),
        ("eea-jurisdiction", "\"customer_external_eea_kms\", ", ""),
        ("eea-region-adequate", "mechanisms = [\"adequacy\", ", "mechanisms = ["),
        ("eea-region-adequate", "dpf = [\"scc_m2\", ", "dpf = ["),
        ("eea-region-adequate", "assessment_for = [\"dpf\", ", "assessment_for = ["),
        ("eea-region-adequate", "assessment_max_age_days = 365", "assessment_max_age_days = 90"),
        ("eea-region-adequate", "dpa = true", "dpa = false"),
        ("national-health-fr", "papers = [\"hds_contract\"]", "papers = []"),
        ("national-health-fr", "all_of = [\"hds\", ", "all_of = ["),
        ("national-health-fr", "any_of = [\"secnumcloud-iaas\", ", "any_of = ["),
        ("national-health-fr", "instance_per_tenant", "database_per_tenant"),
        ("national-health-fr", "isolation = ", "plan = true\nisolation = "),
        ("national-health-fr", "residue_days_max = 35", "residue_days_max = 36\nencryption_at_rest = true"),
        ("national-health-fr", "production = 14", "production = 15"),
        ("national-health-fr", "bucket = [\"client_side\"]", "bucket = [\"provider\"]"),
        ("national-health-fr", ", \"background\"]", "]"),
        ("national-health-fr", "max_age_days = 180", "max_age_days = 181"),
        ("national-health-fr", "unknown = \"deny\"", "unknown = \"needs_approval\""),
        ("national-health-fr", "after_days = 7\nstep = \"read_only\"", "after_days = 8\nstep = \"drain\""),
    ] {
        let (file, text) = shipped(id);
        assert!(text.contains(from), "{id} has {from}");
        let changed = Profile::parse(file, &text.replacen(from, to, 1), &registry).unwrap_or_else(|problems| panic!("{problems}"));
        for language in Language::ALL {
            let signed = |text: &str| text.lines().filter(|line| !line.starts_with("SHA-256")).collect::<Vec<_>>().join("\n");
            let (before, after) = (rendered(id, *language), render(&changed, &registry, *language));
            assert_ne!(signed(&before), signed(&after), "{id} in {language}: {from} -> {to}");
        }
    }
}

#[test]
fn a_profile_in_three_languages() {
    insta::assert_snapshot!("en", rendered("eea-jurisdiction", Language::En));
    insta::assert_snapshot!("nb", rendered("eea-jurisdiction", Language::Nb));
    insta::assert_snapshot!("sv", rendered("eea-jurisdiction", Language::Sv));
}
