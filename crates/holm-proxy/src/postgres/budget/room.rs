//! Room where all places are taken: who may claim some, and which worker is asked for an idle connection.
//!
//! Promises: while somebody has a claim and a worker may have something idle for it, one is asked; no more room is made than
//! the gate can use soon. The choice looks at each worker once.

use std::time::Duration;

use holm_core::id::TenantId;

use super::scheduler::{Action, Place, Scheduler, Whose, WorkerId};
use super::turn::Need;

impl Scheduler {
    /// When it wants to be told the time, at the latest.
    pub(in crate::postgres) fn next_wake(&self) -> Option<Duration> {
        let alarm = self.alarms.first().map(|(at, _)| *at);
        let claim = self.claim().filter(|(_, need)| self.wants_room(*need));
        let idle = claim.and_then(|(_, need)| self.askable(need).map(|(at, _)| at).filter(|at| *at > self.now).min());
        alarm.into_iter().chain(idle).min()
    }

    /// Who is to get the next room that is made.
    pub(super) fn claim(&self) -> Option<(TenantId, Need)> {
        [Need::BelowMinimum, Need::HasNone, Need::WantsMore]
            .into_iter()
            .find_map(|need| self.turns.first(need).map(|tenant| (tenant, need)))
    }

    /// Whether more room is to be made than is there or on its way.
    pub(super) fn wants_room(&self, need: Need) -> bool {
        let on_its_way = self.ceiling.saturating_sub(self.used) + self.closing + self.asked;
        // One at a time for those who have something: each changes who is the richer.
        let wanted = if need == Need::WantsMore { 1 } else { self.turns.urgent() };
        // A full gate still leaves one to be prepared for when it opens.
        let usable = self.storm.room(&self.pace).max(1);
        (on_its_way as usize) < wanted.min(usable as usize)
    }

    pub(super) fn make_room(&mut self) {
        while self.used - self.closing > self.ceiling + self.asked {
            let Some((_, worker)) = self.askable(Need::BelowMinimum).min() else { break };
            self.ask(worker);
        }
        while let Some((claimant, need)) = self.claim().filter(|(_, need)| self.wants_room(*need)) {
            if need == Need::WantsMore && (self.ask_the_claimant(claimant) || self.ask_the_richest(claimant)) {
                break;
            }
            let Some((_, worker)) = self.askable(need).filter(|(at, _)| *at <= self.now).min() else { break };
            self.ask(worker);
        }
    }

    /// The workers that may have something idle for such a need, and from when on.
    fn askable(&self, need: Need) -> impl Iterator<Item = (Duration, WorkerId)> {
        let workers = self.workers.iter().enumerate().filter(|(_, worker)| !worker.asked && !worker.dry);
        workers.map(move |(index, worker)| {
            let at = match need {
                Need::BelowMinimum => worker.oldest,
                Need::HasNone => worker.oldest.saturating_add(self.pace.linger),
                Need::WantsMore => worker.oldest.max(worker.not_for_richer_until),
            };
            (at, WorkerId(index))
        })
    }

    fn ask(&mut self, worker: WorkerId) {
        self.workers[worker.0].asked = true;
        self.asked += 1;
        self.actions.push(Action::Evict { worker, whose: Whose::Anyones });
    }

    /// What it has idle in another pool is nearer than anything of anyone's. Says whether its answer is to be waited for.
    fn ask_the_claimant(&mut self, claimant: TenantId) -> bool {
        let tenant = &self.tenants[&claimant];
        if !tenant.asked && tenant.waits_beside_its_own() && tenant.dry_in != Some(self.spell) {
            self.ask_for(claimant);
        }
        self.tenants[&claimant].asked
    }

    /// The tenant that holds most gives first, if it has something idle. Says whether its answer is to be waited for.
    fn ask_the_richest(&mut self, claimant: TenantId) -> bool {
        let Some((richest, _)) = self.holders.most() else { return false };
        let tenant = &self.tenants[&richest];
        if tenant.asked {
            return true;
        }
        let gives = richest != claimant && !tenant.is_protected() && tenant.can_spare_for(&self.tenants[&claimant]);
        if gives && tenant.dry_in != Some(self.spell) {
            self.ask_for(richest);
            return true;
        }
        false
    }

    /// A tenant that holds more than its maximum, or whose waiter can only have the place of another of its connections.
    pub(super) fn ask_for_its_own(&mut self, id: TenantId) {
        let tenant = &self.tenants[&id];
        if (tenant.over || tenant.is_squeezed()) && !tenant.asked && tenant.dry_in != Some(self.spell) {
            self.ask_for(id);
        }
    }

    fn ask_for(&mut self, id: TenantId) {
        let tenant = self.tenants.get_mut(&id).expect("who is asked has connections");
        tenant.asked = true;
        self.actions.push(Action::Evict { worker: tenant.worker, whose: Whose::Tenants(id) });
    }

    pub(super) fn answered(&mut self, worker: WorkerId, whose: Whose) {
        match whose {
            Whose::Anyones => {
                let worker = &mut self.workers[worker.0];
                self.asked -= u32::from(worker.asked);
                worker.asked = false;
            }
            Whose::Tenants(tenant) => _ = self.tenants.entry(tenant).and_modify(|tenant| tenant.asked = false),
        }
    }

    /// It has nothing idle that may go; whatever it gets, it tells of.
    pub(super) fn is_dry(&mut self, worker: WorkerId, whose: Whose) {
        match whose {
            Whose::Anyones => self.workers[worker.0].dry = true,
            Whose::Tenants(tenant) => _ = self.tenants.entry(tenant).and_modify(|tenant| tenant.dry_in = Some(self.spell)),
        }
    }

    /// A release was answered with `Keep`.
    pub(super) fn has_one_idle(&mut self, place: Place, tenant: TenantId, until: Option<Duration>) {
        self.tenants.entry(tenant).and_modify(|tenant| tenant.dry_in = None);
        let pool = self.connections[&place].pool;
        let worker = &mut self.workers[self.pools[&pool].worker.0];
        if worker.dry {
            worker.dry = false;
            worker.oldest = self.now;
            worker.not_for_richer_until = until.unwrap_or_default();
        }
    }
}
