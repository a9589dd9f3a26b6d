//! Who gets which of a cluster's server connections: a state machine without I/O, clock or task, behind one lock a cluster.
//!
//! Promises:
//! - never more connections than `connections_max` less the share that is reserved, opening and closing ones included;
//! - a tenant below its minimum goes first, none goes above its maximum, and one that has no more than its minimum is
//!   no victim (but of a budget that shrank below what is open);
//! - a connection goes straight to the longest waiter of its pool; openings go round the waiting tenants (`turn`);
//! - a connection serves its own tenant's waiters for a slice before it is closed for another tenant's (`verdict`);
//! - openings pass a gate (`storm`); whenever a place is free, the gate open and somebody waits whom it admits, an opening
//!   is under way;
//! - a waiter without a connection of its tenant is served after at most one opening for every other waiting tenant, and
//!   one whose tenant's connections are all stuck after at most `patience` and as many;
//! - nothing is walked but the handful of workers: events cost O(1) amortised, save for two ordered sets (deadlines, and
//!   the waiting pools of one tenant), where it is the logarithm of their size.
//!
//! Refuses: to know what is idle (each worker keeps its own, and is asked for the least recently used one), to hand a
//! connection to another pool, to hold more than it can count (a minimum is a place in line, not a place kept empty; the sum
//! of all minimums has to fit into the budget, which is whoever sets them to see to).
//!
//! The caller's part. A worker tells of a release only while [`Scheduler::listens`]; it reads that from an atomic which the
//! caller writes under the lock. That is enough: whoever is asked for an idle connection answers under the same lock, and
//! so sees the flag from then on.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use holm_core::id::TenantId;

use super::holders::Holders;
use super::pace::Pace;
use super::refusal::Because;
use super::storm::Storm;
use super::tenant::{Arrival, Connection, Pool, Stage, Tenant, Waiter, Worker};
use super::turn::Turns;

/// One waiter. The caller numbers them, each number once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::postgres) struct Ticket(pub(in crate::postgres) u64);

/// One connection, from the moment that it may be opened until its socket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::postgres) struct Place(pub(in crate::postgres) u64);

/// Connections that can stand in for each other: of one tenant, role and startup parameters, on one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::postgres) struct PoolId(pub(in crate::postgres) u64);

/// A worker thread, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::postgres) struct WorkerId(pub(in crate::postgres) usize);

/// What a tenant may have on the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) struct TenantLimits {
    pub(in crate::postgres) min: u32,
    pub(in crate::postgres) max: u32,
    /// Its share against others'; 0 counts as 1.
    pub(in crate::postgres) weight: u32,
}

impl TenantLimits {
    /// Nothing, until somebody says otherwise: those who come wait in line.
    pub(in crate::postgres) const PAUSED: Self = Self { min: 0, max: 0, weight: 1 };

    pub(super) const fn are_of_a_pause(self) -> bool {
        self.max == 0
    }
}

/// What there is to share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) struct ClusterBudget {
    pub(in crate::postgres) connections_max: u32,
    /// Of these, for administration and cancel requests, which do not come here.
    pub(in crate::postgres) reserved: u32,
}

/// Somebody found no idle connection of his pool.
#[derive(Clone, Copy, Debug)]
pub(in crate::postgres) struct Want {
    pub(in crate::postgres) ticket: Ticket,
    pub(in crate::postgres) worker: WorkerId,
    pub(in crate::postgres) pool: PoolId,
    pub(in crate::postgres) tenant: TenantId,
    pub(in crate::postgres) limits: TenantLimits,
    pub(in crate::postgres) deadline: Duration,
}

/// Whose idle connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum Whose {
    Anyones,
    /// Those that were set aside, too.
    Tenants(TenantId),
}

/// An idle connection, taken out of the worker's lists until it has an answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::postgres) struct Idle {
    pub(in crate::postgres) place: Place,
    pub(in crate::postgres) since: Duration,
    pub(in crate::postgres) keep: Keep,
}

/// For what an idle connection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum Keep {
    /// For its tenant's next transaction, which is soon: others wait a while for it.
    Transaction,
    /// For its tenant's next session, if there is one: nobody waits for it.
    Session,
}

