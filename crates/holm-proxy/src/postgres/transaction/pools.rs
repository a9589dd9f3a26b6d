//! The pools of one worker: for each tenant, role, set of startup parameters and kind of pooling, the server connections that
//! nobody has now.
//!
//! Promises: what belongs to one pool is given to sessions of that pool only; a pool that nobody is in and that has no
//! connection is not there. Nothing here walks over pools, waits, or is seen by another thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holm_core::cluster::ServerAddress;
use holm_core::cluster::tls::ServerTls;
use holm_core::credential::Level;
use holm_core::id::{ClusterId, TenantId};
use holm_core::placement::Placement;
use holm_core::route::{Admission, RouteState, RouteTable};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::postgres::budget::{Place, PoolId, Whose};
use crate::postgres::pooling::Pooling;
use crate::postgres::server;
use crate::postgres::sessions;
use crate::postgres::stop::{Reason, Stop};

use super::connection::Connection;
use super::inventory::{IdleUse, PoolUse, Which};
use super::prepared::Statements;
use super::settings::Settings;
use super::tally::Tally;
use super::vintage::{Bottle, Vintage};

/// What must be the same for two sessions to have the same connection, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::postgres) struct PoolKey {
    pub(in crate::postgres) tenant: TenantId,
    pub(in crate::postgres) cluster: ClusterId,
    pub(in crate::postgres) address: ServerAddress,
    pub(in crate::postgres) tls: ServerTls,
    pub(in crate::postgres) level: Level,
    pub(in crate::postgres) pooling: Pooling,
    /// Of the route, in session pooling: who logs in by a newer one gets no connection from before.
    epoch: Option<u64>,
    /// Role, database and every parameter, as the server is told; in transaction pooling without the application's name, which
    /// is set on the way.
    pub(in crate::postgres) startup: Box<[u8]>,
}

impl PoolKey {
    /// Whether a table has a newer route than the one that counts here.
    fn is_outrun_by(&self, table: &RouteTable) -> bool {
        self.epoch.is_some_and(|epoch| table.route_of(self.tenant).is_none_or(|now| now.epoch != epoch))
    }
}

/// A pool's place in this worker's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PoolIndex(usize);

#[derive(Debug)]
struct Pool {
    key: Arc<PoolKey>,
    id: PoolId,
    /// By which its connections are judged when routes change.
    admission: Admission,
    /// Sessions that are in it.
    members: usize,
    /// Openings under way.
    openings: Vec<Arc<Under>>,
    /// Why an opening failed last.
    failure: Option<server::Failed>,
    /// Places in `idle`, the one used last at the end.
    idle: Vec<usize>,
    statements: Statements,
    /// What its servers report when they begin.
    greeting: Option<Settings>,
    /// Connections that are being cleaned for whoever comes next.
    cleaning: usize,
    tally: Arc<Tally>,
    vintage: Arc<Vintage>,
}

/// A connection that nobody has, in a list by how long.
#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    pool: PoolIndex,
    older: Option<usize>,
    newer: Option<usize>,
    /// Not to be offered as anyone's.
    aside: bool,
}

/// An opening under way.
#[derive(Debug, Default)]
struct Under {
    stop: Stop,
    over: CancellationToken,
}

/// Every pool of this worker.
#[derive(Debug, Default)]
struct Pools {
    by_key: HashMap<Arc<PoolKey>, PoolIndex>,
    by_id: HashMap<PoolId, PoolIndex>,
    pools: Vec<Option<Pool>>,
    free_pools: Vec<usize>,
    idle: Vec<Option<Idle>>,
    free_idle: Vec<usize>,
    oldest: Option<usize>,
    newest: Option<usize>,
}

thread_local! {
    static POOLS: RefCell<Pools> = RefCell::default();
}

/// A session's place in its pool; dropping it leaves.
#[derive(Debug)]
pub(super) struct Member {
    index: PoolIndex,
    key: Arc<PoolKey>,
    pub(super) id: PoolId,
    pub(super) tally: Arc<Tally>,
}

