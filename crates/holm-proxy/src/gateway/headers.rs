//! Which header fields cross the gateway, and what it adds (R76).
//!
//! Promises: what an app reads as `x-subdomain` or `x-holm-…` is ours, however a client spells it: servers that fold
//! header names into variables (CGI, WSGI, Rack, PHP) cannot tell `x_subdomain` or `X.Subdomain` from `x-subdomain`, so
//! names are compared with every character but letters and digits as one. Fields that concern one connection only end
//! here (RFC 9110, section 7.6.1), and naming one of ours in `Connection` takes nothing away, since ours are set last.
//! What a client says of its own address is dropped, unless it comes from a proxy that the operator trusts.

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::body::SizeHint;

/// The tenant's name.
pub(super) const SUBDOMAIN: HeaderName = HeaderName::from_static("x-subdomain");
/// The tenant's identity.
pub(super) const TENANT: HeaderName = HeaderName::from_static("x-holm-tenant");
/// The environment's name.
pub(super) const ENVIRONMENT: HeaderName = HeaderName::from_static("x-holm-environment");
/// Our word for the three.
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("x-holm-signature");

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Of one connection only, whether or not `Connection` names them (RFC 9110, section 7.6.1; the proxy's own two from
/// RFC 9110, section 11.7). Framing is set afresh from the body.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    CONTENT_LENGTH,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Where a client may claim to be somebody else or somewhere else. `proxy` becomes `HTTP_PROXY` in CGI (httpoxy).
const CLAIMS: [&str; 5] = ["x-real-ip", "x-original-host", "x-host", "x-http-host-override", "proxy"];

/// What is known of the client's side of the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// Its address.
    pub(super) address: IpAddr,
    /// Whether it is a proxy whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub(super) trusted: bool,
}

/// Whether a client's field must not reach the app because only we may say it.
pub(super) fn is_ours(name: &str) -> bool {
    folds_to(name, SUBDOMAIN.as_str()) || folds_to(name, "x-holm") || folds_from(name, "x-holm-")
}

/// Whether an app's field must not reach the client because only we may say it.
pub(super) fn is_ours_in_response(name: &str) -> bool {
    folds_from(name, "x-holm-")
}

fn folded(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|b| if b.is_ascii_alphanumeric() { b.to_ascii_lowercase() } else { b'-' })
}

fn folds_to(name: &str, whole: &str) -> bool {
    name.len() == whole.len() && folds_from(name, whole)
}

fn folds_from(name: &str, start: &str) -> bool {
    name.len() >= start.len() && folded(name).zip(start.bytes()).all(|(a, b)| a == b)
}

fn is_claim(name: &str) -> bool {
    folds_to(name, FORWARDED.as_str()) || folds_from(name, "x-forwarded-") || CLAIMS.iter().any(|claim| folds_to(name, claim))
}

/// Whether the request asks for a WebSocket. No other protocol is let through: over `h2c` a client could speak to the
/// app past this file.
pub(super) fn wants_websocket(headers: &HeaderMap) -> bool {
    let named = tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    let mut protocols = tokens(headers, &UPGRADE);
    named && protocols.next().is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) && protocols.next().is_none()
}

/// Marks a head, from which the hop-by-hop fields were taken, as one that changes the protocol.
pub(super) fn set_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Takes out of a request what ends here or is not a client's to say; returns how many fields only we may set.
pub(super) fn clean_request(headers: &mut HeaderMap, peer: Peer, host: &HeaderValue) -> usize {
    let takes_trailers = tokens(headers, &TE).any(|token| token.eq_ignore_ascii_case("trailers"));
    let forged = remove(headers, is_ours);
    let known = if peer.trusted { Known::of(headers) } else { Known::default() };
    remove_hop_by_hop(headers);
    remove(headers, is_claim);
    // This side has been told to continue by us: the body is asked for when the app is ready for it.
    headers.remove(EXPECT);
    keep_trailer_names(headers, is_ours);
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("TE"));
    }
    known.set(headers, peer, host);
    // `Connection: host` must not take the Host away.
    headers.insert(HOST, host.clone());
    forged
}

/// Takes out of a response what ends here or is not the app's to say.
pub(super) fn clean_response(headers: &mut HeaderMap, body: &SizeHint) {
    // The length of a body that is not sent (HEAD, 304) is information; beside a chunked body it is a contradiction.
    let length = headers.get(CONTENT_LENGTH).filter(|_| body.exact().is_some()).cloned();
    remove(headers, is_ours_in_response);
    remove_hop_by_hop(headers);
    keep_trailer_names(headers, is_ours_in_response);
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, length);
    }
}