/// Why an opening failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum Failure {
    /// May pass: those who wait go on waiting, and it is tried again after a while.
    Passing,
    /// The server said no: who waits for this pool hears it now.
    Final,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(in crate::postgres) enum Event {
    Want(Want),
    /// Its ticket may have been refused in the meantime.
    GivesUp(Ticket),
    /// It may wait until then at least, since what it waits for is under way.
    Extends(Ticket, Duration),
    /// Answered by exactly one of `Hand`, `Keep`, `SetAside` and `Close`, and so are the next two.
    Released(Place),
    Opened(Place),
    /// A worker's answer to `Evict`; `None` is "have none any more".
    Offered {
        worker: WorkerId,
        whose: Whose,
        idle: Option<Idle>,
    },
    Failed(Place, Failure),
    /// As asked, or by itself: the socket is closed, and the server knows.
    Closed(Place),
    /// Of a tenant, live. Nothing is remembered of one that has nothing here: each `Want` brings the limits along.
    Limits(TenantId, TenantLimits),
    Budget(ClusterBudget),
    /// It is as late as [`Scheduler::next_wake`] said.
    Tick,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum Action {
    /// On behalf of the longest waiter; who gets it is decided when it is open.
    Open {
        place: Place,
        worker: WorkerId,
        pool: PoolId,
        tenant: TenantId,
        ticket: Ticket,
    },
    Hand {
        place: Place,
        ticket: Ticket,
    },
    /// Among the idle ones, where its last use puts it.
    Keep {
        place: Place,
    },
    /// The same, but not to be offered as anyone's until it was used again, or `Reoffer` comes.
    SetAside {
        place: Place,
    },
    Close {
        place: Place,
    },
    /// Offer the least recently used idle connection (`Event::Offered`). Each is to be answered; one for a tenant that was
    /// forgotten in between may come twice.
    Evict {
        worker: WorkerId,
        whose: Whose,
    },
    /// What was set aside may be offered again; for every worker when it is anyone's.
    Reoffer {
        whose: Whose,
    },
    Refuse {
        ticket: Ticket,
        because: Because,
    },
}

/// An event that cannot happen in this state: the caller has lost count. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::postgres) enum Illegal {
    #[error("{event} of {place:?}, which is {stage:?}")]
    Stage { event: &'static str, place: Place, stage: Option<Stage> },
    #[error("{0:?} waits already")]
    Ticket(Ticket),
    #[error("{0:?} is another tenant's or another worker's")]
    Pool(PoolId),
    #[error("there is no {0:?}")]
    Worker(WorkerId),
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) struct Counts {
    /// What tenants may have together.
    pub(in crate::postgres) ceiling: u32,
    /// All that are there, opening and closing ones included.
    pub(in crate::postgres) used: u32,
    pub(in crate::postgres) connecting: u32,
    pub(in crate::postgres) closing: u32,
    pub(in crate::postgres) waiting: usize,
}

/// What one tenant has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::postgres) struct TenantCounts {
    /// As many as it may have.
    pub(in crate::postgres) most: u32,
    pub(in crate::postgres) open: u32,
    pub(in crate::postgres) connecting: u32,
    pub(in crate::postgres) closing: u32,
    pub(in crate::postgres) waiting: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    Deadline(Ticket),
    BackOff(PoolId),
}

#[derive(Debug)]
pub(in crate::postgres) struct Scheduler {
    pub(super) pace: Pace,
    pub(super) now: Duration,
    pub(super) ceiling: u32,
    pub(super) used: u32,
    pub(super) closing: u32,
    /// Tenants above a maximum that was lowered.
    pub(super) over: u32,
    /// Workers that were asked for one of anyone's and have not answered.
    pub(super) asked: u32,
    pub(super) connections: HashMap<Place, Connection>,
    pub(super) waiters: HashMap<Ticket, Waiter>,
    pub(super) pools: HashMap<PoolId, Pool>,
    pub(super) tenants: HashMap<TenantId, Tenant>,
    pub(super) workers: Vec<Worker>,
    pub(super) turns: Turns,
    pub(super) storm: Storm,
    pub(super) holders: Holders<TenantId>,
    pub(super) alarms: BTreeSet<(Duration, Alarm)>,
    /// Counts the times without gap in which every release is heard.
    pub(super) spell: u64,
    listening: bool,
    next_place: u64,
    next_arrival: Arrival,
    pub(super) actions: Vec<Action>,
}

impl ClusterBudget {
    const fn ceiling(self) -> u32 {
        self.connections_max.saturating_sub(self.reserved)
    }
}

impl Scheduler {
    pub(in crate::postgres) fn new(workers: usize, budget: ClusterBudget, pace: Pace) -> Self {
        Self {
            pace,
            now: Duration::ZERO,
            ceiling: budget.ceiling(),
            used: 0,
            closing: 0,
            over: 0,
            asked: 0,
            connections: HashMap::new(),
            waiters: HashMap::new(),
            pools: HashMap::new(),
            tenants: HashMap::new(),
            workers: (0..workers).map(|_| Worker::default()).collect(),
            turns: Turns::default(),
            storm: Storm::default(),
            holders: Holders::default(),
            alarms: BTreeSet::new(),
            spell: 0,
            listening: false,
            next_place: 0,
            next_arrival: 0,
            actions: Vec::new(),
        }
    }

