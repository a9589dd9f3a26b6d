//! Wrong tokens: an address from which many come is held up, so that tokens cannot be tried fast.
//!
//! Promises: a token that was good a moment ago goes on being served from a held-up address, so that one script with a wrong
//! token does not lock out everybody behind the same address. Tokens are remembered by a keyed hash that lives as long as
//! the process.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use crate::rate::{self, Limiter, Rate};
use crate::serve::Peer;
use crate::{Api, auth};

/// A good token is remembered for this long after it was used.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Tokens are issued by hand; this only bounds what a fault could make of that.
const GOOD_MAX: usize = 10_000;

/// Who guessed wrongly, and which tokens are no guesses.
#[derive(Debug)]
pub(crate) struct Guesses {
    wrong: Limiter<IpAddr>,
    /// Until when each is remembered.
    good: Mutex<HashMap<u64, Instant>>,
    hash: RandomState,
}

impl Guesses {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { wrong: Limiter::new(rate), good: Mutex::default(), hash: RandomState::new() }
    }

    fn is_good(&self, token: u64) -> bool {
        self.good.lock().unwrap_or_else(PoisonError::into_inner).get(&token).is_some_and(|until| *until > Instant::now())
    }

    fn remember(&self, token: u64) {
        let (now, mut good) = (Instant::now(), self.good.lock().unwrap_or_else(PoisonError::into_inner));
        if good.len() >= GOOD_MAX {
            good.retain(|_, until| *until > now);
        }
        if good.len() < GOOD_MAX {
            good.insert(token, now + REMEMBERED);
        }
    }
}

/// Passes a request on unless its address guessed too often.
pub(crate) async fn hold(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Some(Peer(address)) = request.extensions().get().copied() else { return next.run(request).await };
    let (guesses, network) = (&api.guesses, network(address));
    let token = auth::bearer(&request).map(|token| guesses.hash.hash_one(token));
    let known = token.is_some_and(|token| guesses.is_good(token));
    if !known && let Some(wait) = guesses.wrong.look(&network, Instant::now()).wait {
        return rate::refused(wait, "too many requests without a good token came from this address");
    }
    let response = next.run(request).await;
    match (response.status(), token) {
        (StatusCode::UNAUTHORIZED, _) => {
            let _ = guesses.wrong.count(network, Instant::now());
        }
        // Nothing is learnt of a token that could not be looked at.
        (status, Some(token)) if !status.is_server_error() => guesses.remember(token),
        _ => {}
    }
    response
}

/// Whoever has one IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_network_are_one() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8::1:2:3:4"), "2001:db8::");
        assert_eq!(network("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(network("10.0.0.1"), "10.0.0.1");
    }
}
