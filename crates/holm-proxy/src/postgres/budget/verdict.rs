//! What becomes of a connection that somebody let go of: handed on, kept, or closed to make room.
//!
//! Promises: it goes to its pool's longest waiter unless its slice is over and another has a better claim; a tenant's last
//! ones up to its minimum are closed for nobody; an idle one is not closed for a tenant that holds more, before it was idle
//! for long, but for what a session left.

use std::time::Duration;

use holm_core::id::TenantId;

use super::scheduler::{Action, Idle, Illegal, Keep, Place, Scheduler, Ticket, Whose, WorkerId};
use super::tenant::{Arrival, Stage};
use super::turn::Need;

#[derive(Clone, Copy, Debug)]
pub(super) enum Occasion {
    /// Whoever it was opened for, it serves once before anything else.
    Opened,
    Released,
    Offered {
        worker: WorkerId,
        whose: Whose,
        since: Duration,
        keep: Keep,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Hand(Ticket),
    Keep,
    /// Whoever claims it now gets it then, if it is still idle.
    KeepUntil(Duration),
    SetAside,
    Close,
}

impl Scheduler {
    pub(super) fn released(&mut self, place: Place) -> Result<(), Illegal> {
        self.expect("released", place, |stage| matches!(stage, Stage::Open { .. }))?;
        self.decide(place, Occasion::Released);
        Ok(())
    }

    pub(super) fn offered(&mut self, worker: WorkerId, whose: Whose, idle: Option<Idle>) -> Result<(), Illegal> {
        if worker.0 >= self.workers.len() {
            return Err(Illegal::Worker(worker));
        }
        if let Some(idle) = idle {
            self.expect("offered", idle.place, |stage| matches!(stage, Stage::Open { .. }))?;
        }
        self.answered(worker, whose);
        match idle {
            Some(Idle { place, since, keep }) => self.decide(place, Occasion::Offered { worker, whose, since, keep }),
            None => self.is_dry(worker, whose),
        }
        if let Whose::Tenants(tenant) = whose {
            self.refresh_tenant(tenant);
        }
        Ok(())
    }

    pub(super) fn decide(&mut self, place: Place, occasion: Occasion) {
        let connection = &self.connections[&place];
        let (pool_id, id) = (connection.pool, connection.tenant);
        let tenant = &self.tenants[&id];
        let waiter = self.pools[&pool_id].waiters.first();
        let verdict = if self.must_shrink() || tenant.held() > tenant.limits.max {
            Verdict::Close
        } else if let Some((arrival, ticket)) = waiter {
            let yields = !matches!(occasion, Occasion::Opened) && self.yields(place, arrival);
            if yields { Verdict::Close } else { Verdict::Hand(ticket) }
        } else {
            let (since, keep) = match occasion {
                Occasion::Opened | Occasion::Released => (self.now, Keep::Transaction),
                Occasion::Offered { since, keep, .. } => (since, keep),
            };
            self.without_waiter(id, since, keep)
        };
        match verdict {
            Verdict::Hand(ticket) => self.hand(place, id, ticket),
            Verdict::Close => self.close(place, id),
            Verdict::Keep => self.keep(place, id, occasion, None),
            Verdict::KeepUntil(until) => self.keep(place, id, occasion, Some(until)),
            Verdict::SetAside => self.set_aside(place, id),
        }
        self.refresh(pool_id);
    }

