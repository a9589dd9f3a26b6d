//! Profiles as a stranger wrote them: refused with reasons, or read, rendered and run, whatever the order of their keys.

#![no_main]

use std::sync::LazyLock;

use holm_policy::profile::Profile;
use holm_policy::prose::{self, Language};
use holm_policy::registry::Registry;
use libfuzzer_sys::fuzz_target;

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::shipped);

fuzz_target!(|text: &str| {
    let profile = match Profile::parse("profile", text, &REGISTRY) {
        Ok(profile) => profile,
        Err(problems) => {
            assert!(!problems.0.is_empty(), "a refusal has a reason");
            assert!(problems.0.iter().all(|problem| !problem.why.is_empty()), "every reason says something: {problems}");
            return;
        }
    };
    // Written anew, keys are in the order of the alphabet.
    let table: toml::Table = text.parse().expect("a profile is TOML");
    let written = toml::to_string(&table).expect("what was read can be written");
    let again = Profile::parse("profile", &written, &REGISTRY).expect("it says the same");
    assert_eq!(again.hash(), profile.hash(), "the hash is of what it says and not of the order");
    for language in Language::ALL {
        assert!(!prose::render(&profile, &REGISTRY, *language).is_empty());
    }
    if let Ok(results) = profile.run_cases(&REGISTRY) {
        assert_eq!(results.len(), profile.cases().len());
    }
});
