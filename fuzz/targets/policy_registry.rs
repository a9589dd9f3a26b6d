//! Texts of the registry as an installation writes them: alone, and laid over the law that is shipped.

#![no_main]

use std::sync::LazyLock;

use holm_policy::copy::{CopyRole, Isolation, KeyHolder};
use holm_policy::evaluate::{BackupBy, Placement, judge};
use holm_policy::profile::Profile;
use holm_policy::reading::Problems;
use holm_policy::registry::Registry;
use libfuzzer_sys::fuzz_target;

static LAW: LazyLock<Registry> = LazyLock::new(|| {
    let law = [
        ("adequacy.toml", include_str!("../../crates/holm-policy/registry/adequacy.toml")),
        ("countries.toml", include_str!("../../crates/holm-policy/registry/countries.toml")),
        ("laws.toml", include_str!("../../crates/holm-policy/registry/laws.toml")),
        ("mechanisms.toml", include_str!("../../crates/holm-policy/registry/mechanisms.toml")),
    ];
    Registry::load(&law).expect("what is shipped can be read")
});
static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let profiles = Profile::SHIPPED.iter().map(|(file, text)| Profile::parse(file, text, &LAW));
    profiles.collect::<Result<_, _>>().expect("what is shipped can be read")
});

fuzz_target!(|text: &str| {
    said(&Registry::load(&[("text", text)]));
    let overlaid = LAW.overlaid(("text", text));
    said(&overlaid);
    let Ok(registry) = overlaid else { return };
    let table: toml::Table = text.parse().expect("a text of the registry is TOML");
    let written = toml::to_string(&table).expect("what was read can be written");
    let again = LAW.overlaid(("text", &written)).expect("it says the same");
    assert_eq!(again.hash(), registry.hash(), "the hash is of what it says and not of the order");
    let now = "2026-11-22T12:00:00Z".parse().expect("a time");
    registry.stale(now, 30);
    for on in ["2000-01-01", "2026-06-01", "2026-11-22", "9999-12-31"] {
        // An earlier version may say what its fact cannot be.
        let on: jiff::civil::Date = on.parse().expect("a day");
        if let Ok(then) = registry.as_known(on) {
            assert!(then.facts().iter().filter_map(|fact| fact.evidence).all(|evidence| evidence.known_since <= on));
        }
    }
    for (place, profile) in registry.places().take(4).flat_map(|place| PROFILES.iter().map(move |profile| (place.clone(), profile))) {
        for role in [CopyRole::Primary, CopyRole::Backup] {
            let placement = Placement {
                copy: "copy".parse().expect("an id"),
                environment: holm_core::environment::EnvironmentKind::Production,
                role,
                place: place.clone(),
                plan: None,
                backup: BackupBy::ProviderDefault,
                key_holder: KeyHolder::Provider,
                isolation: Isolation::DatabasePerTenant,
                primary: Some(place.clone()),
                papers: Vec::new(),
                assessments: Vec::new(),
            };
            let verdict = judge(&registry, profile, &placement, &[], now);
            assert!(verdict.findings.iter().all(|finding| !finding.because.is_empty()));
        }
    }
});

fn said(read: &Result<Registry, Problems>) {
    if let Err(problems) = read {
        assert!(!problems.0.is_empty() && problems.0.iter().all(|problem| !problem.why.is_empty()), "a refusal has reasons: {problems}");
    }
}
