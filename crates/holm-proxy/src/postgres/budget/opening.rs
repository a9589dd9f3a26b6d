//! Openings: whose is next, and what comes of them.
//!
//! Promises: while a place is free, the gate is open and somebody waits whom it admits, one more is begun.

use holm_core::id::TenantId;

use super::refusal::Because;
use super::scheduler::{Action, Alarm, Failure, Illegal, Place, PoolId, Scheduler};
use super::tenant::{Connection, Stage};
use super::turn::Need;
use super::verdict::Occasion;

impl Scheduler {
    pub(super) fn open_what_may_be_opened(&mut self) {
        while self.used < self.ceiling && self.storm.room(&self.pace) > 0 {
            let Some(tenant) = self.next_turn() else { break };
            self.open_for(tenant);
        }
    }

    fn next_turn(&mut self) -> Option<TenantId> {
        if let Some(first) = self.turns.first(Need::BelowMinimum) {
            return Some(first);
        }
        match (self.turns.first(Need::HasNone), self.turns.first(Need::WantsMore)) {
            (Some(none), Some(more)) if !self.is_starved(more) => {
                // Each opening looks at another of them, so that a stuck one is found however many there are.
                self.goes_to_the_back(more);
                Some(none)
            }
            (none, more) => more.or(none),
        }
    }

    pub(super) fn is_starved(&self, tenant: TenantId) -> bool {
        self.tenants[&tenant].is_starved(self.now, self.pace.patience)
    }

    pub(super) fn goes_to_the_back(&mut self, id: TenantId) {
        let tenant = self.tenants.get_mut(&id).expect("who waits for a turn is remembered");
        tenant.turn = tenant.turn.map(|turn| self.turns.again(turn, tenant.limits.weight));
    }

    fn open_for(&mut self, id: TenantId) {
        let place = self.number_place();
        let tenant = self.tenants.get_mut(&id).expect("who waits for a turn is remembered");
        let (_, pool_id) = *tenant.ready.first().expect("who waits for a turn has a pool that needs an opening");
        let pool = self.pools.get_mut(&pool_id).expect("a pool with waiters is remembered");
        let (_, ticket) = pool.waiters.first().expect("a pool that needs an opening has a waiter");
        tenant.turn = tenant.turn.map(|turn| self.turns.used(turn, tenant.limits.weight));
        tenant.served_at = self.now;
        tenant.connecting += 1;
        tenant.pools.gains(pool_id);
        pool.connecting += 1;
        self.holders.gains(id);
        self.storm.begins();
        self.used += 1;
        self.connections.insert(place, Connection { pool: pool_id, tenant: id, stage: Stage::Connecting });
        self.actions.push(Action::Open { place, worker: pool.worker, pool: pool_id, tenant: id, ticket });
        self.refresh(pool_id);
    }

    pub(super) fn opened(&mut self, place: Place) -> Result<(), Illegal> {
        let pool_id = self.expect("opened", place, |stage| stage == Stage::Connecting)?;
        self.connections.entry(place).and_modify(|connection| connection.stage = Stage::Open { since: self.now });
        let pool = self.pools.get_mut(&pool_id).expect("a connection's pool is remembered");
        let tenant = self.tenants.get_mut(&pool.tenant).expect("a pool's tenant is remembered");
        pool.connecting -= 1;
        tenant.connecting -= 1;
        tenant.open += 1;
        let alarm = self.storm.succeeded(pool_id);
        alarm.into_iter().for_each(|at| _ = self.alarms.remove(&(at, Alarm::BackOff(pool_id))));
        self.decide(place, Occasion::Opened);
        Ok(())
    }

    pub(super) fn failed(&mut self, place: Place, failure: Failure) -> Result<(), Illegal> {
        let pool_id = self.expect("failed", place, |stage| stage == Stage::Connecting)?;
        let pool = self.pools.get_mut(&pool_id).expect("a connection's pool is remembered");
        let tenant = self.tenants.get_mut(&pool.tenant).expect("a pool's tenant is remembered");
        pool.connecting -= 1;
        tenant.connecting -= 1;
        let (old, new) = self.storm.failed(pool_id, self.now, &self.pace);
        old.into_iter().for_each(|at| _ = self.alarms.remove(&(at, Alarm::BackOff(pool_id))));
        self.alarms.insert((new, Alarm::BackOff(pool_id)));
        self.forget(place);
        if failure == Failure::Final {
            while let Some((_, ticket)) = self.pools.get(&pool_id).and_then(|pool| pool.waiters.first()) {
                self.refuse(ticket, Because::OpeningFailed);
            }
        }
        Ok(())
    }

    pub(super) fn closed(&mut self, place: Place) -> Result<(), Illegal> {
        self.expect("closed", place, |stage| stage != Stage::Connecting)?;
        let connection = &self.connections[&place];
        let tenant = self.tenants.get_mut(&connection.tenant).expect("a connection's tenant is remembered");
        if connection.stage == Stage::Closing {
            tenant.closing -= 1;
            self.closing -= 1;
        } else {
            tenant.open -= 1;
        }
        self.forget(place);
        Ok(())
    }

    /// Whether the pool of an opening has connections that its waiters can wait for.
    pub(in crate::postgres) fn has_others(&self, place: Place) -> bool {
        self.connections.get(&place).is_some_and(|connection| {
            let connecting = self.pools.get(&connection.pool).map_or(0, |pool| pool.connecting);
            self.tenants.get(&connection.tenant).is_some_and(|tenant| tenant.pools.count(connection.pool) > connecting)
        })
    }

    /// The place is free.
    fn forget(&mut self, place: Place) {
        let Some(Connection { pool, tenant, .. }) = self.connections.remove(&place) else { return };
        self.used -= 1;
        self.holders.loses(tenant);
        self.tenants.get_mut(&tenant).expect("a connection's tenant is remembered").pools.loses(pool);
        self.refresh(pool);
    }

    /// The pool of a connection that is in such a stage.
    pub(super) fn expect(&self, event: &'static str, place: Place, legal: fn(Stage) -> bool) -> Result<PoolId, Illegal> {
        match self.connections.get(&place) {
            Some(connection) if legal(connection.stage) => Ok(connection.pool),
            other => Err(Illegal::Stage { event, place, stage: other.map(|connection| connection.stage) }),
        }
    }
}
