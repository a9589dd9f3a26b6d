//! Where a webhook may be: what of the network Holm sends to.
//!
//! Promises: without being told so, nothing is sent to an address that is not public, so that nobody makes Holm speak to what
//! only Holm can reach; what is checked is the address that is connected to, not a name that may mean another one later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use holm_core::error::{ErrorCode, Problem};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// More is no address that anybody typed.
const URL_LENGTH_MAX: usize = 2000;

/// Which addresses are sent to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// Those of the public internet.
    Public,
    /// Any.
    Any,
    /// This machine: without TLS there is no other.
    Loopback,
}

impl Reach {
    /// What an address and its webhook's setting allow.
    pub(crate) fn of(url: &Url, allow_private: bool) -> Self {
        match (url.scheme(), allow_private) {
            ("http", _) => Self::Loopback,
            (_, true) => Self::Any,
            (_, false) => Self::Public,
        }
    }

    fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::Any => !address.is_unspecified() && !address.is_multicast(),
            Self::Loopback => address.to_canonical().is_loopback(),
        }
    }

    /// Whether an address that is written as numbers may be connected to; a name is checked when it is resolved.
    pub(crate) fn allows_literal(self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        host.parse::<IpAddr>().map_or(true, |address| self.allows(address))
    }
}

/// Resolves, and gives back only what may be connected to.
impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(REFUSED.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Why nothing was sent.
pub(crate) const REFUSED: &str = "its address is not one that Holm sends to";

/// Reads the address of a webhook to be made.
///
/// # Errors
/// [`ErrorCode::InvalidValue`] if it is no address; [`ErrorCode::WebhookAddress`] if it is not one that Holm sends to.
pub(crate) fn read(text: &str, allow_private: bool) -> Result<Url, Problem> {
    let unusable = |why: &str| {
        let problem = Problem::new(ErrorCode::InvalidValue, "the webhook's URL cannot be used").because(why);
        problem.next("write it as `https://hooks.example.com/holm`")
    };
    if text.len() > URL_LENGTH_MAX {
        return Err(unusable("it is longer than 2000 characters"));
    }
    let url = Url::parse(text).map_err(|error| unusable(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(unusable("it is neither `http` nor `https`"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(unusable("it has a user, a password or a fragment"));
    }
    let refused = |why: &str| Problem::new(ErrorCode::WebhookAddress, format!("Holm does not send to `{}`", host(&url))).because(why);
    let local = url.host_str() == Some("localhost") || Reach::Loopback.allows_literal(&url) && literal(&url);
    if url.scheme() == "http" && !local {
        return Err(refused("without TLS it sends to `localhost` and to loopback addresses only").next("use `https`"));
    }
    if (local || !Reach::Public.allows_literal(&url)) && !allow_private {
        return Err(refused("the address is not public").next("if it is meant: `--allow-private`"));
    }
    Ok(url)
}

fn literal(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok())
}

/// The host of an address, which is no secret; its path and its query may be.
pub(crate) fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IANA's registry of special-purpose IPv4 addresses, what is globally reachable of it left out.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!((a, b, c), (0 | 10 | 127, ..) | (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _))
        || matches!((a, b, c), (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) | (224..=255, ..));
    !special
}

/// Global unicast, 2000::/3, without documentation, and without what carries an IPv4 address that is not public.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // RFC 6052, the prefix of translators.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        // RFC 3056, 6to4.
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, ORCHID, benchmarks and documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_the_public_internet_is_public() {
        for public in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:db8::1",
            "fec0::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn an_address_that_only_holm_can_reach_is_refused_unless_it_is_meant() {
        let code = |url: &str, private: bool| read(url, private).err().map(|problem| problem.code);
        assert_eq!(code("https://hooks.example.com/holm?x=1", false), None);
        for inside in [
            "https://127.0.0.1/",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::ffff:127.0.0.1]/",
            "https://localhost/",
            "http://localhost:1/",
            "http://127.0.0.1/",
        ] {
            assert_eq!(code(inside, false), Some(ErrorCode::WebhookAddress), "{inside}");
            assert_eq!(code(inside, true), None, "{inside}");
        }
        for open in ["http://hooks.example.com/", "http://10.0.0.1/", "http://8.8.8.8/"] {
            assert_eq!(code(open, true), Some(ErrorCode::WebhookAddress), "{open}");
        }
        for bad in ["", "hooks", "ftp://hooks.example.com", "https://a:b@hooks.example.com", "https://hooks.example.com/#x", "file:///etc"]
        {
            assert_eq!(code(bad, true), Some(ErrorCode::InvalidValue), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_that_means_an_inner_address_is_not_connected_to() {
        let resolved = |reach: Reach| reach.resolve("localhost".parse().unwrap());
        assert!(resolved(Reach::Public).await.is_err());
        assert!(resolved(Reach::Loopback).await.is_ok());
        assert!(resolved(Reach::Any).await.is_ok());
    }
}
