//! One cluster's scheduler, with those who wait: what happens anywhere is told here, and what follows is passed on.
//!
//! Promises: no lock is held while anything is passed on, and nothing here waits for anybody. Whoever tells of a connection
//! that he has in hand hears at once what becomes of it; everything else goes to the workers as commands, and to waiters
//! through their channels. An event that cannot be is our mistake: it is logged, and changes nothing.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holm_core::id::{ClusterId, TenantId};
use holm_core::limits::shared_by_tenants;
use holm_core::route::RouteState;
use holm_link::Routes;
use tokio::sync::{Notify, oneshot};

use super::holds::Holds;
use super::pace::Pace;
use super::refusal::Because;
use super::scheduler::{
    Action, ClusterBudget, Counts, Event, Failure, Place, PoolId, Scheduler, TenantCounts, TenantLimits, Ticket, Want, Whose, WorkerId,
};
use super::seat::Seat;
use super::waiting::Waiting;
use crate::postgres::home::{Command, Homes};
use crate::postgres::transaction::connection::Connection;

/// An opening that was begun in time is not refused for its deadline: it has one of its own, shorter than this. It may log in for
/// 5 s, and the server may take 5.3 s more to notice that nobody wants it any more.
const OPENING_MAX: Duration = Duration::from_secs(12);

/// A cluster's desk.
pub(in crate::postgres) struct Desk {
    pub(in crate::postgres) cluster: ClusterId,
    told: Told,
    homes: Arc<Homes>,
    start: Instant,
    /// Whether releases have to be told; written under the lock.
    listens: AtomicBool,
    /// Whether a client of the cluster has asked for a number that was drawn (`transaction::numbers`). All its tenants have the same
    /// app, and what it does outlives their pools.
    pub(in crate::postgres) asks_for_numbers: AtomicBool,
    /// The time of the next alarm is earlier than it was.
    earlier: Arc<Notify>,
    state: Mutex<State>,
}

/// Where it is said what a tenant may have.
pub(super) struct Told {
    pub(super) routes: Routes,
    pub(super) holds: Arc<Holds>,
}

struct State {
    scheduler: Scheduler,
    waiters: HashMap<Ticket, Waiter>,
    last_ticket: u64,
    connections_max: u32,
    /// When the clock will look here.
    wakes: Option<Duration>,
}

struct Waiter {
    ticketed: Ticketed,
    answer: oneshot::Sender<Answer>,
}

/// For what somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum Ticketed {
    /// For any connection of a pool, and not a moment longer than was said.
    Transaction,
    /// The same, for as long as the client stays. Its patience is short, and an opening that was begun in time is waited for.
    Session,
}

/// What a waiter is told.
#[derive(Debug)]
pub(in crate::postgres) enum Answer {
    Given(Box<Connection>),
    Refused(Because),
}

/// What becomes of a connection that somebody has in hand.
#[derive(Debug)]
pub(in crate::postgres) enum Verdict {
    /// To this waiter, if it is still there.
    Hand(Option<oneshot::Sender<Answer>>),
    Keep,
    SetAside,
    Close,
}

/// What is to be passed on.
enum Errand {
    Command(WorkerId, Command),
    Answer(oneshot::Sender<Answer>, Answer),
    /// To be dropped without the lock.
    Unwanted(Seat),
}

impl Desk {
    pub(super) fn new(cluster: ClusterId, connections_max: u32, told: Told, homes: Arc<Homes>, earlier: Arc<Notify>) -> Self {
        let scheduler = Scheduler::new(homes.count(), budget(connections_max), Pace::default());
        let state = State { scheduler, waiters: HashMap::new(), last_ticket: 0, connections_max, wakes: None };
        let (listens, asks_for_numbers) = Default::default();
        Self { cluster, told, homes, start: Instant::now(), listens, asks_for_numbers, earlier, state: Mutex::new(state) }
    }