    /// Takes an event, at the time since some start (an earlier one than the last counts as the last), and adds what follows
    /// to `actions`.
    ///
    /// # Errors
    /// The event cannot be; nothing was changed.
    pub(in crate::postgres) fn on(&mut self, now: Duration, event: Event, actions: &mut Vec<Action>) -> Result<(), Illegal> {
        self.now = self.now.max(now);
        std::mem::swap(actions, &mut self.actions);
        self.ring();
        let applied = self.apply(event);
        self.ring();
        self.attend();
        self.open_what_may_be_opened();
        self.make_room();
        self.listening = self.listens();
        std::mem::swap(actions, &mut self.actions);
        applied
    }

    /// Whether releases have to be told: somebody waits, or there are more connections than there may be.
    pub(in crate::postgres) fn listens(&self) -> bool {
        !self.waiters.is_empty() || self.must_shrink() || self.over > 0
    }

    /// Every tenant that has a connection or a waiter, with its limits as they were told last; in no order.
    pub(in crate::postgres) fn tenants(&self) -> impl Iterator<Item = (TenantId, TenantLimits)> {
        self.tenants.iter().map(|(id, tenant)| (*id, tenant.limits))
    }

    /// What every such tenant has; in no order.
    pub(in crate::postgres) fn tenant_counts(&self) -> impl Iterator<Item = (TenantId, TenantCounts)> {
        self.tenants.iter().map(|(id, tenant)| {
            let Tenant { limits, connecting, open, closing, waiting, .. } = tenant;
            (*id, TenantCounts { most: limits.max, open: *open, connecting: *connecting, closing: *closing, waiting: *waiting })
        })
    }

    pub(in crate::postgres) fn counts(&self) -> Counts {
        let connecting = self.storm.connecting();
        Counts { ceiling: self.ceiling, used: self.used, connecting, closing: self.closing, waiting: self.waiters.len() }
    }

    fn apply(&mut self, event: Event) -> Result<(), Illegal> {
        match event {
            Event::Want(want) => self.want(want),
            Event::GivesUp(ticket) => {
                self.leave(ticket);
                Ok(())
            }
            Event::Extends(ticket, deadline) => {
                self.extend(ticket, deadline);
                Ok(())
            }
            Event::Released(place) => self.released(place),
            Event::Opened(place) => self.opened(place),
            Event::Offered { worker, whose, idle } => self.offered(worker, whose, idle),
            Event::Failed(place, failure) => self.failed(place, failure),
            Event::Closed(place) => self.closed(place),
            Event::Limits(tenant, limits) => {
                self.limit(tenant, limits);
                Ok(())
            }
            Event::Budget(budget) => {
                self.resize(budget);
                Ok(())
            }
            Event::Tick => Ok(()),
        }
    }

    fn want(&mut self, want: Want) -> Result<(), Illegal> {
        let Want { ticket, worker, pool, tenant, limits, deadline } = want;
        if worker.0 >= self.workers.len() {
            return Err(Illegal::Worker(worker));
        }
        if self.waiters.contains_key(&ticket) {
            return Err(Illegal::Ticket(ticket));
        }
        if self.pools.get(&pool).is_some_and(|known| known.tenant != tenant || known.worker != worker) {
            return Err(Illegal::Pool(pool));
        }
        let known = self.tenants.entry(tenant).or_insert_with(|| Tenant::new(limits, worker));
        if known.waiting == 0 {
            known.served_at = self.now;
        }
        known.waiting += 1;
        known.worker = worker;
        let line = &mut self.pools.entry(pool).or_insert_with(|| Pool::new(tenant, worker)).waiters;
        let spot = line.enter((self.next_arrival, ticket));
        self.next_arrival += 1;
        self.waiters.insert(ticket, Waiter { pool, spot, deadline });
        self.alarms.insert((deadline, Alarm::Deadline(ticket)));
        self.attend();
        self.limit(tenant, limits);
        self.refresh(pool);
        Ok(())
    }

    fn extend(&mut self, ticket: Ticket, deadline: Duration) {
        let Some(waiter) = self.waiters.get_mut(&ticket).filter(|waiter| waiter.deadline < deadline) else { return };
        self.alarms.remove(&(waiter.deadline, Alarm::Deadline(ticket)));
        self.alarms.insert((deadline, Alarm::Deadline(ticket)));
        waiter.deadline = deadline;
    }

