//! Who uses this node, and how much, at the moment of asking.
//!
//! Promises: nothing is counted for it while sessions work: it reads what is there anyway, the list of sessions and each
//! cluster's desk, one lock at a time, each for as long as a copy takes. Bounded: of the tenants only the busiest are told, of
//! the others how many they are. The parts are of slightly different moments. Refuses to tell of transactions by tenant:
//! nobody counts them.

use std::cmp::Reverse;
use std::collections::HashMap;

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::id::{ClusterId, TenantId};
use holm_core::limits::shared_by_tenants;
use holm_core::slug::TenantSlug;

use super::budget::TenantCounts;
use super::{ClusterUse, Gauges};

/// The use of one environment, on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Sessions of its tenants that are open.
    pub sessions: usize,
    /// Its clusters that a session has asked for, by name.
    pub clusters: Vec<ClusterUse>,
    /// Its busiest tenants: those whose clients wait first, then those with most connections, then with most sessions.
    pub tenants: Vec<TenantUse>,
    /// How many others have a session, a connection or somebody who waits.
    pub others: usize,
}

/// What one tenant has, on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantUse {
    /// Its name.
    pub slug: TenantSlug,
    /// Where it is.
    pub cluster: ClusterName,
    /// Clients that are logged in, idle ones included.
    pub sessions: u32,
    /// Clients that wait for a server connection.
    pub waiting: u32,
    /// Server connections that are open, those that nobody uses included.
    pub connections: u32,
    /// Those that are being opened.
    pub opening: u32,
    /// Those that are being closed.
    pub closing: u32,
    /// As many as it may have: its own maximum, or all that its cluster's tenants share; 0 while it is paused and in use.
    pub most: u32,
}

#[derive(Default)]
struct Seen {
    sessions: u32,
    counts: TenantCounts,
}

impl Gauges {
    /// The use of one environment, with at most `tenants_max` of its tenants; `None` when the proxy runs no more.
    pub fn usage(&self, environment: &EnvironmentName, tenants_max: usize) -> Option<Usage> {
        let node = self.0.upgrade()?;
        let table = node.routes.load();
        let mut seen: HashMap<TenantId, Seen> = HashMap::new();
        for tenant in node.sessions.tenants() {
            seen.entry(tenant).or_default().sessions += 1;
        }
        for counts in node.desks.tenants() {
            seen.entry(counts.0).or_default().counts = counts.1;
        }
        let mut tenants: Vec<TenantUse> = seen
            .into_iter()
            .filter_map(|(tenant, seen)| {
                // A tenant that has lost its route meanwhile is about to lose its sessions.
                let route = table.route_of(tenant).filter(|route| route.environment == *environment)?;
                let cluster = table.cluster(route.cluster)?;
                let Seen { sessions, counts } = seen;
                let shared = shared_by_tenants(cluster.connections_max);
                let most = if counts == TenantCounts::default() { route.limits.max().unwrap_or(shared) } else { counts.most };
                Some(TenantUse {
                    slug: route.slug.clone(),
                    cluster: cluster.name.clone(),
                    sessions,
                    waiting: counts.waiting,
                    connections: counts.open,
                    opening: counts.connecting,
                    closing: counts.closing,
                    most: most.min(shared),
                })
            })
            .collect();
        tenants.sort_by(|one, other| busiest(one).cmp(&busiest(other)));
        let sessions = tenants.iter().map(|tenant| usize::try_from(tenant.sessions).unwrap_or(usize::MAX)).sum();
        let others = tenants.len().saturating_sub(tenants_max);
        tenants.truncate(tenants_max);
        let is_here = |id: ClusterId| table.cluster(id).is_some_and(|cluster| cluster.environment == *environment);
        Some(Usage { sessions, clusters: self.clusters_that(is_here), tenants, others })
    }
}

/// Smaller is busier; the name decides between equals, so that two looks show the same order.
fn busiest(tenant: &TenantUse) -> (Reverse<u32>, Reverse<u32>, Reverse<u32>, &str) {
    let connections = tenant.connections + tenant.opening + tenant.closing;
    (Reverse(tenant.waiting), Reverse(connections), Reverse(tenant.sessions), tenant.slug.as_str())
}