impl Member {
    /// Enters the pool of an admission, on this worker; it has the number that is given if it is new.
    pub(super) fn enter(
        admission: &Admission,
        (level, pooling): (Level, Pooling),
        startup: Box<[u8]>,
        number: impl FnOnce() -> PoolId,
    ) -> Self {
        let Admission { route, cluster, .. } = admission;
        let key = Arc::new(PoolKey {
            tenant: route.tenant,
            cluster: cluster.id,
            address: cluster.address.clone(),
            tls: cluster.tls.clone(),
            level,
            pooling,
            epoch: (pooling == Pooling::Session).then_some(route.epoch),
            startup,
        });
        POOLS.with_borrow_mut(|pools| {
            let index = match pools.by_key.get(&key) {
                Some(index) => *index,
                None => pools.begin(Pool {
                    key,
                    id: number(),
                    admission: admission.clone(),
                    members: 0,
                    openings: Vec::new(),
                    failure: None,
                    idle: Vec::new(),
                    statements: Statements::default(),
                    greeting: None,
                    cleaning: 0,
                    tally: Arc::default(),
                    vintage: Arc::default(),
                }),
            };
            let pool = pools.pool(index);
            pool.members += 1;
            Self { index, key: Arc::clone(&pool.key), id: pool.id, tally: Arc::clone(&pool.tally) }
        })
    }

    /// Whose it is.
    pub(super) fn tenant(&self) -> TenantId {
        self.key.tenant
    }

    /// The connection that was used last, if there is one that nobody has. One that its server has ended, or that says
    /// something to nobody, is closed instead.
    pub(super) fn take(&self) -> Option<Box<Connection>> {
        loop {
            let taken = POOLS.with_borrow_mut(|pools| pools.pool(self.index).idle.pop().map(|at| pools.unlink(at)));
            let mut connection = taken?;
            if connection.tenant == self.key.tenant && connection.is_quiet() {
                return Some(connection);
            }
            connection.dismiss();
        }
    }

    pub(super) fn with_statements<T>(&self, act: impl FnOnce(&mut Statements) -> T) -> T {
        POOLS.with_borrow_mut(|pools| act(&mut pools.pool(self.index).statements))
    }

    /// What servers of this pool report when they begin, if one has.
    pub(super) fn greeting(&self) -> Option<Settings> {
        POOLS.with_borrow_mut(|pools| pools.pool(self.index).greeting.clone())
    }

    /// Why an opening failed last, if one did.
    pub(super) fn failure(&self) -> Option<server::Failed> {
        POOLS.with_borrow_mut(|pools| pools.pool(self.index).failure.clone())
    }

    /// Notes that a connection of its pool is being cleaned, until that is dropped.
    pub(super) fn cleans(&self) -> Cleans<'_> {
        POOLS.with_borrow_mut(|pools| pools.pool(self.index).cleaning += 1);
        Cleans(self)
    }

    /// Whether a table has outrun what the pool was made for.
    pub(super) fn is_outrun_by(&self, table: &RouteTable) -> bool {
        self.key.is_outrun_by(table)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        POOLS.with_borrow_mut(|pools| {
            pools.pool(self.index).members -= 1;
            pools.end_if_empty(self.index);
        });
    }
}

/// A connection is being cleaned; for who looks on.
pub(super) struct Cleans<'m>(&'m Member);

impl Drop for Cleans<'_> {
    fn drop(&mut self) {
        POOLS.with_borrow_mut(|pools| pools.pool(self.0.index).cleaning -= 1);
    }
}

/// An opening for a pool of this worker; dropping it ends it, and the pool stays for as long.
#[derive(Debug)]
pub(super) struct Opening {
    index: PoolIndex,
    under: Arc<Under>,
    pub(super) key: Arc<PoolKey>,
    pub(super) admission: Admission,
    /// Of the connection that it becomes; until then its own.
    pub(super) bottle: Option<Bottle>,
}

impl Opening {
    /// For the pool of a number, if it is still there.
    pub(super) fn begin(id: PoolId) -> Option<Self> {
        POOLS.with_borrow_mut(|pools| {
            let index = *pools.by_id.get(&id)?;
            let (pool, under) = (pools.pool(index), Arc::new(Under::default()));
            pool.openings.push(Arc::clone(&under));
            let bottle = Some(pool.vintage.bottle());
            Some(Self { index, under, key: Arc::clone(&pool.key), admission: pool.admission.clone(), bottle })
        })
    }

