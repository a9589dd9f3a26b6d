//! Domains and hosts: a host is a tenant's only exactly one label below the domain.
//!
//! The first line is the domain, the rest the host.

#![no_main]

use holm_core::environment::Domain;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (domain, host) = text.split_once('\n').unwrap_or((text, "goteborg.example.com"));
    let Ok(domain) = domain.parse::<Domain>() else { return };
    assert_eq!(domain.as_str().parse(), Ok(domain.clone()));
    if let Some(slug) = domain.tenant_of(host) {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        assert_eq!(host, format!("{slug}.{domain}"));
        assert!(host.len() <= 253, "it fits DNS");
    }
});