    /// The waiter has what it wanted, or wants it no more.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        let Some(waiter) = self.waiters.remove(&ticket) else { return };
        self.alarms.remove(&(waiter.deadline, Alarm::Deadline(ticket)));
        let pool = self.pools.get_mut(&waiter.pool).expect("a waiter's pool is remembered");
        pool.waiters.leave(waiter.spot);
        self.tenants.get_mut(&pool.tenant).expect("a pool's tenant is remembered").waiting -= 1;
        self.refresh(waiter.pool);
    }

    pub(super) fn refuse(&mut self, ticket: Ticket, because: Because) {
        self.leave(ticket);
        self.actions.push(Action::Refuse { ticket, because });
    }

    fn ring(&mut self) {
        while let Some((at, alarm)) = self.alarms.first().copied()
            && at <= self.now
        {
            self.alarms.pop_first();
            match alarm {
                Alarm::Deadline(ticket) => self.refuse(ticket, self.because(ticket)),
                Alarm::BackOff(pool) => {
                    let connecting = self.pools.get(&pool).map_or(0, |pool| pool.connecting);
                    let next = self.storm.rings(pool, connecting, self.now, &self.pace);
                    self.alarms.extend(next.map(|at| (at, Alarm::BackOff(pool))));
                    self.refresh(pool);
                }
            }
        }
    }

    fn limit(&mut self, tenant: TenantId, limits: TenantLimits) {
        let Some(known) = self.tenants.get_mut(&tenant) else { return };
        if known.limits != limits {
            known.limits = limits;
            // A turn is as long as the weight says when it begins.
            known.turn.take().into_iter().for_each(|turn| self.turns.leave(turn));
        }
        self.refresh_tenant(tenant);
    }

    fn resize(&mut self, budget: ClusterBudget) {
        self.ceiling = budget.ceiling();
        if self.must_shrink() {
            // No minimum stands against the budget.
            self.actions.push(Action::Reoffer { whose: Whose::Anyones });
            self.workers.iter_mut().for_each(Worker::may_have_some);
        }
    }

    /// What was known of idle connections is old when releases were not heard in between.
    pub(super) fn attend(&mut self) {
        if !self.listening && self.listens() {
            self.listening = true;
            self.spell += 1;
            self.workers.iter_mut().for_each(Worker::may_have_some);
        }
    }

    /// More than the budget would be left when all that are closing are closed.
    pub(super) const fn must_shrink(&self) -> bool {
        self.used - self.closing > self.ceiling
    }

    pub(super) fn number_place(&mut self) -> Place {
        self.next_place += 1;
        Place(self.next_place)
    }

    /// Recomputes what follows from a pool's waiters, openings and back-off.
    pub(super) fn refresh(&mut self, id: PoolId) {
        let Some(pool) = self.pools.get_mut(&id) else { return };
        let tenant = self.tenants.get_mut(&pool.tenant).expect("a pool's tenant is remembered");
        let needs = pool.waiters.len() > pool.connecting as usize && self.storm.admits(id, pool.connecting, &self.pace);
        let ready = pool.waiters.first().filter(|_| needs).map(|(arrival, _)| arrival);
        if pool.ready != ready {
            pool.ready.into_iter().for_each(|old| _ = tenant.ready.remove(&(old, id)));
            tenant.ready.extend(ready.map(|new| (new, id)));
            pool.ready = ready;
        }
        let id_of_tenant = pool.tenant;
        if pool.waiters.is_empty() && tenant.pools.count(id) == 0 {
            self.pools.remove(&id);
        }
        self.refresh_tenant(id_of_tenant);
    }

    /// Recomputes what follows from a tenant's counts, limits and ready pools.
    pub(super) fn refresh_tenant(&mut self, id: TenantId) {
        let Some(tenant) = self.tenants.get_mut(&id) else { return };
        let over = tenant.held() > tenant.limits.max;
        if over != tenant.over {
            tenant.over = over;
            self.over = if over { self.over + 1 } else { self.over - 1 };
        }
        let need = tenant.need();
        if tenant.turn.map(|turn| turn.need) != need {
            tenant.turn.take().into_iter().for_each(|turn| self.turns.leave(turn));
            tenant.turn = need.map(|need| self.turns.enter(id, need, tenant.limits.weight));
        }
        if tenant.set_aside && !tenant.is_protected() {
            tenant.set_aside = false;
            self.actions.push(Action::Reoffer { whose: Whose::Tenants(id) });
            self.workers[tenant.worker.0].may_have_some();
        }
        if tenant.count() == 0 && tenant.waiting == 0 {
            self.tenants.remove(&id);
            return;
        }
        self.attend();
        self.ask_for_its_own(id);
    }
}