    /// Asked for when the newest table forbids it, or the node ends.
    pub(super) fn stop(&self) -> &Stop {
        &self.under.stop
    }

    /// Notes what the server reported.
    pub(super) fn succeeded(&self, settings: &Settings) {
        POOLS.with_borrow_mut(|pools| {
            let pool = pools.pool(self.index);
            (pool.greeting, pool.failure) = (Some(settings.clone()), None);
        });
    }

    /// Notes what those who wait are told.
    pub(super) fn failed(&self, failed: server::Failed) {
        POOLS.with_borrow_mut(|pools| pools.pool(self.index).failure = Some(failed));
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.under.over.cancel();
        POOLS.with_borrow_mut(|pools| {
            pools.pool(self.index).openings.retain(|other| !Arc::ptr_eq(other, &self.under));
            pools.end_if_empty(self.index);
        });
    }
}

/// The connection that nobody has had for longest, of those that are asked for; it stays where it is. One that its server
/// has ended, or that says something to nobody, is closed instead.
pub(super) fn oldest(cluster: ClusterId, whose: Whose) -> Option<Oldest> {
    loop {
        let found = POOLS.with_borrow_mut(|pools| {
            let mut at = pools.oldest;
            // Clusters are few, and those of other clusters that are older are seldom many.
            while let Some(here) = at {
                let idle = pools.idle[here].as_mut().expect("a place in the list is taken");
                let key = &pools.pools[idle.pool.0].as_ref().expect("a pool with a connection is there").key;
                let is_asked_for = match whose {
                    Whose::Anyones => !idle.aside,
                    Whose::Tenants(tenant) => key.tenant == tenant,
                };
                if is_asked_for && key.cluster == cluster {
                    return Some(if idle.connection.is_quiet() {
                        let (place, since) = (idle.connection.seat.place, idle.connection.idle_since);
                        Ok(Oldest { at: here, place, since, pooling: key.pooling })
                    } else {
                        Err(pools.remove(here))
                    });
                }
                at = idle.newer;
            }
            None
        })?;
        match found {
            Ok(oldest) => return Some(oldest),
            Err(connection) => connection.dismiss(),
        }
    }
}

/// Where an idle connection is; good until the list is changed.
#[derive(Debug)]
pub(super) struct Oldest {
    at: usize,
    pub(super) place: Place,
    pub(super) since: Instant,
    pub(super) pooling: Pooling,
}

impl Oldest {
    pub(super) fn take(self) -> Box<Connection> {
        POOLS.with_borrow_mut(|pools| pools.remove(self.at))
    }

    /// Leaves it where it is.
    pub(super) fn leave(self, aside: Aside) {
        POOLS.with_borrow_mut(|pools| pools.idle[self.at].as_mut().expect("nothing was changed").aside = aside == Aside::Yes);
    }
}

/// Whether an idle connection is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aside {
    Yes,
    No,
}

/// Puts a connection among those that nobody has, if anybody is to have it.
pub(super) fn put(mut connection: Box<Connection>, aside: Aside) {
    connection.idle_since = Instant::now();
    let unwanted = POOLS.with_borrow_mut(|pools| match pools.by_id.get(&connection.pool).copied() {
        Some(index) if !connection.bottle.is_outdated() => {
            let at = pools.link(connection, index, aside);
            pools.pool(index).idle.push(at);
            None
        }
        _ => Some(connection),
    });
    unwanted.into_iter().for_each(|connection| connection.dismiss());
}

/// Has what was set aside offered again.
pub(super) fn reoffer(cluster: ClusterId, whose: Whose) {
    POOLS.with_borrow_mut(|pools| {
        let Pools { pools, idle, .. } = pools;
        for idle in idle.iter_mut().flatten() {
            let key = &pools[idle.pool.0].as_ref().expect("a pool with a connection is there").key;
            if key.cluster == cluster && (whose == Whose::Anyones || whose == Whose::Tenants(key.tenant)) {
                idle.aside = false;
            }
        }
    });
}

