//! What the scheduler remembers of a tenant, a pool, a waiter and a connection, and how two tenants' shares compare.
//!
//! Promises that a tenant and a pool are remembered only while they have a connection or a waiter.

use std::collections::BTreeSet;
use std::time::Duration;

use holm_core::id::TenantId;

use super::holders::Holders;
use super::line::{Line, Spot};
use super::scheduler::{PoolId, TenantLimits, Ticket, WorkerId};
use super::turn::{Need, Turn};

#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) limits: TenantLimits,
    /// Where its newest waiter came from, and so where its idle connections are.
    pub(super) worker: WorkerId,
    pub(super) connecting: u32,
    pub(super) open: u32,
    pub(super) closing: u32,
    pub(super) waiting: u32,
    /// Its connections by pool, closing ones included.
    pub(super) pools: Holders<PoolId>,
    /// The pools that need an opening and may have one, the one with the longest waiter first.
    pub(super) ready: BTreeSet<(Arrival, PoolId)>,
    /// Where it stands among those whose turn comes.
    pub(super) turn: Option<Turn>,
    /// When one of its waiters last got something; when it began to wait, if none did.
    pub(super) served_at: Duration,
    /// Its worker was asked for one of its idle connections, and has not answered.
    pub(super) asked: bool,
    /// The spell of listening in which its worker had nothing idle of it.
    pub(super) dry_in: Option<u64>,
    /// Idle connections of it may have been set aside, for its minimum's sake.
    pub(super) set_aside: bool,
    /// It holds more than its maximum, which was lowered.
    pub(super) over: bool,
}

/// The order in which waiters came.
pub(super) type Arrival = u64;

impl Tenant {
    pub(super) fn new(limits: TenantLimits, worker: WorkerId) -> Self {
        Self {
            limits,
            worker,
            connecting: 0,
            open: 0,
            closing: 0,
            waiting: 0,
            pools: Holders::default(),
            ready: BTreeSet::new(),
            turn: None,
            served_at: Duration::ZERO,
            asked: false,
            dry_in: None,
            set_aside: false,
            over: false,
        }
    }

    /// What it will have when nothing more happens.
    pub(super) const fn held(&self) -> u32 {
        self.connecting + self.open
    }

    /// What the server has of it.
    pub(super) const fn count(&self) -> u32 {
        self.held() + self.closing
    }

    /// Losing one more would take it below its minimum.
    pub(super) fn is_protected(&self) -> bool {
        self.held() <= self.minimum()
    }

    pub(super) fn minimum(&self) -> u32 {
        self.limits.min.min(self.limits.max)
    }

    /// It waits for a connection that only another of its own can make room for, and none is on its way out.
    pub(super) fn is_squeezed(&self) -> bool {
        self.count() >= self.limits.max && self.closing == 0 && self.waits_beside_its_own()
    }

    /// It has connections, but in another pool than the one that waits longest.
    pub(super) fn waits_beside_its_own(&self) -> bool {
        self.ready.first().is_some_and(|(_, pool)| self.pools.count(*pool) < self.count())
    }

    /// Why it waits for an opening, if it does and may have one.
    pub(super) fn need(&self) -> Option<Need> {
        if self.ready.is_empty() || self.count() >= self.limits.max {
            return None;
        }
        Some(match self.held() {
            held if held < self.minimum() => Need::BelowMinimum,
            0 => Need::HasNone,
            _ => Need::WantsMore,
        })
    }

    /// The first of the pools that wait for an opening is another than `pool`, and came before `arrival`.
    pub(super) fn another_pool_waits_longer(&self, pool: PoolId, arrival: Arrival) -> bool {
        self.ready.first().is_some_and(|(first, other)| *other != pool && *first < arrival)
    }

    fn weight(&self) -> u64 {
        u64::from(self.limits.weight.max(1))
    }

    /// After giving one to `other` it would still not be the poorer of the two.
    pub(super) fn can_spare_for(&self, other: &Self) -> bool {
        u64::from(self.held().saturating_sub(1)) * other.weight() >= u64::from(other.held() + 1) * self.weight()
    }

    pub(super) fn holds_at_least_as_much_as(&self, other: &Self) -> bool {
        u64::from(self.held()) * other.weight() >= u64::from(other.held()) * self.weight()
    }

    /// It waits, and nothing has come of it for long.
    pub(super) fn is_starved(&self, now: Duration, patience: Duration) -> bool {
        now >= self.served_at.saturating_add(patience)
    }
}

#[derive(Debug)]
pub(super) struct Pool {
    pub(super) tenant: TenantId,
    pub(super) worker: WorkerId,
    pub(super) waiters: Line<(Arrival, Ticket)>,
    /// Of its openings.
    pub(super) connecting: u32,
    /// Its key among its tenant's `ready`, if it is there.
    pub(super) ready: Option<Arrival>,
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) pool: PoolId,
    pub(super) spot: Spot,
    pub(super) deadline: Duration,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) pool: PoolId,
    pub(super) tenant: TenantId,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connecting,
    Open { since: Duration },
    Closing,
}

/// What is known of a worker's idle connections.
#[derive(Debug, Default)]
pub(super) struct Worker {
    /// It was asked for one, and has not answered.
    pub(super) asked: bool,
    /// It said that it has none, and every release since then was heard.
    pub(super) dry: bool,
    /// None of them is idle since before this.
    pub(super) oldest: Duration,
    /// Until then the oldest is not for a tenant that holds more than its own.
    pub(super) not_for_richer_until: Duration,
}

impl Worker {
    /// Something may be idle that was not known of.
    pub(super) const fn may_have_some(&mut self) {
        self.dry = false;
        self.oldest = Duration::ZERO;
        self.not_for_richer_until = Duration::ZERO;
    }
}

impl Pool {
    pub(super) fn new(tenant: TenantId, worker: WorkerId) -> Self {
        Self { tenant, worker, waiters: Line::default(), connecting: 0, ready: None }
    }
}