    /// Waits in line for a connection of a pool. A deadline that is over already is one of a millisecond.
    pub(in crate::postgres) fn want(self: &Arc<Self>, pool: PoolId, tenant: TenantId, ticketed: Ticketed, wait: Duration) -> Waiting {
        let (answer, answered) = oneshot::channel();
        let worker = WorkerId(self.homes.of(tenant));
        let deadline = self.start.elapsed() + wait.max(Duration::from_millis(1));
        let (ticket, errands) = {
            let mut state = self.state();
            state.last_ticket += 1;
            let ticket = Ticket(state.last_ticket);
            state.waiters.insert(ticket, Waiter { ticketed, answer });
            let limits = self.limits_of(tenant, state.connections_max);
            (ticket, self.on(&mut state, Event::Want(Want { ticket, worker, pool, tenant, limits, deadline })).1)
        };
        self.pass_on(errands);
        Waiting::new(Arc::clone(self), ticket, answered)
    }

    /// Whoever it is does not wait any more.
    pub(super) fn gives_up(self: &Arc<Self>, ticket: Ticket) {
        let errands = {
            let mut state = self.state();
            state.waiters.remove(&ticket);
            self.on(&mut state, Event::GivesUp(ticket)).1
        };
        self.pass_on(errands);
    }

    /// Tells what happened; says what becomes of the connection that it happened to, if it is in hand.
    pub(in crate::postgres) fn tell(self: &Arc<Self>, event: Event) -> Option<Verdict> {
        let (verdict, errands) = {
            let mut state = self.state();
            self.on(&mut state, event)
        };
        self.pass_on(errands);
        verdict
    }

    pub(super) fn failed(self: &Arc<Self>, place: Place) {
        let errands = {
            let mut state = self.state();
            let failure = if state.scheduler.has_others(place) { Failure::Passing } else { Failure::Final };
            self.on(&mut state, Event::Failed(place, failure)).1
        };
        self.pass_on(errands);
    }

    /// Whether a release has to be told.
    pub(in crate::postgres) fn listens(&self) -> bool {
        self.listens.load(Ordering::SeqCst)
    }

    /// Has a worker close a connection that nobody has; nobody waits for it.
    pub(in crate::postgres) fn close(&self, connection: Box<Connection>) {
        let worker = self.homes.of(connection.tenant);
        self.homes.command(worker, Command::Close(connection));
    }

    /// What its connections are used for now.
    pub(super) fn counts(&self) -> Counts {
        self.state().scheduler.counts()
    }

    /// What every tenant has that has a connection or a waiter, in no order.
    pub(super) fn tenants(&self) -> Vec<(TenantId, TenantCounts)> {
        self.state().scheduler.tenant_counts().collect()
    }

