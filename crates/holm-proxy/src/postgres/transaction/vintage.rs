//! Which of a pool's server connections are to be replaced: those that were begun before somebody said so.
//!
//! Promises: a connection that is to be replaced serves nobody after the client that has it now; who waits for the last of them
//! to go is told when it has, openings under way included.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A pool's connections by age: those of now, and those from before.
#[derive(Debug, Default)]
pub(super) struct Vintage {
    now: AtomicU64,
    fresh: AtomicUsize,
    outdated: AtomicUsize,
    gone: Notify,
}

/// One connection's, or opening's; dropped with it.
#[derive(Debug)]
pub(in crate::postgres) struct Bottle {
    vintage: Arc<Vintage>,
    born: u64,
}

impl Vintage {
    pub(super) fn bottle(self: &Arc<Self>) -> Bottle {
        self.fresh.fetch_add(1, Ordering::Relaxed);
        Bottle { vintage: Arc::clone(self), born: self.now.load(Ordering::Relaxed) }
    }

    /// From now on all that there are belong to before. Said on the pool's own worker, where they come and go.
    pub(super) fn pass(&self) {
        self.now.fetch_add(1, Ordering::Relaxed);
        let before = self.fresh.swap(0, Ordering::Relaxed);
        self.outdated.fetch_add(before, Ordering::Relaxed);
    }

    /// Waits until none from before is left.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub(super) async fn renewed(&self) {
        loop {
            let gone = self.gone.notified();
            let mut gone = std::pin::pin!(gone);
            gone.as_mut().enable();
            if self.outdated.load(Ordering::Acquire) == 0 {
                return;
            }
            gone.await;
        }
    }
}

impl Bottle {
    /// Whether nobody is to have its connection any more.
    pub(super) fn is_outdated(&self) -> bool {
        self.born != self.vintage.now.load(Ordering::Relaxed)
    }
}

impl Drop for Bottle {
    fn drop(&mut self) {
        if self.is_outdated() {
            self.vintage.outdated.fetch_sub(1, Ordering::AcqRel);
            self.vintage.gone.notify_waiters();
        } else {
            self.vintage.fresh.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn who_waits_for_the_last_from_before_is_told_when_it_goes_and_those_of_now_do_not_count() {
        let vintage = Arc::new(Vintage::default());
        let (one, two) = (vintage.bottle(), vintage.bottle());
        vintage.renewed().now_or_never().unwrap();
        vintage.pass();
        let new = vintage.bottle();
        assert!(one.is_outdated() && two.is_outdated() && !new.is_outdated());
        drop(one);
        let mut renewed = Box::pin(vintage.renewed());
        assert!(renewed.as_mut().now_or_never().is_none());
        drop(two);
        renewed.await;
        vintage.pass();
        assert!(new.is_outdated() && vintage.renewed().now_or_never().is_none());
    }
}
