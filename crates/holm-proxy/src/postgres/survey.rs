//! What the node's clients and server connections are doing, by tenant and level: what the console and the API's usage show is
//! read here, and nowhere else.
//!
//! Promises: only tenants in use are in it (a client, or a server connection): those that nobody uses cost nothing, here neither.
//! Nothing is counted for it while sessions work: sessions are looked at a slice at a time, workers are asked by message, each
//! cluster's desk is locked for as long as a copy takes. It is a moment's picture, taken over some milliseconds, so that a client
//! that comes or goes meanwhile may be in it or not.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use holm_core::credential::Level;
use holm_core::id::TenantId;
use holm_core::route::RouteTable;

use super::Node;
use super::budget::TenantCounts;
use super::home::Command;
use super::pooling::Pooling;
use super::sessions::Session;
use super::transaction::inventory::{PoolUse, Tallied};

/// Some tens of microseconds.
const SLICE_LENGTH: usize = 256;

/// What a client does now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doing {
    /// It has a server connection.
    Active,
    /// It wants one.
    Waiting(Duration),
    Idle,
}

/// What one session does now.
pub(super) fn doing(session: &Session) -> Doing {
    match session.has_waited() {
        Some(wait) => Doing::Waiting(wait),
        None if session.server_key.load().is_some() => Doing::Active,
        None => Doing::Idle,
    }
}

/// One tenant's clients and server connections of one level.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Use {
    pub(super) clients: usize,
    pub(super) waiting: usize,
    pub(super) longest_wait: Duration,
    pub(super) cancelling: usize,
    /// Server connections that a client has.
    pub(super) lent: usize,
    pub(super) idle: usize,
    pub(super) opening: usize,
    /// Those that are being cleaned after one session for the next.
    pub(super) cleaning: usize,
    /// Whether any of it is pooled by transaction; what is left of that included.
    pub(super) is_pooled: bool,
    /// Clients that are pooled by transaction and keep their server connection.
    pub(super) pinned: usize,
    pub(super) tallied: Tallied,
    /// Where `tallied` was counted.
    pub(super) tallies: Tallies,
}

/// Which pools' tallies are in a sum. A tally lasts as long as its pool, so that the difference of two sums is what happened
/// in between only if this is the same for both.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tallies {
    /// How many.
    count: usize,
    /// Of these pools in this process, and of no others.
    mark: u64,
}

impl Tallies {
    pub(super) const fn are_none(self) -> bool {
        self.count == 0
    }

    /// Adding marks of their pools depends on no order; the key is the process's own, so that no other's pools look the same.
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.mark = self.mark.wrapping_add(other.mark);
    }
}

impl fmt::Display for Tallies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.mark)
    }
}

impl Use {
    pub(super) const fn servers(&self) -> usize {
        self.lent + self.idle + self.cleaning + self.opening
    }

    fn add_session(&mut self, session: &Session) {
        self.clients += 1;
        match doing(session) {
            Doing::Active => self.lent += 1,
            Doing::Waiting(wait) => {
                self.waiting += 1;
                self.longest_wait = self.longest_wait.max(wait);
            }
            Doing::Idle => {}
        }
        self.cancelling += usize::from(session.cancelling.load(Ordering::Relaxed));
        self.is_pooled |= session.caller.pooling == Pooling::Transaction;
        self.pinned += usize::from(session.pinned.load(Ordering::Relaxed));
    }

    fn add_pool(&mut self, pool: &PoolUse, mark: u64) {
        self.idle += pool.idle.len();
        self.opening += pool.openings;
        self.cleaning += pool.cleaning;
        if pool.pooling == Pooling::Transaction {
            self.is_pooled = true;
            self.tallied += pool.tallied;
            self.tallies.add(Tallies { count: 1, mark });
        }
    }

    fn add(&mut self, other: &Self) {
        self.clients += other.clients;
        self.waiting += other.waiting;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.cancelling += other.cancelling;
        self.lent += other.lent;
        self.idle += other.idle;
        self.opening += other.opening;
        self.cleaning += other.cleaning;
        self.is_pooled |= other.is_pooled;
        self.pinned += other.pinned;
        self.tallied += other.tallied;
        self.tallies.add(other.tallies);
    }
}

/// What one tenant has.
#[derive(Default, Debug)]
pub(super) struct Seen {
    /// Those levels that somebody uses, in no order.
    pub(super) levels: Vec<(Level, Use)>,
    /// As its cluster's desk counts it; nothing where the desk knows nothing of it.
    pub(super) counts: TenantCounts,
}

impl Seen {
    pub(super) fn sum(&self) -> Use {
        self.levels.iter().fold(Use::default(), |mut sum, (_, each)| {
            sum.add(each);
            sum
        })
    }

    fn of(&mut self, level: Level) -> &mut Use {
        let at = self.levels.iter().position(|(known, _)| *known == level).unwrap_or_else(|| {
            self.levels.push((level, Use::default()));
            self.levels.len() - 1
        });
        &mut self.levels[at].1
    }
}

/// The newest routes, for as long as an answer takes.
pub(super) fn table(node: &Node) -> Arc<RouteTable> {
    Arc::clone(&node.routes.load())
}

/// Every pool of every worker.
pub(super) async fn pools(node: &Node) -> Vec<PoolUse> {
    node.homes.ask_all(Command::Survey).await.into_iter().flatten().collect()
}

/// Every tenant in use.
///
/// # Cancel safety
/// Safe: it only looks.
pub(super) async fn tenants(node: &Node) -> HashMap<TenantId, Seen> {
    let mut tenants: HashMap<TenantId, Seen> = HashMap::new();
    let mut from = Some(0);
    while let Some(at) = from {
        let (some, next) = node.sessions.some(at);
        for session in &some {
            tenants.entry(session.admission.route.tenant).or_default().of(session.admission.level).add_session(session);
        }
        from = next;
        tokio::task::yield_now().await;
    }
    for some in pools(node).await.chunks(SLICE_LENGTH) {
        for pool in some {
            let mark = node.pool_marks.hash_one(pool.id);
            tenants.entry(pool.tenant).or_default().of(pool.level).add_pool(pool, mark);
        }
        tokio::task::yield_now().await;
    }
    for (tenant, counts) in node.desks.tenants() {
        tenants.entry(tenant).or_default().counts = counts;
    }
    tenants
}
