//! How much may fail, and what that comes to for a login: no lock, no clock.
//!
//! Each failure adds a price in time to a debt that melts as time goes by, and whoever's debt leaves no room for another
//! failure waits until it does. With a price of 5 s and a limit of 50 s ten failures are free, and then there is one every 5 s.

use std::time::{Duration, Instant};

use super::ledger::Ledger;
use super::{Claim, Rule, Throttled};

/// What a failure costs, and how much debt there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Price {
    pub(super) price: Duration,
    pub(super) debt_max: Duration,
}

const fn price(price_ms: u64, free: u64) -> Price {
    Price { price: Duration::from_millis(price_ms), debt_max: Duration::from_millis(price_ms * free) }
}

/// A name from an address that it has not come from of late: a person who mistypes, an app with a stale password.
pub(super) const STRANGER: Price = price(5_000, 10);
/// A name from an address where it has logged in: somebody else behind the same NAT may be guessing.
pub(super) const FAMILIAR: Price = price(1_000, 50);
/// All names from one address: many apps behind a NAT may be given stale passwords at once, each counting as a stranger.
pub(super) const ADDRESS: Price = price(1_000, 50);
/// One name from all addresses: only a crowd of them gets here, so that a single attacker keeps no newcomer out.
pub(super) const NAME: Price = price(500, 200);

/// How long a success counts: longer than pools keep their connections, so that an app in use stays familiar.
pub(super) const FAMILIAR_FOR: Duration = Duration::from_secs(60 * 60);

/// Some 100 bytes each. Filling the addresses takes a /50 of IPv6, or as many machines, failing without pause.
pub(super) const CLAIMS_MAX: usize = 16_384;
pub(super) const ADDRESSES_MAX: usize = 8_192;
pub(super) const NAMES_MAX: usize = 8_192;
pub(super) const FAMILIAR_MAX: usize = 16_384;

/// The debts of claims, addresses and names, and who is familiar.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) claims: Ledger,
    pub(super) addresses: Ledger,
    pub(super) names: Ledger,
    pub(super) familiar: Ledger,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            claims: Ledger::new(CLAIMS_MAX),
            addresses: Ledger::new(ADDRESSES_MAX),
            names: Ledger::new(NAMES_MAX),
            familiar: Ledger::new(FAMILIAR_MAX),
        }
    }
}

impl Limits {
    pub(super) fn check(&self, claim: Claim, now: Instant) -> Result<(), Throttled> {
        let own = (Rule::NameFromAddress, self.claims.wait(claim.name_from_address, self.price_of(claim, now), now));
        let address = (Rule::Address, self.addresses.wait(claim.address, ADDRESS, now));
        let name = (Rule::Name, self.names.wait(claim.name, NAME, now));
        let rules = [own, address, name];
        let asked = if self.is_familiar(claim, now) { &rules[..1] } else { &rules[..] };
        let waits = asked.iter().filter_map(|&(rule, wait)| Some(Throttled { rule, retry_after: wait? }));
        // All of them must have melted.
        waits.max_by_key(|throttled| throttled.retry_after).map_or(Ok(()), Err)
    }

    pub(super) fn failed(&mut self, claim: Claim, now: Instant) {
        let own = self.price_of(claim, now);
        self.claims.charge(claim.name_from_address, own, now);
        self.addresses.charge(claim.address, ADDRESS, now);
        self.names.charge(claim.name, NAME, now);
    }

    pub(super) fn succeeded(&mut self, claim: Claim, now: Instant) {
        self.claims.clear(claim.name_from_address);
        // Renewed when half of it is over: logins of an app come by the hundred.
        let renewed = now + FAMILIAR_FOR;
        let is_fresh = |until: Instant| until > now + FAMILIAR_FOR / 2;
        if !self.familiar.until(claim.name_from_address, now).is_some_and(is_fresh) {
            self.familiar.set(claim.name_from_address, renewed, now);
        }
    }

    fn is_familiar(&self, claim: Claim, now: Instant) -> bool {
        self.familiar.until(claim.name_from_address, now).is_some()
    }

    fn price_of(&self, claim: Claim, now: Instant) -> Price {
        if self.is_familiar(claim, now) { FAMILIAR } else { STRANGER }
    }
}

impl Ledger {
    fn debt(&self, key: u64, now: Instant) -> Duration {
        self.until(key, now).map_or(Duration::ZERO, |until| until - now)
    }

    /// How long until there is room for another failure; `None` when there is.
    fn wait(&self, key: u64, Price { price, debt_max }: Price, now: Instant) -> Option<Duration> {
        let over = (self.debt(key, now) + price).checked_sub(debt_max)?;
        (!over.is_zero()).then_some(over)
    }

    /// Adds a failure. A login that was let in a moment before the debt was full still fails; the debt is no more for it.
    fn charge(&mut self, key: u64, Price { price, debt_max }: Price, now: Instant) {
        let debt = (self.debt(key, now) + price).min(debt_max);
        self.set(key, now + debt, now);
    }
}
