//! The Host of an HTTP request, from any browser or attacker, to at most one tenant.
//!
//! The first line is the request's target, the second its Host.

#![no_main]

#[allow(dead_code)]
#[path = "../../crates/holm-proxy/src/gateway/host.rs"]
mod host;

use std::sync::LazyLock;

use holm_core::environment::{Environment, EnvironmentKind};
use holm_core::route::{RouteChange, RouteTable, RouteVersion};
use holm_core::secret::Secret;
use host::{Authority, of_request, tenant};
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;

static TABLE: LazyLock<RouteTable> = LazyLock::new(|| {
    let environment = |name: &str, domain: &str| {
        RouteChange::Environment(Environment {
            name: name.parse().expect("it is a name"),
            kind: EnvironmentKind::Production,
            domain: domain.parse().expect("it is a domain"),
            header_key: Secret::new([0; 32]),
        })
    };
    RouteTable::default().with(RouteVersion(1), [environment("production", "localhost"), environment("staging", "staging.localhost")])
});

fn bare(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fuzz_target!(|text: &str| {
    let (target, host) = text.split_once('\n').unwrap_or(("/", text));
    if let Ok(authority) = Authority::parse(host) {
        let name = if authority.literal { format!("[{}]", authority.name) } else { authority.name.to_owned() };
        let port = authority.port.map(|port| format!(":{port}")).unwrap_or_default();
        assert_eq!(Authority::parse(&format!("{name}{port}")), Ok(authority));
        assert!(host.starts_with(&name));
    }
    if let Some((environment, slug)) = tenant(&TABLE, host) {
        let authority = Authority::parse(host).expect("a tenant's host is a host");
        assert_eq!(bare(authority.name), format!("{slug}.{}", environment.domain));
        assert!(environment.name.as_str() == "staging" || !bare(authority.name).ends_with(".staging.localhost"));
    }
    let (Ok(target), Ok(value)) = (target.parse::<Uri>(), HeaderValue::try_from(host)) else { return };
    let headers = HeaderMap::from_iter([(HOST, value)]);
    if let Ok(read) = of_request(&target, &headers) {
        assert_eq!(read, host, "the host is never another than the header's");
        if let Some(named) = target.authority() {
            let named = Authority::parse(named.as_str()).expect("the target's host is one");
            let host = Authority::parse(host).expect("the header's host is one");
            assert_eq!(bare(named.name), bare(host.name));
        }
    }
});
