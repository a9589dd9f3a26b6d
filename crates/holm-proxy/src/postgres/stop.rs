//! How a session is told from another thread to end.
//!
//! Promises: asking never blocks and is never lost; a stronger reason replaces a weaker one.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// Why a session ends from outside; the order is the strength.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Reason {
    /// The node shuts down; a session that is in a transaction may finish it.
    Draining,
    /// The node shuts down and its patience is over.
    ShuttingDown,
    /// A login that took too long gave way to a newer one.
    Evicted,
    /// An operator ended it, in the console.
    Killed,
    /// The tenant was suspended.
    Suspended,
    /// The tenant was deleted.
    Deleted,
    /// The tenant's database has another place.
    Moved,
    /// The tenant may only be read where it is, or may be written again.
    Placed,
    /// The tenant may not be where it is any more.
    Withheld,
    /// The tenant has no route any more.
    Removed,
    /// The credential is not what it was at login.
    Revoked,
}

impl Reason {
    const ALL: [Self; 11] = [
        Self::Draining,
        Self::ShuttingDown,
        Self::Evicted,
        Self::Killed,
        Self::Suspended,
        Self::Deleted,
        Self::Moved,
        Self::Placed,
        Self::Withheld,
        Self::Removed,
        Self::Revoked,
    ];

    const fn strength(self) -> u8 {
        match self {
            Self::Draining => 1,
            Self::ShuttingDown => 2,
            Self::Evicted => 3,
            Self::Killed => 4,
            Self::Suspended => 5,
            Self::Deleted => 6,
            Self::Moved => 7,
            Self::Placed => 8,
            Self::Withheld => 9,
            Self::Removed => 10,
            Self::Revoked => 11,
        }
    }
}

/// One session's end, as asked for from outside.
#[derive(Debug, Default)]
pub(super) struct Stop {
    strength: AtomicU8,
    waker: AtomicWaker,
}

impl Stop {
    pub(super) fn ask(&self, reason: Reason) {
        self.strength.fetch_max(reason.strength(), Ordering::AcqRel);
        self.waker.wake();
    }

    /// What was asked so far.
    pub(super) fn asked(&self) -> Option<Reason> {
        match self.strength.load(Ordering::Acquire) {
            0 => None,
            strength => Reason::ALL.into_iter().find(|reason| reason.strength() == strength),
        }
    }

    /// Has the task woken at the next [`Self::ask`]; one task at a time.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.waker.register(cx.waker());
    }

    /// Waits until the session must end, and not only when it is convenient.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(super) async fn ended(&self) -> Reason {
        poll_fn(|cx| {
            self.register(cx);
            match self.asked() {
                None | Some(Reason::Draining) => Poll::Pending,
                Some(reason) => Poll::Ready(reason),
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stronger_reason_replaces_a_weaker_one_and_never_the_other_way() {
        let stop = Stop::default();
        assert_eq!(stop.asked(), None);
        stop.ask(Reason::Suspended);
        stop.ask(Reason::Draining);
        assert_eq!(stop.asked(), Some(Reason::Suspended));
        stop.ask(Reason::Revoked);
        assert_eq!(stop.asked(), Some(Reason::Revoked));
    }
}