    /// Whether it is closed although its own pool has a waiter, who came with `arrival`.
    fn yields(&mut self, place: Place, arrival: Arrival) -> bool {
        let connection = &self.connections[&place];
        let (pool, id) = (connection.pool, connection.tenant);
        let Stage::Open { since } = connection.stage else { return false };
        let tenant = &self.tenants[&id];
        if self.now < since.saturating_add(self.pace.slice.saturating_mul(tenant.limits.weight.max(1))) {
            return false;
        }
        let for_its_own = tenant.another_pool_waits_longer(pool, arrival);
        if tenant.is_squeezed() && !tenant.asked && for_its_own {
            return true;
        }
        let Some((claimant, need)) = self.claim().filter(|(_, need)| self.wants_room(*need)) else { return false };
        let yields = if claimant == id { for_its_own } else { !tenant.is_protected() && self.outranks(claimant, need, id) };
        if !yields && need == Need::WantsMore {
            // It has no claim on this one; the next may have.
            self.goes_to_the_back(claimant);
        }
        yields
    }

    /// Whether a claim is good against a tenant that uses what it holds.
    fn outranks(&self, claimant: TenantId, need: Need, holder: TenantId) -> bool {
        let (poor, rich) = (&self.tenants[&claimant], &self.tenants[&holder]);
        need != Need::WantsMore || rich.can_spare_for(poor) || (self.is_starved(claimant) && rich.holds_at_least_as_much_as(poor))
    }

    fn without_waiter(&self, id: TenantId, since: Duration, keep: Keep) -> Verdict {
        let tenant = &self.tenants[&id];
        if tenant.is_squeezed() {
            return Verdict::Close;
        }
        let Some((claimant, need)) = self.claim().filter(|(_, need)| self.wants_room(*need)) else { return Verdict::Keep };
        if claimant == id {
            return Verdict::Close;
        }
        if tenant.is_protected() {
            return Verdict::SetAside;
        }
        let until = match need {
            _ if keep == Keep::Session => since,
            Need::BelowMinimum => since,
            Need::HasNone => since.saturating_add(self.pace.linger),
            Need::WantsMore => self.until_richer_may(claimant, id, since),
        };
        if until <= self.now { Verdict::Close } else { Verdict::KeepUntil(until) }
    }

    /// From when on a tenant that holds something gets what another has idle.
    fn until_richer_may(&self, claimant: TenantId, holder: TenantId, since: Duration) -> Duration {
        let (claimant, holder) = (&self.tenants[&claimant], &self.tenants[&holder]);
        let surplus = since.saturating_add(self.pace.surplus_after);
        if holder.can_spare_for(claimant) {
            since
        } else if holder.holds_at_least_as_much_as(claimant) {
            surplus.min(claimant.served_at.saturating_add(self.pace.patience).max(since))
        } else {
            surplus
        }
    }

    fn hand(&mut self, place: Place, tenant: TenantId, ticket: Ticket) {
        self.tenants.entry(tenant).and_modify(|tenant| tenant.served_at = self.now);
        self.leave(ticket);
        self.actions.push(Action::Hand { place, ticket });
    }

    fn close(&mut self, place: Place, tenant: TenantId) {
        self.connections.entry(place).and_modify(|connection| connection.stage = Stage::Closing);
        let tenant = self.tenants.get_mut(&tenant).expect("a connection's tenant is remembered");
        tenant.open -= 1;
        tenant.closing += 1;
        self.closing += 1;
        self.actions.push(Action::Close { place });
    }

    fn set_aside(&mut self, place: Place, tenant: TenantId) {
        self.tenants.entry(tenant).and_modify(|tenant| tenant.set_aside = true);
        self.actions.push(Action::SetAside { place });
    }

    fn keep(&mut self, place: Place, tenant: TenantId, occasion: Occasion, until: Option<Duration>) {
        self.actions.push(Action::Keep { place });
        match occasion {
            Occasion::Opened | Occasion::Released => self.has_one_idle(place, tenant, until),
            Occasion::Offered { worker, whose: Whose::Anyones, since, .. } => {
                let worker = &mut self.workers[worker.0];
                worker.oldest = worker.oldest.max(since);
                worker.not_for_richer_until = until.unwrap_or_default();
            }
            // It had a reason to be asked for, which is gone; it may have more.
            Occasion::Offered { whose: Whose::Tenants(_), .. } => {}
        }
    }
}
