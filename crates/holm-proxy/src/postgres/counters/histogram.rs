//! How long something took, many times over, as a histogram of Prometheus has it.
//!
//! Promises: adding takes no lock and allocates nothing; a reader may see a time in the sum and not yet in a bucket, and never
//! the other way for long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Times, in buckets by upper bounds in microseconds.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds_us: &'static [u64; N],
    buckets: [AtomicU64; N],
    /// Longer than the last bound.
    over: AtomicU64,
    sum_us: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    /// Nothing yet; the bounds grow.
    pub(super) const fn new(bounds_us: &'static [u64; N]) -> Self {
        Self { bounds_us, buckets: [const { AtomicU64::new(0) }; N], over: AtomicU64::new(0), sum_us: AtomicU64::new(0) }
    }

    /// Notes one.
    pub(in crate::postgres) fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
        let bucket = self.bounds_us.iter().zip(&self.buckets).find_map(|(bound, bucket)| (us <= *bound).then_some(bucket));
        bucket.unwrap_or(&self.over).fetch_add(1, Ordering::Relaxed);
    }

    /// How many were no longer than each bound.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> {
        let counts = self.buckets.iter().scan(0, |sum, bucket| {
            *sum += bucket.load(Ordering::Relaxed);
            Some(*sum)
        });
        self.bounds_us.iter().map(|bound| Duration::from_micros(*bound)).zip(counts)
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().chain([&self.over]).map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// How long they took together.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_its_bucket_and_in_all_that_follow_and_one_beyond_all_is_counted() {
        let histogram = Histogram::new(&[10, 1000]);
        for us in [0, 10, 11, 1000, 1001] {
            histogram.add(Duration::from_micros(us));
        }
        let counts: Vec<_> = histogram.cumulative().map(|(bound, count)| (bound.as_micros(), count)).collect();
        assert_eq!(counts, [(10, 2), (1000, 4)]);
        assert_eq!((histogram.count(), histogram.sum()), (5, Duration::from_micros(2022)));
    }
}
