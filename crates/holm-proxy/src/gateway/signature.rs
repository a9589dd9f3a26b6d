//! The signature over the tenant headers, by which an app tells the gateway's word from a browser's (R76).
//!
//! The header is `x-holm-signature: t=<unix seconds>,v1=<64 lower-case hex digits>`. `v1` is HMAC-SHA-256 under the
//! environment's header key over these eight lines, joined by one line feed (0x0a) and with none after the last:
//!
//! ```text
//! v1
//! 1763710000                              t, as in the header
//! ten_0123456789abcdef0123456789abcdef    x-holm-tenant
//! goteborg                                x-subdomain
//! production                              x-holm-environment
//! GET                                     the method
//! /gigs?month=12                          the request target, byte for byte as the app receives it
//! goteborg.example.com:8080               the Host header, byte for byte as the app receives it
//! ```
//!
//! Promises: a signature is good for one tenant, environment, method, target and host, and only near its time; the
//! comparison takes the same time whatever differs. Keys of the header other than `t` and `v1` are ignored, so that a
//! later scheme can be sent beside this one. Refuses a clock: the time is an argument. Does not cover the body.

use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::hmac;
use holm_core::environment::EnvironmentName;
use holm_core::id::TenantId;
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use http::Method;

/// What a signature is about.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Whose request it is.
    pub tenant: TenantId,
    /// The tenant's name, as in `x-subdomain`.
    pub slug: &'a TenantSlug,
    /// The environment it is in.
    pub environment: &'a EnvironmentName,
    /// The request's method.
    pub method: &'a Method,
    /// The request target: path and query.
    pub target: &'a str,
    /// The Host header.
    pub host: &'a str,
}

/// Why a signature proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSignature {
    /// It is not `t=<unix seconds>,v1=<64 lower-case hex digits>`.
    #[error("the signature is not of the form `t=<unix seconds>,v1=<64 lower-case hex digits>`")]
    Malformed,
    /// It is from another time than now.
    #[error("the signature was made too long ago, or by a clock that is ahead")]
    OutOfTime,
    /// It is about another request, or made with another key.
    #[error("the signature is not the gateway's for this request")]
    Wrong,
}

/// The value of `x-holm-signature` for a request at a time in seconds since 1970.
pub fn sign(key: &Secret<[u8; 32]>, at: u64, claim: &Claim<'_>) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()), canonical(at, claim).as_bytes());
    let mut header = format!("t={at},v1=");
    for byte in tag.as_ref() {
        write!(header, "{byte:02x}").expect("writing to a String cannot fail");
    }
    header
}

