//! What is remembered of each key, and until when.
//!
//! Promises: an entry that is over is as good as none; there are never more than `room` of them; the cost of a call does not
//! grow with time. When there is no room, the entry that would have been over first is forgotten.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Ledger {
    room: usize,
    until: HashMap<u64, Instant>,
    order: BTreeSet<(Instant, u64)>,
}

impl Ledger {
    pub(super) fn new(room: usize) -> Self {
        Self { room, until: HashMap::new(), order: BTreeSet::new() }
    }

    /// When the entry of a key is over, if that is still to come.
    pub(super) fn until(&self, key: u64, now: Instant) -> Option<Instant> {
        self.until.get(&key).copied().filter(|until| *until > now)
    }

    pub(super) fn set(&mut self, key: u64, until: Instant, now: Instant) {
        self.clear(key);
        // Each entry is put in once and taken out once, so that this is no more than constant over many calls.
        while let Some(&(over, key)) = self.order.first()
            && (over <= now || self.order.len() >= self.room)
        {
            self.clear(key);
        }
        self.until.insert(key, until);
        self.order.insert((until, key));
    }

    pub(super) fn clear(&mut self, key: u64) {
        if let Some(until) = self.until.remove(&key) {
            self.order.remove(&(until, key));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.until.len(), self.order.len(), "both tell of the same entries");
        self.order.len()
    }
}
