//! Slows down who fails to log in: by address, by name, and by the two together.
//!
//! Promises: a name that exists and one that does not are counted alike, so that being slowed down tells nothing. A success
//! forgives what the name failed from that address, and for an hour nobody else's failures keep the name out from there:
//! neither an attacker behind the same NAT nor one with a thousand addresses. What is refused is not counted again, so that
//! a client with a stale password, however stubborn, keeps no other name out. Memory is bounded; when it is full, what was
//! nearest to its end is forgotten. Refuses to forgive an address for a success: an attacker with a credential of their own
//! would log in between guesses. What it does tell: whoever shares an address with an app can find out by its larger allowance
//! that the name is in use there.
//!
//! Who is slowed down is refused at once and not kept waiting: a wait would hold a place among the logins under way, which
//! is what an attacker is after. Time is an argument; the outermost type only adds the lock and the keys.

mod ledger;
mod limits;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::limits::Limits;
use super::peer_network::network;

/// What was used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// What one name may fail from one address.
    NameFromAddress,
    /// What all names together may fail from one address.
    Address,
    /// What one name may fail from all addresses together.
    Name,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::NameFromAddress, Self::Address, Self::Name];

    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NameFromAddress => "name_from_address",
            Self::Address => "address",
            Self::Name => "name",
        }
    }
}

/// A login that must wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Throttled {
    pub(super) rule: Rule,
    /// After so long one login is let through, if nobody failed meanwhile.
    pub(super) retry_after: Duration,
}

/// Who tries to log in. Names are a stranger's, as long as they like: only hashes are kept, under a key of this process, so
/// that nobody can look for two that collide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Claim {
    name_from_address: u64,
    address: u64,
    name: u64,
}

/// What was failed of late on this node.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    keys: RandomState,
    limits: Mutex<Limits>,
}

impl Throttle {
    /// The claim of an address to a name.
    pub(super) fn claim(&self, address: IpAddr, name: &str) -> Claim {
        let network = network(address);
        Claim {
            name_from_address: self.keys.hash_one((network, name)),
            address: self.keys.hash_one(network),
            name: self.keys.hash_one(name),
        }
    }

    /// Whether a login may go on. Asked twice, before it costs anything and again before its proof is looked at: a thousand
    /// logins that began at once get no more guesses than one after the other.
    pub(super) fn check(&self, claim: Claim, now: Instant) -> Result<(), Throttled> {
        self.limits().check(claim, now)
    }

    /// Counts a proof that did not hold.
    pub(super) fn failed(&self, claim: Claim, now: Instant) {
        self.limits().failed(claim, now);
    }

    /// Forgives the name at this address.
    pub(super) fn succeeded(&self, claim: Claim, now: Instant) {
        self.limits().succeeded(claim, now);
    }

    fn limits(&self) -> std::sync::MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
