//! The world around a scheduler, in small: workers with their lists of idle connections, clients that wait, limits; and
//! what must hold after every event, counted anew from the world and not from the scheduler.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use holm_core::id::TenantId;

use crate::postgres::budget::pace::Pace;
use crate::postgres::budget::refusal::Because;
use crate::postgres::budget::scheduler::{
    Action, ClusterBudget, Event, Idle, Illegal, Keep, Place, PoolId, Scheduler, TenantLimits, Ticket, Want, Whose, WorkerId,
};

/// `SplitMix64`: small, and the same everywhere.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    pub(super) fn small(&mut self, bound: u32) -> u32 {
        u32::try_from(self.below(u64::from(bound))).unwrap()
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[usize::try_from(self.below(from.len() as u64)).unwrap()])
    }
}

pub(super) fn tenant(number: u64) -> TenantId {
    format!("ten_{number:032x}").parse().unwrap()
}

pub(super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    /// A client's, or just let go of by one.
    Busy,
    Idle {
        since: Duration,
    },
    Aside {
        since: Duration,
    },
    Closing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) pool: PoolId,
    pub(super) state: State,
    /// When it was open.
    pub(super) opened: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct PoolOf {
    pub(super) tenant: TenantId,
    pub(super) worker: WorkerId,
}

/// What a client gets at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checkout {
    Got(Place),
    Waits(Ticket),
}

pub(super) struct World {
    pub(super) scheduler: Scheduler,
    pub(super) now: Duration,
    pub(super) pace: Pace,
    pub(super) ceiling: usize,
    pub(super) pools: BTreeMap<PoolId, PoolOf>,
    pub(super) limits: BTreeMap<TenantId, TenantLimits>,
    pub(super) connections: BTreeMap<Place, Connection>,
    pub(super) waiting: BTreeMap<Ticket, (PoolId, Duration)>,
    /// Longest waiter first.
    pub(super) lines: BTreeMap<PoolId, VecDeque<Ticket>>,
    pub(super) asked: Vec<(WorkerId, Whose)>,
    /// What the last event was answered with, not yet looked at.
    pub(super) actions: Vec<Action>,
    /// Whether everything is counted anew after every event.
    pub(super) strict: bool,
    /// For what idle connections are kept.
    pub(super) keep: Keep,
    next_ticket: u64,
}

pub(super) const fn budget(connections_max: u32) -> ClusterBudget {
    ClusterBudget { connections_max, reserved: 0 }
}

/// Long enough after the beginning for anything to have been idle for long.
pub(super) const START: Duration = ms(100_000);

pub(super) const LIMITS: TenantLimits = TenantLimits { min: 0, max: 1_000, weight: 1 };

impl World {
    pub(super) fn new(workers: usize, connections_max: u32, pace: Pace) -> Self {
        Self {
            scheduler: Scheduler::new(workers, budget(connections_max), pace),
            now: START,
            pace,
            ceiling: connections_max as usize,
            pools: BTreeMap::new(),
            limits: BTreeMap::new(),
            connections: BTreeMap::new(),
            waiting: BTreeMap::new(),
            lines: BTreeMap::new(),
            asked: Vec::new(),
            actions: Vec::new(),
            keep: Keep::Transaction,
            strict: true,
            next_ticket: 0,
        }
    }

    /// A pool, numbered by its tenant times ten and its own number there.
    pub(super) fn pool(&mut self, of: u64, number: u64, worker: usize) -> PoolId {
        let pool = PoolId(of * 10 + number);
        self.pools.insert(pool, PoolOf { tenant: tenant(of), worker: WorkerId(worker) });
        self.limits.entry(tenant(of)).or_insert(LIMITS);
        pool
    }

    pub(super) fn limit(&mut self, of: u64, limits: TenantLimits) {
        self.limits.insert(tenant(of), limits);
        self.tell(Event::Limits(tenant(of), limits));
    }

    pub(super) fn resize(&mut self, connections_max: u32) {
        self.ceiling = connections_max as usize;
        self.tell(Event::Budget(budget(connections_max)));
    }

