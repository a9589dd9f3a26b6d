//! The desk of every cluster that somebody has asked for, and the clock that they share.
//!
//! Promises: a desk's budget, and what each tenant may have of it, are the newest table's, from the moment that the table is
//! applied; one timer for all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use holm_core::cluster::Cluster;
use holm_core::id::{ClusterId, TenantId};
use holm_link::Routes;
use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::desk::{Desk, Told};
use super::holds::Holds;
use super::scheduler::{Counts, PoolId, TenantCounts};
use crate::postgres::home::Homes;

pub(in crate::postgres) struct Desks {
    routes: Routes,
    holds: Arc<Holds>,
    homes: Arc<Homes>,
    desks: Mutex<HashMap<ClusterId, Arc<Desk>>>,
    earlier: Arc<Notify>,
    pools: AtomicU64,
}

impl Desks {
    pub(in crate::postgres) fn new(routes: Routes, holds: Arc<Holds>, homes: Arc<Homes>) -> Self {
        Self { routes, holds, homes, desks: Mutex::default(), earlier: Arc::default(), pools: AtomicU64::new(0) }
    }

    /// A cluster's desk.
    pub(in crate::postgres) fn of(&self, cluster: &Cluster) -> Arc<Desk> {
        let mut desks = self.desks();
        // Read under the lock, so that an older table never replaces a newer one's budget.
        let newest = self.routes.load().cluster(cluster.id).map_or(cluster.connections_max, |known| known.connections_max);
        let desk = desks.entry(cluster.id).or_insert_with(|| {
            let told = Told { routes: self.routes.clone(), holds: Arc::clone(&self.holds) };
            Arc::new(Desk::new(cluster.id, newest, told, Arc::clone(&self.homes), Arc::clone(&self.earlier)))
        });
        desk.resize(newest);
        Arc::clone(desk)
    }

    /// Has every desk obey the newest table.
    pub(in crate::postgres) fn follow(&self) {
        let desks = self.desks();
        let table = self.routes.load();
        for (cluster, desk) in &*desks {
            table.cluster(*cluster).into_iter().for_each(|known| desk.resize(known.connections_max));
            desk.heed_limits();
        }
    }

    /// What every cluster's connections are used for, in no order.
    pub(in crate::postgres) fn counts(&self) -> Vec<(ClusterId, Counts)> {
        self.desks().iter().map(|(cluster, desk)| (*cluster, desk.counts())).collect()
    }

    /// What every tenant has that has a connection or a waiter, in no order.
    pub(in crate::postgres) fn tenants(&self) -> Vec<(TenantId, TenantCounts)> {
        let desks: Vec<_> = self.desks().values().cloned().collect();
        desks.iter().flat_map(|desk| desk.tenants()).collect()
    }

    /// A number that no other pool of this node has.
    pub(in crate::postgres) fn number_pool(&self) -> PoolId {
        PoolId(self.pools.fetch_add(1, Ordering::Relaxed))
    }

    /// Wakes every desk when it wants to be.
    ///
    /// # Cancel safety
    /// Safe: what is not done yet is due when it runs again.
    pub(in crate::postgres) async fn keep_time(&self) {
        loop {
            let desks: Vec<_> = self.desks().values().cloned().collect();
            let next: Option<Instant> = desks.iter().filter_map(Desk::look).min();
            let due = async {
                match next {
                    Some(next) => sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.earlier.notified() => {}
            }
        }
    }

    fn desks(&self) -> MutexGuard<'_, HashMap<ClusterId, Arc<Desk>>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
