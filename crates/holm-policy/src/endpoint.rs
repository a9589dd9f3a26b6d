//! From the host of an endpoint to a provider's region (R39): what an app is configured with says where its data goes.
//!
//! Promises: a host is in a region only if a fact says so that is known at the time. Of two patterns that fit, the one that
//! says more wins; two that say as much leave it open. Refuses to guess from words in a name.

use jiff::Timestamp;

use crate::fact::FactId;
use crate::id::Place;
use crate::registry::Registry;

/// RFC 1035, section 2.3.4: a name is at most 255 octets.
const HOST_LENGTH_MAX: usize = 255;

/// Where an endpoint is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Located {
    /// In one region, by that fact.
    In(Place, FactId),
    /// In one of several, which its host does not tell apart.
    OneOf(Vec<(Place, FactId)>),
    /// Nobody knows such a host.
    Nowhere,
}

/// Text that is no endpoint.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{}` is not an endpoint; accepted: a host name, or a URL with one", .0.escape_debug())]
pub struct InvalidEndpoint(String);

/// Finds the region of an endpoint: `https://account.eu.r2.cloudflarestorage.com`, `db.example.net:5432`.
///
/// # Errors
/// The text has no host name in it.
pub fn locate(registry: &Registry, endpoint: &str, now: Timestamp) -> Result<Located, InvalidEndpoint> {
    let host = host(endpoint).ok_or_else(|| InvalidEndpoint(endpoint.chars().take(80).collect()))?;
    let labels: Vec<&str> = host.split('.').collect();
    let mut best = 0;
    let mut found: Vec<(Place, FactId)> = Vec::new();
    for place in registry.places() {
        let Some((_, region)) = registry.region(&place) else { continue };
        let Ok(hosts) = region.hosts.at(now) else { continue };
        let fits = hosts.value.iter().filter(|pattern| fits(&pattern.split('.').collect::<Vec<_>>(), &labels));
        let Some(says) = fits.map(|pattern| pattern.split('.').filter(|label| *label != "*").count()).max() else { continue };
        if says > best {
            found.clear();
            best = says;
        }
        if says == best {
            found.push((place, region.hosts.id().clone()));
        }
    }
    Ok(match found.len() {
        0 => Located::Nowhere,
        1 => found.pop().map_or(Located::Nowhere, |(place, fact)| Located::In(place, fact)),
        _ => Located::OneOf(found),
    })
}

/// The host of a URL or of `host:port`, in lower case, without the dot that may end it.
fn host(endpoint: &str) -> Option<String> {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let named = authority.rsplit_once('@').map_or(authority, |(_, named)| named);
    let name = named.split_once(':').map_or(named, |(name, _)| name);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    (name.len() <= HOST_LENGTH_MAX && name.split('.').all(label)).then_some(name)
}

/// Whether a host fits a pattern, label by label; `*` stands for one or more.
fn fits(pattern: &[&str], labels: &[&str]) -> bool {
    match (pattern.split_first(), labels.split_first()) {
        (None, None) => true,
        (Some((&"*", rest)), Some((_, more))) => fits(rest, more) || fits(pattern, more),
        (Some((word, rest)), Some((label, more))) => word == label && fits(rest, more),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R2: &str = "
[[source]]
id = \"docs\"
what = \"documentation\"
on = 2026-08-17
certainty = \"verified\"
valid_until = 2027-02-17
[provider]
id = \"store\"
name = \"Store\"
[[region]]
id = \"eu\"
hosts = { is = [\"*.eu.store.example\"], from = \"docs\" }
[[region]]
id = \"automatic\"
hosts = { is = [\"*.store.example\"], from = \"docs\" }
[[region]]
id = \"north\"
hosts = { is = [\"*.db.example\"], from = \"docs\" }
[[region]]
id = \"south\"
hosts = { is = [\"*.db.example\"], from = \"docs\" }
";

    fn check(endpoint: &str, expected: &str) {
        let registry = Registry::load(&[("r2", R2)]).unwrap();
        let located = match locate(&registry, endpoint, "2026-11-22T00:00:00Z".parse().unwrap()) {
            Ok(Located::In(place, fact)) => {
                assert_eq!(fact.as_str(), format!("region:{place}.hosts"));
                place.to_string()
            }
            Ok(Located::OneOf(places)) => places.iter().map(|(place, _)| place.to_string()).collect::<Vec<_>>().join(" or "),
            Ok(Located::Nowhere) => "nowhere".to_owned(),
            Err(e) => e.to_string(),
        };
        assert_eq!(located, expected, "{endpoint}");
    }

    #[test]
    fn r39_the_host_says_the_region_where_it_says_one() {
        check("https://account.eu.store.example", "store/eu");
        check("https://user:pass@ACCOUNT.EU.store.example.:443/bucket?x#y", "store/eu");
        check("https://account.store.example", "store/automatic");
        check("account.store.example:443", "store/automatic");
        check("x.db.example:5432", "store/north or store/south");
    }

    #[test]
    fn r39_a_host_that_only_looks_like_one_is_nowhere() {
        check("https://account.eu.store.example.evil.example", "nowhere");
        check("https://eu-store.example", "nowhere");
        check("https://store.example", "nowhere");
        check("https://evil.example/account.eu.store.example", "nowhere");
        check("https://account.eu.store.example@evil.example", "nowhere");
        check("", "`` is not an endpoint; accepted: a host name, or a URL with one");
        check("https://", "`https://` is not an endpoint; accepted: a host name, or a URL with one");
        check("a..b", "`a..b` is not an endpoint; accepted: a host name, or a URL with one");
    }

    #[test]
    fn a_host_is_nowhere_when_what_is_known_of_it_has_ended() {
        let registry = Registry::load(&[("r2", R2)]).unwrap();
        let now = "2027-02-17T00:00:00Z".parse().unwrap();
        assert_eq!(locate(&registry, "account.eu.store.example", now), Ok(Located::Nowhere));
    }
}