    /// A moment, as the scheduler counts.
    pub(in crate::postgres) fn at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.start)
    }

    pub(super) fn resize(self: &Arc<Self>, connections_max: u32) {
        let errands = {
            let mut state = self.state();
            if state.connections_max == connections_max {
                return;
            }
            state.connections_max = connections_max;
            self.on(&mut state, Event::Budget(budget(connections_max))).1
        };
        self.pass_on(errands);
    }

    /// Has every tenant that is known here have what the newest table says.
    pub(super) fn heed_limits(self: &Arc<Self>) {
        let mut errands = Vec::new();
        {
            let mut state = self.state();
            let newest = |(tenant, told)| Some((tenant, self.limits_of(tenant, state.connections_max))).filter(|(_, now)| *now != told);
            let changed: Vec<_> = state.scheduler.tenants().filter_map(newest).collect();
            for (tenant, limits) in changed {
                errands.extend(self.on(&mut state, Event::Limits(tenant, limits)).1);
            }
        }
        self.pass_on(errands);
    }

    /// What one tenant may have. To be asked under the lock, so that an older table's word never comes after a newer one's.
    fn limits_of(&self, tenant: TenantId, connections_max: u32) -> TenantLimits {
        let table = self.told.routes.load();
        let route = table.route_of(tenant);
        if route.is_some_and(|route| route.state == RouteState::Paused) || self.told.holds.has(tenant) {
            return TenantLimits::PAUSED;
        }
        let limits = route.map(|route| route.limits).unwrap_or_default();
        TenantLimits { min: limits.min(), max: limits.max().unwrap_or(connections_max), weight: limits.weight() }
    }

    /// Does what is due, and says when it wants to be looked at again.
    pub(super) fn look(self: &Arc<Self>) -> Option<Instant> {
        let (wakes, errands) = {
            let mut state = self.state();
            let is_due = state.wakes.is_some_and(|at| at <= self.start.elapsed());
            let errands = if is_due {
                state.wakes = None;
                self.on(&mut state, Event::Tick).1
            } else {
                Vec::new()
            };
            (state.wakes, errands)
        };
        self.pass_on(errands);
        wakes.map(|at| self.start + at)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn on(self: &Arc<Self>, state: &mut State, event: Event) -> (Option<Verdict>, Vec<Errand>) {
        let (mut actions, mut errands, mut verdict) = (Vec::new(), Vec::new(), None);
        self.apply(state, event, &mut actions);
        let mut next = 0;
        while let Some(action) = actions.get(next).copied() {
            next += 1;
            let sender = |state: &mut State, ticket| state.waiters.remove(&ticket).map(|waiter| waiter.answer);
            match action {
                Action::Open { place, worker, pool, ticket, .. } => {
                    let seat = Seat::new(Arc::clone(self), place);
                    errands.push(match state.waiters.get(&ticket).map(|waiter| waiter.ticketed) {
                        Some(ticketed) => {
                            if ticketed == Ticketed::Session {
                                let until = self.start.elapsed() + OPENING_MAX;
                                self.apply(state, Event::Extends(ticket, until), &mut actions);
                            }
                            Errand::Command(worker, Command::Open { seat, pool })
                        }
                        None => Errand::Unwanted(seat),
                    });
                }
                Action::Hand { ticket, .. } => verdict = Some(Verdict::Hand(sender(state, ticket))),
                Action::Keep { .. } => verdict = Some(Verdict::Keep),
                Action::SetAside { .. } => verdict = Some(Verdict::SetAside),
                Action::Close { .. } => verdict = Some(Verdict::Close),
                Action::Evict { worker, whose } => {
                    errands.push(Errand::Command(worker, Command::Evict { desk: Arc::clone(self), worker, whose }));
                }
                Action::Reoffer { whose } => errands.extend(self.reoffers(whose)),
                Action::Refuse { ticket, because } => {
                    errands.extend(sender(state, ticket).map(|sender| Errand::Answer(sender, Answer::Refused(because))));
                }
            }
        }
        self.listens.store(state.scheduler.listens(), Ordering::SeqCst);
        if let Some(at) = state.scheduler.next_wake()
            && state.wakes.is_none_or(|wakes| at < wakes)
        {
            state.wakes = Some(at);
            self.earlier.notify_one();
        }
        (verdict, errands)
    }

    fn apply(&self, state: &mut State, event: Event, actions: &mut Vec<Action>) {
        if let Err(illegal) = state.scheduler.on(self.start.elapsed(), event, actions) {
            tracing::error!(cluster.id = %self.cluster, %illegal, "the count of a cluster's connections is wrong");
        }
    }

    fn reoffers(&self, whose: Whose) -> Vec<Errand> {
        let workers = match whose {
            Whose::Anyones => 0..self.homes.count(),
            Whose::Tenants(tenant) => self.homes.of(tenant)..self.homes.of(tenant) + 1,
        };
        workers.map(|worker| Errand::Command(WorkerId(worker), Command::Reoffer { cluster: self.cluster, whose })).collect()
    }

    fn pass_on(&self, errands: Vec<Errand>) {
        for errand in errands {
            match errand {
                Errand::Command(worker, command) => self.homes.command(worker.0, command),
                // Who has gone gave up, or is about to.
                Errand::Answer(sender, answer) => drop(sender.send(answer)),
                Errand::Unwanted(seat) => drop(seat),
            }
        }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// What of a cluster's connections tenants may have.
const fn budget(connections_max: u32) -> ClusterBudget {
    ClusterBudget { connections_max, reserved: connections_max - shared_by_tenants(connections_max) }
}
