//! How long to wait before trying again: doubling, bounded, jittered.

use std::time::Duration;

use crate::secret::random;

/// Waits that grow with each failure in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    next: Duration,
    shortest: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) const fn new(shortest: Duration, longest: Duration) -> Self {
        Self { next: shortest, shortest, longest }
    }

    /// The wait after one more failure: between half and all of it, so that processes do not come back as one.
    pub(crate) fn failed(&mut self) -> Duration {
        let wait = self.next;
        self.next = (self.next * 2).min(self.longest);
        jittered(wait)
    }

    pub(crate) const fn succeeded(&mut self) {
        self.next = self.shortest;
    }
}

/// Between half and all of a wait.
pub(crate) fn jittered(wait: Duration) -> Duration {
    wait / 2 + wait / 2 * u32::from(u8::from_ne_bytes(random::bytes())) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let (second, longest) = (Duration::from_secs(1), Duration::from_secs(5));
        let mut backoff = Backoff::new(second, longest);
        for expected in [1, 2, 4, 5, 5] {
            let (wait, most) = (backoff.failed(), Duration::from_secs(expected));
            assert!(most / 2 <= wait && wait <= most, "{wait:?} of {most:?}");
        }
        backoff.succeeded();
        assert!(backoff.failed() <= second);
    }
}
