//! What one pool has done, for who looks on.
//!
//! Promises: counting is two plain stores to a line that no other core writes: only the pool's own worker counts. Lasts as long
//! as the pool: a tenant that nobody has used for long begins anew.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Tally {
    lendings: AtomicU64,
    transactions: AtomicU64,
    transactions_us: AtomicU64,
    waits_us: AtomicU64,
}

/// What was counted.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(in crate::postgres) struct Tallied {
    /// How often a client was given a server connection.
    pub(in crate::postgres) lendings: u64,
    /// How many of these were one transaction, from beginning to end.
    pub(in crate::postgres) transactions: u64,
    /// From the first message until nothing was owed, waits included.
    pub(in crate::postgres) transactions_us: u64,
    pub(in crate::postgres) waits_us: u64,
}

impl std::ops::AddAssign for Tallied {
    fn add_assign(&mut self, other: Self) {
        self.lendings += other.lendings;
        self.transactions += other.transactions;
        self.transactions_us += other.transactions_us;
        self.waits_us += other.waits_us;
    }
}

impl Tally {
    pub(super) fn lent(&self) {
        add(&self.lendings, 1);
    }

    pub(super) fn transaction(&self, took: Duration) {
        add(&self.transactions, 1);
        add(&self.transactions_us, us(took));
    }

    pub(super) fn waited(&self, took: Duration) {
        add(&self.waits_us, us(took));
    }

    pub(super) fn read(&self) -> Tallied {
        let [lendings, transactions, transactions_us, waits_us] =
            [&self.lendings, &self.transactions, &self.transactions_us, &self.waits_us].map(|count| count.load(Ordering::Relaxed));
        Tallied { lendings, transactions, transactions_us, waits_us }
    }
}

/// One writer: no other addition can be lost.
fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

fn us(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