/// Checks the value of `x-holm-signature`; `now` is in seconds since 1970, `skew` is how far the clocks may be apart and
/// how old a request may be (30 seconds suit most).
///
/// # Errors
/// [`InvalidSignature`]; the headers are then a stranger's and must not be used.
pub fn verify(key: &Secret<[u8; 32]>, header: &str, claim: &Claim<'_>, now: u64, skew: Duration) -> Result<(), InvalidSignature> {
    let (at, tag) = parse(header).ok_or(InvalidSignature::Malformed)?;
    if at.abs_diff(now) > skew.as_secs() {
        return Err(InvalidSignature::OutOfTime);
    }
    // A line feed inside a part would let one request's canonical string be another's.
    if claim.target.contains('\n') || claim.host.contains('\n') {
        return Err(InvalidSignature::Wrong);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
    hmac::verify(&key, canonical(at, claim).as_bytes(), &tag).map_err(|_| InvalidSignature::Wrong)
}

fn canonical(at: u64, claim: &Claim<'_>) -> String {
    let Claim { tenant, slug, environment, method, target, host } = claim;
    format!("v1\n{at}\n{tenant}\n{slug}\n{environment}\n{method}\n{target}\n{host}")
}

/// The time and the tag of a header value; neither may be there twice.
fn parse(header: &str) -> Option<(u64, [u8; 32])> {
    let (mut at, mut tag) = (None, None);
    for part in header.split(',') {
        match part.split_once('=')? {
            ("t", digits) if at.is_none() => at = Some(seconds(digits)?),
            ("v1", digits) if tag.is_none() => tag = Some(hex(digits)?),
            ("t" | "v1", _) => return None,
            _ => {}
        }
    }
    Some((at?, tag?))
}

fn seconds(digits: &str) -> Option<u64> {
    let canonical = digits == "0" || !digits.starts_with('0');
    (canonical && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn hex(digits: &str) -> Option<[u8; 32]> {
    let nibble = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_763_710_000;
    const SKEW: Duration = Duration::from_secs(30);

    struct Parts {
        tenant: TenantId,
        slug: TenantSlug,
        environment: EnvironmentName,
        method: Method,
        target: String,
        host: String,
    }

    impl Parts {
        fn goteborg() -> Self {
            Self {
                tenant: "ten_0123456789abcdef0123456789abcdef".parse().unwrap(),
                slug: "goteborg".parse().unwrap(),
                environment: "production".parse().unwrap(),
                method: Method::GET,
                target: "/gigs?month=12".to_owned(),
                host: "goteborg.example.com:8080".to_owned(),
            }
        }

        fn claim(&self) -> Claim<'_> {
            let Self { tenant, slug, environment, method, target, host } = self;
            Claim { tenant: *tenant, slug, environment, method, target, host }
        }
    }

    fn key() -> Secret<[u8; 32]> {
        Secret::new(*b"an environment's own header key.")
    }

    #[test]
    fn r76_the_scheme_is_the_documented_one() {
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, b"an environment's own header key."),
            b"v1\n1763710000\nten_0123456789abcdef0123456789abcdef\ngoteborg\nproduction\nGET\n/gigs?month=12\ngoteborg.example.com:8080",
        );
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sign(&key(), NOW, &Parts::goteborg().claim()), format!("t=1763710000,v1={hex}"));
    }

    #[test]
    fn r76_a_signature_is_good_for_one_request_only() {
        let header = sign(&key(), NOW, &Parts::goteborg().claim());
        assert_eq!(verify(&key(), &header, &Parts::goteborg().claim(), NOW, SKEW), Ok(()));
        let changes: [fn(&mut Parts); 7] = [
            |p| p.tenant = "ten_0123456789abcdef0123456789abcdee".parse().unwrap(),
            |p| p.slug = "malmo".parse().unwrap(),
            |p| p.environment = "staging".parse().unwrap(),
            |p| p.method = Method::POST,
            |p| p.target = "/gigs?month=11".to_owned(),
            |p| p.host = "goteborg.example.com".to_owned(),
            |p| p.host.push('\n'),
        ];
        for change in changes {
            let mut other = Parts::goteborg();
            change(&mut other);
            assert_eq!(verify(&key(), &header, &other.claim(), NOW, SKEW), Err(InvalidSignature::Wrong));
        }
        let other_key = Secret::new([7; 32]);
        assert_eq!(verify(&other_key, &header, &Parts::goteborg().claim(), NOW, SKEW), Err(InvalidSignature::Wrong));
    }

    #[test]
    fn r76_a_signature_is_good_near_its_time_only() {
        let parts = Parts::goteborg();
        let header = sign(&key(), NOW, &parts.claim());
        for (now, expected) in [
            (NOW - 30, Ok(())),
            (NOW + 30, Ok(())),
            (NOW - 31, Err(InvalidSignature::OutOfTime)),
            (NOW + 31, Err(InvalidSignature::OutOfTime)),
            (0, Err(InvalidSignature::OutOfTime)),
            (u64::MAX, Err(InvalidSignature::OutOfTime)),
        ] {
            assert_eq!(verify(&key(), &header, &parts.claim(), now, SKEW), expected, "{now}");
        }
    }

    #[test]
    fn what_is_not_a_signature_is_said_to_be_malformed() {
        let parts = Parts::goteborg();
        let good = sign(&key(), NOW, &parts.claim());
        assert_eq!(verify(&key(), &format!("{good},v2=later"), &parts.claim(), NOW, SKEW), Ok(()));
        let tag = &good[13..];
        for bad in [
            String::new(),
            format!("t={NOW}"),
            tag.to_owned(),
            format!("t=+{NOW},{tag}"),
            format!("t=0{NOW},{tag}"),
            format!("t=,{tag}"),
            format!("t={NOW},t={NOW},{tag}"),
            format!("t={NOW},{tag},{tag}"),
            format!("t={NOW}, {}", tag.replace("v1", "v0")),
            format!("t={NOW},{}", tag.to_ascii_uppercase().replace("V1", "v1")),
            format!("t={NOW},{tag}0"),
            format!("{good},"),
        ] {
            assert_eq!(verify(&key(), &bad, &parts.claim(), NOW, SKEW), Err(InvalidSignature::Malformed), "{bad}");
        }
    }
}