    /// As a worker does it: its own idle one, the last used first, or a ticket.
    pub(super) fn checkout(&mut self, pool: PoolId, patience: Duration) -> Checkout {
        let own = self.connections.iter().filter(|(_, connection)| connection.pool == pool);
        let idle = own.filter_map(|(place, connection)| connection.idle_since().map(|since| (since, *place))).max();
        if let Some((_, place)) = idle {
            self.set(place, State::Busy);
            return Checkout::Got(place);
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let deadline = self.now + patience;
        self.waiting.insert(ticket, (pool, deadline));
        self.lines.entry(pool).or_default().push_back(ticket);
        let PoolOf { tenant, worker } = self.pools[&pool];
        self.tell(Event::Want(Want { ticket, worker, pool, tenant, limits: self.limits[&tenant], deadline }));
        Checkout::Waits(ticket)
    }

    pub(super) fn gives_up(&mut self, ticket: Ticket) {
        self.unwait(ticket);
        self.tell(Event::GivesUp(ticket));
    }

    /// As a worker does it: nobody is told while nobody listens.
    pub(super) fn release(&mut self, place: Place) {
        if self.scheduler.listens() {
            self.tell(Event::Released(place));
        } else {
            self.set(place, State::Idle { since: self.now });
        }
    }

    pub(super) fn opened(&mut self, place: Place) {
        self.connections.get_mut(&place).unwrap().opened = self.now;
        self.set(place, State::Busy);
        self.tell(Event::Opened(place));
    }

    pub(super) fn closed(&mut self, place: Place) {
        self.connections.remove(&place).unwrap();
        self.tell(Event::Closed(place));
    }

    /// Answers the oldest request for an idle connection that a worker has.
    pub(super) fn answer(&mut self, index: usize) {
        let (worker, whose) = self.asked.remove(index);
        let candidates = self.connections.iter().filter(|(_, connection)| {
            let PoolOf { tenant, worker: on } = self.pools[&connection.pool];
            match whose {
                Whose::Anyones => on == worker && matches!(connection.state, State::Idle { .. }),
                Whose::Tenants(of) => on == worker && of == tenant,
            }
        });
        let idle = candidates.filter_map(|(place, connection)| connection.idle_since().map(|since| (since, *place))).min();
        let idle = idle.map(|(since, place)| Idle { place, since, keep: self.keep });
        if let Some(Idle { place, .. }) = idle {
            self.set(place, State::Busy);
        }
        self.tell(Event::Offered { worker, whose, idle });
    }

    pub(super) fn tell(&mut self, event: Event) {
        let room_before = self.ceiling.saturating_sub(self.connections.len());
        let mut actions = Vec::new();
        self.scheduler.on(self.now, event, &mut actions).unwrap();
        let opens = actions.iter().filter(|action| matches!(action, Action::Open { .. })).count();
        assert!(opens <= room_before, "{opens} openings where {room_before} had room");
        self.expect_one_verdict(event, &actions);
        for action in &actions {
            self.perform(event, *action);
        }
        self.actions.extend(actions);
        if self.strict {
            self.check();
        }
    }

    fn expect_one_verdict(&self, event: Event, actions: &[Action]) {
        let place = match event {
            Event::Released(place) | Event::Opened(place) | Event::Offered { idle: Some(Idle { place, .. }), .. } => Some(place),
            _ => None,
        };
        let verdicts = actions.iter().filter_map(|action| match action {
            Action::Hand { place, .. } | Action::Keep { place } | Action::SetAside { place } | Action::Close { place } => Some(*place),
            _ => None,
        });
        assert_eq!(verdicts.collect::<Vec<_>>(), place.into_iter().collect::<Vec<_>>(), "{event:?}: {actions:?}");
    }

    fn perform(&mut self, event: Event, action: Action) {
        match action {
            Action::Open { place, worker, pool, tenant, ticket } => {
                let of = self.pools[&pool];
                assert_eq!((of.tenant, of.worker), (tenant, worker));
                assert!(self.waiting.contains_key(&ticket), "opened for nobody");
                assert!(self.count(tenant) < self.limits[&tenant].max, "opened above the tenant's maximum");
                let before = self.connections.insert(place, Connection { pool, state: State::Connecting, opened: self.now });
                assert!(before.is_none(), "a place's number is used once");
            }
            Action::Hand { place, ticket } => {
                let pool = self.connections[&place].pool;
                assert_eq!(self.lines[&pool].front(), Some(&ticket), "not the longest waiter of its pool");
                self.unwait(ticket);
            }
            Action::Keep { place } => self.set(place, State::Idle { since: self.since(event) }),
            Action::SetAside { place } => self.set(place, State::Aside { since: self.since(event) }),
            Action::Close { place } => self.close(place),
            Action::Evict { worker, whose } => {
                // Of a tenant that was forgotten in between, it is not remembered that somebody was asked.
                let again = self.asked.contains(&(worker, whose));
                assert!(!again || matches!(whose, Whose::Tenants(_)), "asked twice");
                self.asked.push((worker, whose));
            }
            Action::Reoffer { whose } => self.reoffer(whose),
            Action::Refuse { ticket, because } => {
                let (_, deadline) = self.waiting[&ticket];
                assert!(deadline <= self.now || because == Because::OpeningFailed, "refused before its time");
                self.unwait(ticket);
            }
        }
    }

    fn since(&self, event: Event) -> Duration {
        if let Event::Offered { idle: Some(idle), .. } = event { idle.since } else { self.now }
    }

    fn close(&mut self, place: Place) {
        let Connection { pool, opened, .. } = self.connections[&place];
        let of = self.pools[&pool].tenant;
        let limits = self.limits[&of];
        let staying = self.connections.values().filter(|other| other.state != State::Closing).count();
        let forced = staying > self.ceiling || self.held(of) > limits.max;
        let own = self.line(pool) > 0;
        let over = self.now >= opened + self.pace.slice * limits.weight.max(1);
        assert!(forced || !own || over, "closed within its slice, with a waiter of its own");
        let others = self.waiting.values().any(|(waiting, _)| self.pools[waiting].tenant == of && *waiting != pool);
        assert!(forced || others || self.held(of) > limits.min.min(limits.max), "a victim that has no more than its minimum");
        self.set(place, State::Closing);
    }

    fn reoffer(&mut self, whose: Whose) {
        for connection in self.connections.values_mut() {
            let of = self.pools[&connection.pool].tenant;
            if let State::Aside { since } = connection.state
                && (whose == Whose::Anyones || whose == Whose::Tenants(of))
            {
                connection.state = State::Idle { since };
            }
        }
    }

    pub(super) fn set(&mut self, place: Place, state: State) {
        self.connections.get_mut(&place).unwrap().state = state;
    }

    fn unwait(&mut self, ticket: Ticket) {
        let (pool, _) = self.waiting.remove(&ticket).unwrap();
        let line = self.lines.get_mut(&pool).unwrap();
        line.retain(|other| *other != ticket);
        if line.is_empty() {
            self.lines.remove(&pool);
        }
    }

    pub(super) fn line(&self, pool: PoolId) -> usize {
        self.lines.get(&pool).map_or(0, VecDeque::len)
    }

    pub(super) fn of(&self, of: TenantId) -> impl Iterator<Item = &Connection> {
        self.connections.values().filter(move |connection| self.pools[&connection.pool].tenant == of)
    }

    pub(super) fn count(&self, of: TenantId) -> u32 {
        u32::try_from(self.of(of).count()).unwrap()
    }

    pub(super) fn held(&self, of: TenantId) -> u32 {
        u32::try_from(self.of(of).filter(|connection| connection.state != State::Closing).count()).unwrap()
    }

    fn in_state(&self, pool: PoolId, state: State) -> usize {
        self.connections.values().filter(|connection| connection.pool == pool && connection.state == state).count()
    }

    pub(super) fn places(&self, is: fn(State) -> bool) -> Vec<Place> {
        self.connections.iter().filter(|(_, connection)| is(connection.state)).map(|(place, _)| *place).collect()
    }

    /// Everything that must hold between two events.
    pub(super) fn check(&self) {
        self.check_counts();
        self.check_memory();
        self.check_that_nothing_is_missed();
    }

    fn check_counts(&self) {
        let counts = self.scheduler.counts();
        let all = |state| self.connections.values().filter(|connection| connection.state == state).count();
        assert_eq!(counts.used as usize, self.connections.len());
        assert_eq!(counts.connecting as usize, all(State::Connecting));
        assert_eq!(counts.closing as usize, all(State::Closing));
        assert_eq!(counts.waiting, self.waiting.len());
        assert!(counts.connecting <= self.pace.gate, "the gate");
        for pool in self.pools.keys() {
            assert!(self.in_state(*pool, State::Connecting) <= self.pace.gate_of_pool as usize, "the gate of a pool");
        }
        let most = self.limits.keys().map(|tenant| self.count(*tenant)).max().unwrap_or(0);
        assert_eq!(self.scheduler.holders.most().map_or(0, |(_, held)| held), most);
        let asked = self.asked.iter().filter(|(_, whose)| *whose == Whose::Anyones).count();
        assert_eq!(self.scheduler.asked as usize, asked);
    }

    /// Nothing is remembered of who has nothing here.
    fn check_memory(&self) {
        let pools: BTreeSet<_> = self.connections.values().map(|c| c.pool).chain(self.lines.keys().copied()).collect();
        let tenants: BTreeSet<_> = pools.iter().map(|pool| self.pools[pool].tenant).collect();
        assert_eq!(self.scheduler.pools.keys().copied().collect::<BTreeSet<_>>(), pools);
        assert_eq!(self.scheduler.tenants.keys().copied().collect::<BTreeSet<_>>(), tenants);
        for (id, known) in &self.scheduler.tenants {
            assert_eq!((known.count(), known.held(), known.limits), (self.count(*id), self.held(*id), self.limits[id]));
        }
    }

    fn check_that_nothing_is_missed(&self) {
        let connecting = self.connections.values().filter(|c| c.state == State::Connecting).count();
        let may_open = |pool: &PoolId| {
            let (opening, of) = (self.in_state(*pool, State::Connecting), self.pools[pool].tenant);
            let admitted = self.scheduler.storm.admits(*pool, u32::try_from(opening).unwrap(), &self.pace);
            self.line(*pool) > opening && admitted && self.count(of) < self.limits[&of].max
        };
        let eligible: Vec<_> = self.lines.keys().copied().filter(may_open).collect();
        let free = self.connections.len() < self.ceiling && connecting < self.pace.gate as usize;
        assert!(!free || eligible.is_empty(), "a place is free, the gate is open, and {eligible:?} wait");
        let closing = self.connections.values().any(|c| c.state == State::Closing);
        let urgent = eligible.iter().any(|pool| self.held(self.pools[pool].tenant) == 0);
        let victim = self.connections.values().any(|c| self.is_victim(c));
        let coming = closing || !self.asked.is_empty() || self.connections.len() < self.ceiling;
        assert!(!urgent || !victim || coming, "a tenant without any waits, and nobody is asked for an idle one");
    }

    fn is_victim(&self, connection: &Connection) -> bool {
        let of = self.pools[&connection.pool].tenant;
        let limits = self.limits[&of];
        let State::Idle { since } = connection.state else { return false };
        since + self.pace.linger <= self.now && self.held(of) > limits.min.min(limits.max)
    }

    #[allow(dead_code, reason = "for tests of events that cannot be")]
    pub(super) fn illegal(&mut self, event: Event) -> Illegal {
        self.scheduler.on(self.now, event, &mut Vec::new()).unwrap_err()
    }
}

impl Connection {
    fn idle_since(&self) -> Option<Duration> {
        match self.state {
            State::Idle { since } | State::Aside { since } => Some(since),
            _ => None,
        }
    }
}