/// Takes every connection that nobody has had for so long.
#[expect(clippy::vec_box, reason = "they are in boxes already, and stay there")]
pub(super) fn take_older_than(age: Duration) -> Vec<Box<Connection>> {
    POOLS.with_borrow_mut(|pools| {
        let mut taken = Vec::new();
        while let Some(here) = pools.oldest {
            let idle = pools.idle[here].as_ref().expect("a place in the list is taken");
            if idle.connection.idle_since.elapsed() < age {
                break;
            }
            taken.push(pools.remove(here));
        }
        taken
    })
}

/// Takes every connection that a table forbids, and those of tenants that are paused: nobody is to begin anything on them.
#[expect(clippy::vec_box, reason = "they are in boxes already, and stay there")]
pub(super) fn take_forbidden(table: &RouteTable) -> Vec<Box<Connection>> {
    POOLS.with_borrow_mut(|pools| {
        let mut taken = Vec::new();
        let mut at = pools.oldest;
        while let Some(here) = at {
            let idle = pools.idle[here].as_ref().expect("a place in the list is taken");
            at = idle.newer;
            let pool = pools.pools[idle.pool.0].as_ref().expect("a pool with a connection is there");
            let Pool { admission, key, .. } = pool;
            let is_forbidden = sessions::forbidden(admission, key.level, table).is_some() || key.is_outrun_by(table);
            if is_forbidden || sessions::is_paused(admission, table) {
                taken.push(pools.remove(here));
            }
        }
        taken
    })
}

/// Looks at some pools, from a place on; gives the place where the next begin.
pub(super) fn some(from: usize, length: usize, found: &mut Vec<PoolUse>) -> Option<usize> {
    POOLS.with_borrow(|pools| {
        let until = pools.pools.len().min(from.saturating_add(length));
        let some = pools.pools.get(from..until).unwrap_or_default().iter().flatten();
        found.extend(some.map(|pool| {
            let idle = pool.idle.iter().map(|at| &pools.idle[*at].as_ref().expect("a place in the list is taken").connection);
            let idle = idle.map(|connection| IdleUse {
                process: connection.key.as_ref().map(|key| key.process),
                since: connection.key.as_ref().map(|key| key.since),
            });
            PoolUse {
                id: pool.id,
                tenant: pool.key.tenant,
                level: pool.key.level,
                pooling: pool.key.pooling,
                cleaning: pool.cleaning,
                openings: pool.openings.len(),
                idle: idle.collect(),
                tallied: pool.tally.read(),
            }
        }));
        (until < pools.pools.len()).then_some(until)
    })
}

/// Has every connection of some pools be one from before; takes those that nobody has.
#[expect(clippy::vec_box, reason = "they are in boxes already, and stay there")]
pub(super) fn outdate(which: Which) -> Vec<Box<Connection>> {
    outdate_those(|tenant| which.has(tenant))
}

/// The same for tenants whose placement certificates are over, of whom nothing is opened any more. Who has a connection keeps it for as
/// long as it is its own.
#[expect(clippy::vec_box, reason = "they are in boxes already, and stay there")]
pub(super) fn outdate_uncertified(table: &RouteTable, now: Timestamp) -> Vec<Box<Connection>> {
    outdate_those(|tenant| match table.route_of(tenant).map(|route| &route.placement) {
        Some(Placement::Certified(certificate)) => certificate.claims.is_over(now),
        // Of these a table itself forbids what there is.
        Some(Placement::Withheld(_)) | None => false,
    })
}

#[expect(clippy::vec_box, reason = "they are in boxes already, and stay there")]
fn outdate_those(is_meant: impl Fn(TenantId) -> bool) -> Vec<Box<Connection>> {
    POOLS.with_borrow_mut(|pools| {
        let mut idle = Vec::new();
        for pool in pools.pools.iter().flatten().filter(|pool| is_meant(pool.key.tenant)) {
            pool.vintage.pass();
            idle.extend(&pool.idle);
        }
        idle.into_iter().map(|at| pools.remove(at)).collect()
    })
}

/// The ages of some pools' connections.
pub(super) fn vintages(which: Which) -> Vec<Arc<Vintage>> {
    POOLS.with_borrow(|pools| {
        let those = pools.pools.iter().flatten().filter(|pool| which.has(pool.key.tenant));
        those.map(|pool| Arc::clone(&pool.vintage)).collect()
    })
}

