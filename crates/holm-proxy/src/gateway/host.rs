//! From the Host of a request to the one tenant it means (R75, R77, R1).
//!
//! Promises: a host means at most one tenant of at most one environment; the environment with the longest domain that
//! the host lies in is asked and no other, so that `a.staging.localhost` never falls back to the tenant of a shorter
//! domain. Refuses defaults, and refuses to repair: what is not a host name with a port is malformed.

use std::sync::Arc;

use holm_core::environment::Environment;
use holm_core::route::RouteTable;
use holm_core::slug::TenantSlug;
use http::header::HOST;
use http::{HeaderMap, Uri};

/// RFC 1035: 253 bytes of name, a final dot, `:` and a port of five digits.
const AUTHORITY_LENGTH_MAX: usize = 253 + 1 + 6;

/// A host name and port, as a client wrote them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Authority<'a> {
    /// The name, case as written; an IPv6 address without its brackets.
    pub name: &'a str,
    /// The port, where one is given.
    pub port: Option<u16>,
    /// Whether the name is an IPv6 address, which never names a tenant.
    pub literal: bool,
}

/// Why a request does not say which host it is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HostRefusal {
    /// There is no Host header.
    #[error("it has no Host header")]
    Missing,
    /// There is more than one.
    #[error("it has more than one Host header")]
    Repeated,
    /// The text is not a host name with or without a port.
    #[error("its Host header is not a host name")]
    Malformed,
    /// The target and the Host header name different hosts.
    #[error("its target and its Host header name different hosts")]
    Disagree,
    /// The target is not a path, or its scheme is not HTTP's.
    #[error("its target is not a path on this host")]
    Target,
}

impl<'a> Authority<'a> {
    /// Reads `name`, `name:port`, `[address]` or `[address]:port`.
    ///
    /// # Errors
    /// [`HostRefusal::Malformed`] for everything else, such as user information, white space, lists and escapes.
    pub fn parse(text: &'a str) -> Result<Self, HostRefusal> {
        if text.len() > AUTHORITY_LENGTH_MAX {
            return Err(HostRefusal::Malformed);
        }
        let (name, port, literal) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(HostRefusal::Malformed)?;
                (address, port.strip_prefix(':').or_else(|| port.is_empty().then_some("")), true)
            }
            None => match text.split_once(':') {
                Some((name, port)) => (name, Some(port), false),
                None => (text, Some(""), false),
            },
        };
        let well_formed = if literal { name.parse::<std::net::Ipv6Addr>().is_ok() } else { is_name(name) };
        let port = port.filter(|_| well_formed).and_then(port_of).ok_or(HostRefusal::Malformed)?;
        Ok(Self { name, port, literal })
    }

    /// Whether both mean one host and port; a port that is not given is the scheme's, and case and a final dot do not
    /// matter.
    fn agrees(&self, other: &Self, default_port: u16) -> bool {
        let name = |authority: &Self| authority.name.strip_suffix('.').unwrap_or(authority.name).to_ascii_lowercase();
        let port = |authority: &Self| authority.port.unwrap_or(default_port);
        name(self) == name(other) && port(self) == port(other) && self.literal == other.literal
    }
}

/// Letters, digits, `.`, `-`, and `_`, which no tenant has but some host names do.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// RFC 3986, section 3.2.3: a port is digits, maybe none. Port 0 cannot be connected to.
// The outer option says whether it is a port, the inner one whether there is one.
#[allow(clippy::option_option)]
fn port_of(digits: &str) -> Option<Option<u16>> {
    if digits.is_empty() {
        return Some(None);
    }
    if digits.len() > 5 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|port| *port != 0).map(Some)
}

/// The one host that a request is for, as its Host header has it.
///
/// # Errors
/// [`HostRefusal`]: RFC 9112, section 3.2 wants 400 for a Host that is missing, repeated or invalid.
pub fn of_request<'a>(target: &Uri, headers: &'a HeaderMap) -> Result<&'a str, HostRefusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().ok_or(HostRefusal::Missing)?;
    if hosts.next().is_some() {
        return Err(HostRefusal::Repeated);
    }
    let host = host.to_str().map_err(|_| HostRefusal::Malformed)?;
    let authority = Authority::parse(host)?;
    let Some(named) = target.authority() else {
        return Ok(host);
    };
    let default_port = match target.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err(HostRefusal::Target),
    };
    let named = Authority::parse(named.as_str()).map_err(|_| HostRefusal::Target)?;
    if named.agrees(&authority, default_port) { Ok(host) } else { Err(HostRefusal::Disagree) }
}

/// The environment and slug that a host means, whether or not there is such a tenant.
pub fn tenant<'t>(table: &'t RouteTable, host: &str) -> Option<(&'t Arc<Environment>, TenantSlug)> {
    let authority = Authority::parse(host).ok().filter(|authority| !authority.literal)?;
    let environment = environment(table, authority.name)?;
    Some((environment, environment.domain.tenant_of(authority.name)?))
}

/// The address of a tenant under the domain of an environment, with the port that a request was sent to.
pub(super) fn of_tenant(host: &str, environment: &Environment, slug: &TenantSlug) -> Box<str> {
    let port = Authority::parse(host).ok().and_then(|authority| authority.port).map(|port| format!(":{port}")).unwrap_or_default();
    format!("{slug}.{}{port}", environment.domain).into()
}