/// Takes fields that only the other side may set out of trailers.
pub(super) fn clean_trailers(trailers: &mut HeaderMap, ours: fn(&str) -> bool) {
    remove(trailers, ours);
}

/// Says how long the body is, so that a body of any method arrives as one.
pub(super) fn set_framing(headers: &mut HeaderMap, body: &SizeHint, sent_length: bool) {
    match body.exact() {
        Some(0) if !sent_length => {}
        Some(length) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
}

/// What a trusted proxy says of the client behind it.
#[derive(Default)]
struct Known {
    addresses: Vec<HeaderValue>,
    protocol: Option<HeaderValue>,
}

impl Known {
    fn of(headers: &HeaderMap) -> Self {
        let addresses = headers.get_all(FORWARDED_FOR).iter().filter(|value| value.to_str().is_ok()).cloned().collect();
        let protocol = headers.get(FORWARDED_PROTO).filter(|value| matches!(value.as_bytes(), b"http" | b"https")).cloned();
        Self { addresses, protocol }
    }

    fn set(self, headers: &mut HeaderMap, peer: Peer, host: &HeaderValue) {
        let own = peer.address.to_canonical().to_string();
        let chain: Vec<&str> = self.addresses.iter().filter_map(|value| value.to_str().ok()).chain([own.as_str()]).collect();
        let chain = HeaderValue::try_from(chain.join(", ")).expect("joined from values that were header values");
        headers.insert(FORWARDED_FOR, chain);
        headers.insert(FORWARDED_PROTO, self.protocol.unwrap_or(HeaderValue::from_static("http")));
        headers.insert(FORWARDED_HOST, host.clone());
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION).filter_map(|token| token.parse().ok()).collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Trailers that are taken out are not announced either.
fn keep_trailer_names(headers: &mut HeaderMap, ours: fn(&str) -> bool) {
    if tokens(headers, &TRAILER).any(ours) {
        let names: Vec<&str> = tokens(headers, &TRAILER).filter(|name| !ours(name)).collect();
        let kept = HeaderValue::try_from(names.join(", ")).expect("joined from parts of header values");
        headers.remove(TRAILER);
        if !kept.is_empty() {
            headers.insert(TRAILER, kept);
        }
    }
}

fn remove(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) -> usize {
    let names: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name.as_str())).cloned().collect();
    for name in &names {
        headers.remove(name);
    }
    names.len()
}

/// The members of a comma-separated list over all its lines; a line that is not ASCII has none.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r76_a_name_is_ours_however_it_is_spelled() {
        for ours in [
            "x-subdomain",
            "X-SUBDOMAIN",
            "x_subdomain",
            "x.subdomain",
            "x-holm-tenant",
            "X_Holm_Tenant",
            "x!holm~anything",
            "x-holm",
            "x-holm-",
        ] {
            assert!(is_ours(ours), "{ours}");
        }
        for theirs in ["x-subdomains", "subdomain", "xsubdomain", "x-holmes", "x-holmium-level", "holm-tenant", "x-sub-domain"] {
            assert!(!is_ours(theirs), "{theirs}");
        }
    }

    #[test]
    fn only_a_websocket_changes_the_protocol() {
        let asks = |connection: &'static str, upgrade: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONNECTION, HeaderValue::from_static(connection));
            headers.insert(UPGRADE, HeaderValue::from_static(upgrade));
            wants_websocket(&headers)
        };
        assert!(asks("keep-alive, Upgrade", "WebSocket"));
        assert!(!asks("keep-alive", "websocket"));
        assert!(!asks("Upgrade", "h2c"));
        assert!(!asks("Upgrade, HTTP2-Settings", "websocket, h2c"));
    }

    #[test]
    fn a_trusted_proxy_adds_to_the_chain_and_a_stranger_starts_it() {
        let check = |trusted| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_FOR, HeaderValue::from_static("203.0.113.9"));
            headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
            headers.insert("x_forwarded_host", HeaderValue::from_static("evil.example"));
            let peer = Peer { address: "::ffff:192.0.2.1".parse().unwrap(), trusted };
            clean_request(&mut headers, peer, &HeaderValue::from_static("a.example"));
            let mut lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
            lines.sort();
            lines
        };
        assert_eq!(
            check(false),
            ["host: a.example", "x-forwarded-for: 192.0.2.1", "x-forwarded-host: a.example", "x-forwarded-proto: http"]
        );
        assert_eq!(
            check(true),
            ["host: a.example", "x-forwarded-for: 203.0.113.9, 192.0.2.1", "x-forwarded-host: a.example", "x-forwarded-proto: https"]
        );
    }
}