/// Asks every opening to end that a table forbids; each token says when one has.
pub(super) fn stop_forbidden(table: &RouteTable) -> Vec<CancellationToken> {
    stop_openings(|pool| sessions::forbidden(&pool.admission, pool.key.level, table))
}

/// Openings for tenants that a table has paused; each token says when one is over.
pub(super) fn under_way_for_paused(table: &RouteTable) -> Vec<CancellationToken> {
    POOLS.with_borrow(|pools| {
        let is_paused = |pool: &&Pool| table.route_of(pool.key.tenant).is_some_and(|route| route.state == RouteState::Paused);
        let opening = pools.pools.iter().flatten().filter(|pool| !pool.openings.is_empty());
        opening.filter(is_paused).flat_map(|pool| pool.openings.iter().map(|under| under.over.clone())).collect()
    })
}

/// Asks every opening to end.
pub(super) fn stop_all() -> Vec<CancellationToken> {
    stop_openings(|_| Some(Reason::ShuttingDown))
}

fn stop_openings(why: impl Fn(&Pool) -> Option<Reason>) -> Vec<CancellationToken> {
    POOLS.with_borrow(|pools| {
        let opening = pools.pools.iter().flatten().filter(|pool| !pool.openings.is_empty());
        let stopped = opening.filter_map(|pool| why(pool).map(|reason| (pool, reason)));
        let asked = stopped.flat_map(|(pool, reason)| pool.openings.iter().map(move |under| (under, reason)));
        asked
            .map(|(under, reason)| {
                under.stop.ask(reason);
                under.over.clone()
            })
            .collect()
    })
}

impl Pools {
    fn begin(&mut self, pool: Pool) -> PoolIndex {
        let (key, id) = (Arc::clone(&pool.key), pool.id);
        let at = self.free_pools.pop().unwrap_or_else(|| {
            self.pools.push(None);
            self.pools.len() - 1
        });
        self.pools[at] = Some(pool);
        self.by_key.insert(key, PoolIndex(at));
        self.by_id.insert(id, PoolIndex(at));
        PoolIndex(at)
    }

    fn pool(&mut self, index: PoolIndex) -> &mut Pool {
        self.pools[index.0].as_mut().expect("a pool with a member or a connection is there")
    }

    fn end_if_empty(&mut self, index: PoolIndex) {
        let pool = self.pool(index);
        if pool.members == 0 && pool.idle.is_empty() && pool.openings.is_empty() {
            let (key, id) = (Arc::clone(&pool.key), pool.id);
            self.by_key.remove(&key);
            self.by_id.remove(&id);
            self.pools[index.0] = None;
            self.free_pools.push(index.0);
        }
    }

    fn link(&mut self, connection: Box<Connection>, pool: PoolIndex, aside: Aside) -> usize {
        let at = self.free_idle.pop().unwrap_or_else(|| {
            self.idle.push(None);
            self.idle.len() - 1
        });
        self.idle[at] = Some(Idle { connection, pool, older: self.newest, newer: None, aside: aside == Aside::Yes });
        match self.newest {
            Some(newest) => self.idle[newest].as_mut().expect("a place in the list is taken").newer = Some(at),
            None => self.oldest = Some(at),
        }
        self.newest = Some(at);
        at
    }

    fn unlink(&mut self, at: usize) -> Box<Connection> {
        let Idle { connection, older, newer, .. } = self.idle[at].take().expect("a place in the list is taken");
        match older {
            Some(older) => self.idle[older].as_mut().expect("a place in the list is taken").newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => self.idle[newer].as_mut().expect("a place in the list is taken").older = older,
            None => self.newest = older,
        }
        self.free_idle.push(at);
        connection
    }

    /// As `unlink`, from the pool as well. A pool has few idle connections, and its oldest come first.
    fn remove(&mut self, at: usize) -> Box<Connection> {
        let index = self.idle[at].as_ref().expect("a place in the list is taken").pool;
        self.pool(index).idle.retain(|idle| *idle != at);
        let connection = self.unlink(at);
        self.end_if_empty(index);
        connection
    }
}