/// The environment with the longest domain that the name is or lies in; two of one domain are none, since either could
/// be meant.
fn environment<'t>(table: &'t RouteTable, name: &str) -> Option<&'t Arc<Environment>> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let covers = |environment: &&Arc<Environment>| {
        let domain = environment.domain.as_str();
        name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let length = |environment: &Arc<Environment>| environment.domain.as_str().len();
    let longest = table.environments().filter(covers).map(length).max()?;
    let mut candidates = table.environments().filter(covers).filter(|environment| length(environment) == longest);
    let found = candidates.next()?;
    candidates.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use holm_core::environment::EnvironmentKind;
    use holm_core::route::{RouteChange, RouteVersion};
    use holm_core::secret::Secret;

    use super::*;

    fn table(domains: &[(&str, &str)]) -> RouteTable {
        let environments = domains.iter().map(|(name, domain)| {
            RouteChange::Environment(Environment {
                name: name.parse().unwrap(),
                kind: EnvironmentKind::Production,
                domain: domain.parse().unwrap(),
                header_key: Secret::new([0; 32]),
            })
        });
        RouteTable::default().with(RouteVersion(1), environments)
    }

    fn meant(table: &RouteTable, host: &str) -> Option<String> {
        tenant(table, host).map(|(environment, slug)| format!("{slug} of {}", environment.name))
    }

    #[test]
    fn r1_r75_the_longest_domain_decides_and_a_shorter_one_is_never_a_fallback() {
        let table = table(&[("production", "localhost"), ("staging", "staging.localhost"), ("demo", "demo.localhost")]);
        for (host, expected) in [
            ("goteborg.localhost", Some("goteborg of production")),
            ("Goteborg.LOCALHOST.:8080", Some("goteborg of production")),
            ("goteborg.staging.localhost:80", Some("goteborg of staging")),
            ("a.b.staging.localhost", None),
            ("goteborg.other.localhost", None),
            // `demo` is a valid slug, but the host is the domain of an environment.
            ("demo.localhost", None),
            ("goteborg.demo.localhost", Some("goteborg of demo")),
            ("localhost", None),
            ("evillocalhost", None),
            ("goteborg.localhost..", None),
            ("goteborg..localhost", None),
            (".localhost", None),
            ("admin.localhost", None),
            ("[::1]:8080", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(meant(&table, host).as_deref(), expected, "{host}");
        }
    }

    #[test]
    fn r1_a_domain_that_two_environments_claim_is_nobodys() {
        let table = table(&[("production", "example.com"), ("staging", "example.com")]);
        assert_eq!(meant(&table, "goteborg.example.com"), None);
    }

    #[test]
    fn a_port_is_cut_off_and_nothing_else_is() {
        let read = |text| Authority::parse(text).ok().map(|a| (a.name, a.port, a.literal));
        assert_eq!(read("a.example"), Some(("a.example", None, false)));
        assert_eq!(read("a.example:"), Some(("a.example", None, false)));
        assert_eq!(read("a.example:08080"), Some(("a.example", Some(8080), false)));
        assert_eq!(read("[::1]"), Some(("::1", None, true)));
        assert_eq!(read("[2001:db8::1]:443"), Some(("2001:db8::1", Some(443), true)));
        for malformed in [
            "",
            ":80",
            "a:b",
            "a:80:80",
            "a:99999",
            "a:0",
            "a:+80",
            "a: 80",
            "a:000080",
            "::1",
            "[::1",
            "[::1]80",
            "[::1]:x",
            "[a.example]",
            "[]",
            "[::1%lo]",
            "u@a",
            "u:p@a",
            "a/b",
            "a\\b",
            "a b",
            " a",
            "a,b",
            "a?b",
            "a#b",
            "a%2eb",
            "göteborg.example",
            "a\tb",
            "a\"",
        ] {
            assert_eq!(read(malformed), None, "{malformed}");
        }
        assert_eq!(read(&"a".repeat(AUTHORITY_LENGTH_MAX + 1)), None);
    }

    #[test]
    fn a_target_with_a_host_must_agree_with_the_host_header() {
        let ask = |target: &str, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            of_request(&target.parse().unwrap(), &headers).map(str::to_owned)
        };
        assert_eq!(ask("/x", "a.example"), Ok("a.example".to_owned()));
        assert_eq!(ask("http://A.example:80/x", "a.example."), Ok("a.example.".to_owned()));
        assert_eq!(ask("https://a.example/x", "a.example:443"), Ok("a.example:443".to_owned()));
        assert_eq!(ask("http://b.example/x", "a.example"), Err(HostRefusal::Disagree));
        assert_eq!(ask("http://a.example:81/x", "a.example"), Err(HostRefusal::Disagree));
        assert_eq!(ask("ftp://a.example/x", "a.example"), Err(HostRefusal::Target));
        assert_eq!(ask("http://u@a.example/x", "a.example"), Err(HostRefusal::Target));
        assert_eq!(ask("a.example:80", "a.example"), Err(HostRefusal::Target));
    }
}
