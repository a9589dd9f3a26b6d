//! What the node's clients and server connections are doing, by tenant and level.
//!
//! Promises: only tenants in use are in it (a client, or a server connection): those that nobody uses cost nothing, here neither.
//! Sessions are looked at a slice at a time, workers are asked by message; it is a moment's picture, taken over some
//! milliseconds, so that a client that comes or goes meanwhile may be in it or not.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use holm_core::credential::Level;
use holm_core::id::TenantId;
use holm_core::route::{Route, RouteTable};

use crate::postgres::Node;
use crate::postgres::home::Command;
use crate::postgres::pooling::Pooling;
use crate::postgres::sessions::Session;
use crate::postgres::transaction::inventory::{PoolUse, Tallied};

use super::names::name_of;

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
    /// Whether any of it is pooled by transaction.
    pub(super) is_pooled: bool,
    pub(super) tallied: Tallied,
}

impl Use {
    pub(super) const fn servers(&self) -> usize {
        self.lent + self.idle + self.opening
    }

    fn add_session(&mut self, session: &Session) {
        self.clients += 1;
        match doing(session) {
            Doing::Active => self.lent += 1,
            Doing::Waiting(wait) => {
                self.waiting += 1;
                self.longest_wait = self.longest_wait.max(wait);
            }
            // It is opening the one that it will have.
            Doing::Idle if session.caller.pooling == Pooling::Session => self.opening += 1,
            Doing::Idle => {}
        }
        self.cancelling += usize::from(session.cancelling.load(Ordering::Relaxed));
        self.is_pooled |= session.caller.pooling == Pooling::Transaction;
    }

    fn add_pool(&mut self, pool: &PoolUse) {
        self.idle += pool.idle.len();
        self.opening += pool.openings;
        self.is_pooled = true;
        self.tallied += pool.tallied;
    }

    fn add(&mut self, other: &Self) {
        self.clients += other.clients;
        self.waiting += other.waiting;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.cancelling += other.cancelling;
        self.lent += other.lent;
        self.idle += other.idle;
        self.opening += other.opening;
        self.is_pooled |= other.is_pooled;
        self.tallied += other.tallied;
    }
}

/// A tenant in use.
pub(super) struct TenantUse {
    pub(super) name: String,
    pub(super) route: Arc<Route>,
    /// Those that there are, the most powerful first.
    pub(super) levels: Vec<(Level, Use)>,
}

impl TenantUse {
    pub(super) fn sum(&self) -> Use {
        self.levels.iter().fold(Use::default(), |mut sum, (_, each)| {
            sum.add(each);
            sum
        })
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

/// Every tenant in use, by name.
pub(super) async fn tenants(node: &Node) -> Vec<TenantUse> {
    let mut uses: HashMap<(TenantId, Level), Use> = HashMap::new();
    let mut from = Some(0);
    while let Some(at) = from {
        let (some, next) = node.sessions.some(at);
        for session in &some {
            uses.entry((session.admission.route.tenant, session.credential.level)).or_default().add_session(session);
        }
        from = next;
        tokio::task::yield_now().await;
    }
    for some in pools(node).await.chunks(SLICE_LENGTH) {
        for pool in some {
            uses.entry((pool.tenant, pool.level)).or_default().add_pool(pool);
        }
        tokio::task::yield_now().await;
    }
    let table = table(node);
    // Naming and sorting some thousands takes milliseconds, which sessions of this worker are not to wait for.
    tokio::task::spawn_blocking(move || by_tenant(&table, uses)).await.unwrap_or_default()
}

fn by_tenant(table: &RouteTable, uses: HashMap<(TenantId, Level), Use>) -> Vec<TenantUse> {
    let mut tenants: HashMap<TenantId, TenantUse> = HashMap::new();
    for ((tenant, level), each) in uses {
        // One whose route has gone is on its way out itself.
        let Some(route) = table.route_of(tenant) else { continue };
        let known = || TenantUse { name: name_of(table, route), route: Arc::clone(route), levels: Vec::new() };
        tenants.entry(tenant).or_insert_with(known).levels.push((level, each));
    }
    let mut tenants: Vec<TenantUse> = tenants.into_values().collect();
    tenants.iter_mut().for_each(|tenant| tenant.levels.sort_unstable_by_key(|(level, _)| *level));
    tenants.sort_by(|one, other| one.name.cmp(&other.name));
    tenants
}
