//! How many connections a cluster has from us, counted exactly: connecting and closing ones included.
//!
//! Promises: never more permits than the cluster's `connections_max` of the newest table. Refuses to wait, in this form.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use holm_core::cluster::Cluster;
use holm_core::id::ClusterId;

#[derive(Debug, Default)]
pub(super) struct Budget {
    clusters: Mutex<HashMap<ClusterId, Arc<AtomicU32>>>,
}

/// One connection's place; held until the server's socket is closed.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicU32>);

impl Budget {
    /// A place on the cluster, if it has one left.
    pub(super) fn take(&self, cluster: &Cluster) -> Option<Permit> {
        let used = {
            let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(clusters.entry(cluster.id).or_default())
        };
        let grown = |used: u32| (used < cluster.connections_max).then(|| used + 1);
        used.fetch_update(Ordering::AcqRel, Ordering::Acquire, grown).ok()?;
        Some(Permit(used))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holm_core::cluster::ServerAddress;

    fn cluster(connections_max: u32) -> Cluster {
        Cluster {
            id: "clu_00000000000000000000000000000001".parse().unwrap(),
            name: "a".parse().unwrap(),
            environment: "production".parse().unwrap(),
            address: ServerAddress { host: "localhost".into(), port: 1 },
            connections_max,
        }
    }

    #[test]
    fn a_cluster_never_has_more_than_its_budget_even_when_it_shrinks() {
        let budget = Budget::default();
        let (first, second) = (budget.take(&cluster(2)).unwrap(), budget.take(&cluster(2)).unwrap());
        assert!(budget.take(&cluster(2)).is_none());
        assert!(budget.take(&cluster(1)).is_none());
        drop(first);
        assert!(budget.take(&cluster(1)).is_none());
        drop(second);
        assert!(budget.take(&cluster(1)).is_some());
        assert!(budget.take(&cluster(0)).is_none());
    }
}
