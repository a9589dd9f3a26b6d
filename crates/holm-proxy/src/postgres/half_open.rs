//! Connections that have proven nothing yet: bounded apart from sessions, so that neither can starve the other.
//!
//! Promises: when there is no room, the oldest gives way. A login that goes on takes milliseconds, one that is held open
//! on purpose is soon the oldest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::stop::{Reason, Stop};

/// A small node still has room for a burst of logins.
const ROOM_MIN: usize = 16;

#[derive(Debug)]
pub(super) struct HalfOpen {
    room: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    places: BTreeMap<u64, Arc<Stop>>,
}

/// One connection's place; dropped when it is authenticated or gone.
pub(super) struct Place<'a> {
    half_open: &'a HalfOpen,
    number: u64,
    pub(super) stop: Arc<Stop>,
}

impl HalfOpen {
    pub(super) fn new(clients_max: usize) -> Self {
        Self { room: (clients_max / 4).max(ROOM_MIN), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self) -> Place<'_> {
        let stop = Arc::new(Stop::default());
        let mut open = self.open();
        let number = open.next;
        open.next += 1;
        open.places.insert(number, Arc::clone(&stop));
        let oldest = if open.places.len() > self.room { open.places.pop_first() } else { None };
        drop(open);
        if let Some((_, oldest)) = oldest {
            oldest.ask(Reason::Evicted);
        }
        Place { half_open: self, number, stop }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.open().places.len()
    }

    /// Ends every login that has not proven anything yet.
    pub(super) fn ask_all(&self, reason: Reason) {
        self.open().places.values().for_each(|stop| stop.ask(reason));
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.half_open.open().places.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way_and_only_when_there_is_no_room() {
        let half_open = HalfOpen::new(0);
        let mut places: Vec<_> = (0..ROOM_MIN).map(|_| half_open.enter()).collect();
        assert!(places.iter().all(|place| place.stop.asked().is_none()));
        places.push(half_open.enter());
        let evicted: Vec<_> = places.iter().map(|place| place.stop.asked()).collect();
        assert_eq!(evicted[0], Some(Reason::Evicted));
        assert!(evicted[1..].iter().all(Option::is_none));
        places.remove(1);
        places.push(half_open.enter());
        assert_eq!(places[1].stop.asked(), None);
    }
}
