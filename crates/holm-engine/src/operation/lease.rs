//! Keeping leases: one statement for all that a process holds, three times in the time of a lease.
//!
//! Promises: an operation whose lease was lost, or could not be renewed in time by this process' own steady clock, is
//! stopped here before another process may take it up, unless this process stood still, or is in the catalog and nowhere else;
//! then the fences of the catalog and of the clusters hold it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holm_core::id::OperationId;
use holm_store::operation::claim;
use tokio::sync::watch;
use tokio::time::{interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::control::Control;

/// From the last sign of life to the takeover by another process: with the look for due work every 2 s, at most 8 s.
pub(crate) const LEASE: Duration = Duration::from_secs(6);

/// Leases are renewed, and work that others left is looked for, so often in the time of a lease.
const SIGNS_OF_LIFE: u32 = 3;

/// What a runner does without a renewed lease is over by this part of a lease before the lease is.
const MARGIN: u32 = 12;

/// How often a sign of life is given, and looked for.
pub(crate) fn sign_every(control: &Control) -> Duration {
    control.lease() / SIGNS_OF_LIFE
}

struct Held {
    epoch: u64,
    renewed: Instant,
    lost: CancellationToken,
}

/// The leases of this process.
#[derive(Clone, Default)]
pub(crate) struct Leases(Arc<Mutex<HashMap<OperationId, Held>>>);

/// One lease, until it is dropped.
pub(crate) struct Lease {
    all: Leases,
    id: OperationId,
    epoch: u64,
    /// Cancelled when the lease is lost.
    pub(crate) lost: CancellationToken,
    /// See [`InCatalog`].
    pub(crate) in_catalog: watch::Sender<bool>,
}

/// As long as this is kept, the runner does nothing but in the catalog, where each commit asks for the epoch: what is too late
/// is refused there. So it is not cut by the clock: a step that is long would only be begun anew, and be as long. While it has
/// the operation locked, its lease cannot be renewed, nor claimed by anybody; its record renews it.
pub(crate) struct InCatalog(watch::Sender<bool>);

impl InCatalog {
    pub(crate) fn new(in_catalog: &watch::Sender<bool>) -> Self {
        in_catalog.send_replace(true);
        Self(in_catalog.clone())
    }
}

impl Drop for InCatalog {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Leases {
    /// Keeps a lease that was claimed after `since`.
    pub(crate) fn keep(&self, id: OperationId, epoch: u64, since: Instant) -> Lease {
        let lost = CancellationToken::new();
        self.lock().insert(id, Held { epoch, renewed: since, lost: lost.clone() });
        Lease { all: self.clone(), id, epoch, lost, in_catalog: watch::Sender::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OperationId, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews for as long as the process lives.
    pub(crate) async fn run(self, control: Control) {
        let mut tick = interval(sign_every(&control));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.renew(&control).await;
        }
    }

    async fn renew(&self, control: &Control) {
        let mine: Vec<_> = self.lock().iter().map(|(id, held)| (*id, held.epoch)).collect();
        if mine.is_empty() {
            return;
        }
        let since = Instant::now();
        let asked = timeout(sign_every(control), claim::renew(control.catalog(), control.runner(), control.lease(), &mine)).await;
        // Without an answer each lease ends by itself, in time.
        let Ok(Ok(renewed)) = asked else { return };
        for (id, epoch) in mine {
            // One that is not there was put down meanwhile.
            if let Some(held) = self.lock().get_mut(&id).filter(|held| held.epoch == epoch) {
                match renewed.iter().find(|(renewed, _)| *renewed == id) {
                    Some((_, true)) => held.renewed = held.renewed.max(since),
                    // Its own step in the catalog has it, or a person who says something; the next sign of life is soon.
                    Some((_, false)) => {}
                    // Over, or somebody else's.
                    None => held.lost.cancel(),
                }
            }
        }
    }

    /// What was recorded after `since` has renewed the lease.
    pub(crate) fn renewed_by_record(&self, id: OperationId, epoch: u64, since: Instant) {
        if let Some(held) = self.lock().get_mut(&id).filter(|held| held.epoch == epoch) {
            held.renewed = held.renewed.max(since);
        }
    }

    fn renewed(&self, id: OperationId, epoch: u64) -> Option<Instant> {
        self.lock().get(&id).filter(|held| held.epoch == epoch).map(|held| held.renewed)
    }
}

impl Lease {
    /// Returns when the lease is lost, or is so near its end that nothing may be done under it any more.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn over(&self, lease: Duration) {
        while let Some(renewed) = self.all.renewed(self.id, self.epoch) {
            let end = renewed + (lease - lease / MARGIN);
            if Instant::now() >= end {
                if !*self.in_catalog.borrow() {
                    break;
                }
                let mut in_catalog = self.in_catalog.subscribe();
                tokio::select! {
                    // Both are safe to drop: a token and a watch.
                    () = self.lost.cancelled() => return,
                    _ = in_catalog.wait_for(|in_catalog| !in_catalog) => continue,
                }
            }
            tokio::select! {
                // Both are safe to drop: a token and a sleep.
                () = self.lost.cancelled() => return,
                () = sleep_until(end.into()) => {}
            }
        }
        self.lost.cancel();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        // This process may have claimed it again before it had quite put it down.
        if all.get(&self.id).is_some_and(|held| held.epoch == self.epoch) {
            all.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn putting_an_operation_down_leaves_the_lease_of_its_next_claim() {
        let (leases, id) = (Leases::default(), OperationId::from_uuid(Uuid::now_v7()));
        let former = leases.keep(id, 1, Instant::now());
        let current = leases.keep(id, 2, Instant::now());
        drop(former);
        assert!(leases.renewed(id, 2).is_some(), "it must go on being renewed");
        drop(current);
        assert!(leases.lock().is_empty());
    }

    #[tokio::test]
    async fn a_step_in_the_catalog_is_not_cut_by_the_clock_and_its_record_renews_the_lease() {
        let (leases, id, lease) = (Leases::default(), OperationId::from_uuid(Uuid::now_v7()), Duration::from_millis(60));
        let held = leases.keep(id, 1, Instant::now());
        let in_catalog = InCatalog::new(&held.in_catalog);
        assert!(timeout(lease * 3, held.over(lease)).await.is_err(), "it was cut in the catalog");
        let recorded = Instant::now();
        leases.renewed_by_record(id, 1, recorded);
        drop(in_catalog);
        held.over(lease).await;
        assert!(recorded.elapsed() >= lease - lease / MARGIN, "it was cut although its record had renewed it");
    }

    #[tokio::test]
    async fn a_lease_that_is_not_renewed_is_over_before_its_end_although_nobody_says_so() {
        let (leases, id, lease) = (Leases::default(), OperationId::from_uuid(Uuid::now_v7()), Duration::from_millis(120));
        let begun = Instant::now();
        let held = leases.keep(id, 1, begun);
        held.over(lease).await;
        assert!(held.lost.is_cancelled());
        assert!(begun.elapsed() >= lease - lease / MARGIN);
    }
}
