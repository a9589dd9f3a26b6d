//! The control plane's time, as a node knows it.
//!
//! Promises: it is what was told last, and what a clock that nobody can set has counted since; so a wall clock that is moved, on
//! whichever side of the link, ends no certificate and prolongs none. While the machine sleeps it stands still.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use jiff::Timestamp;

#[derive(Debug)]
pub(crate) struct Clock {
    begun: Instant,
    /// What it was at `begun`, in microseconds since 1970.
    then: AtomicI64,
}

impl Default for Clock {
    /// In 1970, until somebody says what time it is: nothing has expired yet, and without a table nothing is opened either.
    fn default() -> Self {
        Self { begun: Instant::now(), then: AtomicI64::new(0) }
    }
}

impl Clock {
    pub(crate) fn set(&self, now: Timestamp) {
        self.then.store(now.as_microsecond().saturating_sub(self.passed()), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Timestamp {
        let micros = self.then.load(Ordering::Relaxed).saturating_add(self.passed());
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
    }

    fn passed(&self) -> i64 {
        i64::try_from(self.begun.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_what_was_told_last_and_goes_back_when_it_is_told_to() {
        let clock = Clock::default();
        for told in [1_000_000, 2_000_000, 1_500_000] {
            let told = Timestamp::from_second(told).unwrap();
            clock.set(told);
            let now = clock.now();
            assert!(now >= told && now < told + std::time::Duration::from_secs(60), "{now}");
            assert!(clock.now() >= now);
        }
    }
}
