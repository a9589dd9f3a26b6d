//! Which mechanism a client logs in by, out of those that a server offers.
//!
//! Promises: what can be bound is bound; a client that could bind and is not offered it says so under its proof, so that a server
//! that did offer it refuses (RFC 5802, section 6). Where a login must be bound there is none without.

use super::client::Opening;
use super::end_point::EndPoint;
use super::{MECHANISM, MECHANISM_PLUS};

/// What a login can be bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// Nothing, since nothing is encrypted.
    Clear,
    /// Nothing, since there is no hash for the certificate that was shown.
    Unhashed,
    /// That end of TLS.
    EndPoint(EndPoint),
}

/// Whether a login that is not bound is better than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// It is.
    WherePossible,
    /// It is not.
    Always,
}

/// How a login begins.
pub struct Chosen {
    /// The name to answer with.
    pub mechanism: &'static str,
    /// The exchange.
    pub opening: Opening,
    /// client-first-message.
    pub first: String,
}

/// Why it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoChoice {
    /// No mechanism that stored keys answer to.
    #[error("the server does not ask for SCRAM-SHA-256")]
    NotScram,
    /// It must be bound, and cannot be.
    #[error("the server offers no channel binding, or none with its certificate")]
    NotBound,
}

/// Chooses out of the mechanisms that a server offers, with a nonce of [`super::nonce`].
///
/// # Errors
/// [`NoChoice`].
pub fn choose(offered: &[&[u8]], channel: &Channel, binding: Binding, nonce: String) -> Result<Chosen, NoChoice> {
    let offers = |mechanism: &str| offered.contains(&mechanism.as_bytes());
    let (mechanism, (opening, first)) = match (channel, binding) {
        (Channel::EndPoint(end_point), _) if offers(MECHANISM_PLUS) => (MECHANISM_PLUS, Opening::bound(nonce, end_point)),
        (_, Binding::Always) if offers(MECHANISM) || offers(MECHANISM_PLUS) => return Err(NoChoice::NotBound),
        (Channel::EndPoint(_), _) if offers(MECHANISM) => (MECHANISM, Opening::unoffered(nonce)),
        (Channel::Clear | Channel::Unhashed, _) if offers(MECHANISM) => (MECHANISM, Opening::new(nonce)),
        _ => return Err(NoChoice::NotScram),
    };
    Ok(Chosen { mechanism, opening, first })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn what_can_be_bound_is_and_what_must_be_is_never_left_unbound() {
        use Binding::{Always, WherePossible};
        let certificate =
            CertificateParams::new(vec!["db.example".to_owned()]).unwrap().self_signed(&KeyPair::generate().unwrap()).unwrap();
        let end = Channel::EndPoint(EndPoint::of_certificate(certificate.der()).unwrap());
        let (both, plain, plus, other) = ([MECHANISM_PLUS, MECHANISM], [MECHANISM], [MECHANISM_PLUS], ["SCRAM-SHA-512"]);
        let bound = Ok((MECHANISM_PLUS, "p=tls-server-end-point,,n=,r=abc"));
        let (stripped, clear) = (Ok((MECHANISM, "y,,n=,r=abc")), Ok((MECHANISM, "n,,n=,r=abc")));
        let (not_scram, not_bound) = (Err(NoChoice::NotScram), Err(NoChoice::NotBound));
        type Case<'a> = (&'a [&'a str], &'a Channel, Binding, Result<(&'a str, &'a str), NoChoice>);
        let cases: [Case<'_>; 17] = [
            (&both, &end, WherePossible, bound),
            (&both, &end, Always, bound),
            (&plus, &end, WherePossible, bound),
            (&plain, &end, WherePossible, stripped),
            (&plain, &end, Always, not_bound),
            (&both, &Channel::Unhashed, WherePossible, clear),
            (&both, &Channel::Unhashed, Always, not_bound),
            (&plus, &Channel::Unhashed, WherePossible, not_scram),
            (&plain, &Channel::Clear, WherePossible, clear),
            (&both, &Channel::Clear, WherePossible, clear),
            (&plus, &Channel::Clear, WherePossible, not_scram),
            (&plain, &Channel::Clear, Always, not_bound),
            (&other, &end, WherePossible, not_scram),
            (&other, &end, Always, not_scram),
            (&other, &Channel::Clear, WherePossible, not_scram),
            (&[], &end, Always, not_scram),
            (&[], &end, WherePossible, not_scram),
        ];
        for (offered, channel, binding, expected) in cases {
            let names: Vec<&[u8]> = offered.iter().map(|name| name.as_bytes()).collect();
            let chosen = choose(&names, channel, binding, "abc".to_owned());
            let found = chosen.as_ref().map(|chosen| (chosen.mechanism, chosen.first.as_str())).map_err(|why| *why);
            assert_eq!(found, expected, "{offered:?} {binding:?}");
        }
    }
}
