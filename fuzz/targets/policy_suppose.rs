//! What people type after "what if": nothing that there is not is supposed, and what is supposed is a registry or refused.

#![no_main]

use std::sync::LazyLock;

use holm_policy::fleet::shorthand::suppose;
use holm_policy::registry::{Registry, Supposition};
use libfuzzer_sys::fuzz_target;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let some = [
        ("adequacy.toml", include_str!("../../crates/holm-policy/registry/adequacy.toml")),
        ("countries.toml", include_str!("../../crates/holm-policy/registry/countries.toml")),
        ("laws.toml", include_str!("../../crates/holm-policy/registry/laws.toml")),
        ("mechanisms.toml", include_str!("../../crates/holm-policy/registry/mechanisms.toml")),
        ("providers/outscale.toml", include_str!("../../crates/holm-policy/registry/providers/outscale.toml")),
        ("providers/scalingo.toml", include_str!("../../crates/holm-policy/registry/providers/scalingo.toml")),
    ];
    Registry::load(&some).expect("what is shipped can be read")
});

fuzz_target!(|text: &str| {
    if let Ok(one) = text.parse::<Supposition>() {
        let written = format!("{}={}", one.fact, one.is);
        assert_eq!(written.parse::<Supposition>().as_ref(), Ok(&one), "what is read is written and read again");
    }
    match suppose(&REGISTRY, text) {
        Err(refused) => assert!(!refused.to_string().is_empty()),
        Ok(suppositions) => {
            assert!(!suppositions.is_empty());
            let facts = REGISTRY.facts();
            assert!(suppositions.iter().all(|one| facts.iter().any(|fact| *fact.id == one.fact)), "{suppositions:?}");
            match REGISTRY.supposing(&suppositions, "2026-11-22".parse().expect("a day")) {
                Ok(supposed) => assert_ne!(supposed.hash(), REGISTRY.hash()),
                Err(problems) => assert!(!problems.0.is_empty(), "a refusal has a reason"),
            }
        }
    }
});
