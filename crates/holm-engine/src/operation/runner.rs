//! Looks for operations that are due, claims as many as there is room for, and gives leases up when the process stops.
//!
//! Promises: what is due is taken up at once when it is heard of, and soon when it is not; nothing is claimed that there is
//! no room for; a runner that is told to stop gives its leases up, so that another process goes on at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holm_core::id::OperationId;
use holm_store::error::StoreError;
use holm_store::operation::claim;
use holm_store::operation::claim::{Claimed, Known};
use holm_store::operation::journal::{self, Journal};
use tokio::sync::{Notify, Semaphore};
use tokio::time::sleep;

use super::lease::{self, Leases};
use super::registry;
use super::running::drive;
use crate::control::Control;
use crate::pulse::{self, UNHEARD};

/// Operations at the same time in one process, at the most; each may want two connections to the catalog at once, and a pool
/// that is smaller allows fewer.
const RUNNING_MAX: usize = 16;

/// When something is due and cannot be had: another process, or a limit, is in the way.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Times that are nearer than this are waited for together.
const SOON: Duration = Duration::from_millis(5);

/// Runs operations for as long as the process lives.
pub(crate) async fn run(control: Control) {
    let (leases, slots, freed) = (
        Leases::default(),
        Arc::new(Semaphore::new((control.catalog().connections_max() / 2).clamp(1, RUNNING_MAX))),
        Arc::new(Notify::new()),
    );
    control.tasks().spawn("leases", leases.clone().run(control.clone()));
    let mut taker = Taker { known: registry::known(), leases, slots, freed, behind: false };
    let (mut due, mut looks) = (control.due(), control.looks());
    loop {
        due.borrow_and_update();
        let wait = match taker.look(&control).await {
            Ok(Some(wait)) => wait,
            Ok(None) => continue,
            Err(error) => {
                tracing::debug!(%error, "the catalog cannot be asked for operations");
                lease::sign_every(&control)
            }
        };
        tokio::select! {
            // All are safe to drop: a sleep, two watches, a notification whose permit stays.
            () = sleep(wait) => {}
            _ = due.changed() => {}
            () = pulse::found(&mut looks, |found| found.operations == Some(Duration::ZERO)) => {}
            () = taker.freed.notified() => {}
        }
    }
}

/// Gives up what this process holds.
pub(crate) async fn leave(control: &Control) {
    if let Err(error) = claim::leave(control.catalog(), control.runner()).await {
        tracing::debug!(%error, "leases could not be given up; they end by themselves");
    }
}

/// What takes operations in hand.
struct Taker {
    known: Vec<Known>,
    leases: Leases,
    slots: Arc<Semaphore>,
    freed: Arc<Notify>,
    /// Something was due, and there was no room for it: when there is, it need not be asked for first.
    behind: bool,
}

impl Taker {
    /// Takes what is due and can be had. Returns for how long there is nothing to look for; `None` is not at all.
    async fn look(&mut self, control: &Control) -> Result<Option<Duration>, StoreError> {
        if self.slots.available_permits() == 0 {
            // Whatever is put down gives word.
            self.behind = true;
            return Ok(Some(UNHEARD));
        }
        if !self.behind {
            let due = claim::due_in(control.catalog(), &self.known).await?;
            if due != Some(Duration::ZERO) {
                return Ok(Some(due.map_or(UNHEARD, |due| due.clamp(SOON, UNHEARD))));
            }
        }
        let Claimed { more, due_in, .. } = self.take(control).await?;
        self.behind = due_in == Some(Duration::ZERO);
        Ok(match due_in {
            _ if more => None,
            Some(Duration::ZERO) => Some(LOOK_AGAIN),
            due => Some(due.map_or(UNHEARD, |due| due.clamp(SOON, UNHEARD))),
        })
    }

    async fn take(&self, control: &Control) -> Result<Claimed, StoreError> {
        let since = Instant::now();
        let room = u32::try_from(self.slots.available_permits()).expect("a handful");
        let mut claimed = claim::claim(control.catalog(), control.runner(), control.lease(), &self.known, room).await?;
        let heard = Instant::now();
        // The leases first: while journals are read, they are renewed already.
        let operations = std::mem::take(&mut claimed.operations).into_iter();
        let leased: Vec<_> = operations.map(|operation| (self.leases.keep(operation.id, operation.epoch, since), operation)).collect();
        let ids: Vec<OperationId> = leased.iter().map(|(_, operation)| operation.id).collect();
        if let Some(probe) = control.probe().filter(|_| !ids.is_empty()) {
            probe.claimed(&ids);
        }
        let mut journals = if ids.is_empty() { HashMap::new() } else { journal::of(control.catalog(), &ids).await? };
        for (lease, operation) in leased {
            // What was claimed may be of the past: people add to journals whenever they like.
            let gone = Journal { rows: Vec::new(), last_seq: operation.last_seq, head: operation.head };
            let own = journals.remove(&operation.id).unwrap_or(gone);
            let slot = Arc::clone(&self.slots).try_acquire_owned().expect("no more are claimed than there is room for");
            let (control, freed) = (control.clone(), Arc::clone(&self.freed));
            let leases = self.leases.clone();
            control.clone().tasks().spawn("operation", async move {
                drive(control, operation, own, leases, lease, heard).await;
                drop(slot);
                freed.notify_one();
            });
        }
        Ok(claimed)
    }
}
