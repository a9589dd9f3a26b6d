//! What people type as a tenant's name.

#![no_main]

use holm_core::environment::Domain;
use holm_core::slug::{TenantSlug, env_variables};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match text.parse::<TenantSlug>() {
        Ok(slug) => {
            assert_eq!(slug.as_str(), text);
            assert_eq!(TenantSlug::nearest(text), Some(slug.clone()));
            let domain: Domain = "staging.example".parse().expect("it is a domain");
            assert_eq!(domain.tenant_of(&format!("{slug}.staging.example")), Some(slug.clone()), "a slug is a host name's label");
            assert!(slug.env_variable().bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'));
        }
        Err(refused) => {
            assert!(refused.text.chars().count() <= 80);
            if let Some(nearest) = refused.suggestion {
                assert_eq!(nearest.as_str().parse(), Ok(nearest.clone()), "what is suggested is a slug");
            }
        }
    }
    if let Ok(variables) = env_variables(text.lines()) {
        let mut names: Vec<_> = variables.iter().map(|(variable, _)| variable).collect();
        names.sort();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "no two names share a variable");
    }
});
