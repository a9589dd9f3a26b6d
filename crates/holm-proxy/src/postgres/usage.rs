//! Who uses this node, and how much, at the moment of asking.
//!
//! Promises: it is what the console shows too (`survey`), so that the two never differ in what they look at. Bounded: of the
//! tenants only the busiest are told, of the others how many they are. The parts are of slightly different moments. Refuses to
//! tell rates: they are the difference of two looks, and it has one; but it says which two may be subtracted.

use std::cmp::Reverse;
use std::collections::HashMap;

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::id::{ClusterId, TenantId};
use holm_core::limits::shared_by_tenants;
use holm_core::route::RouteTable;
use holm_core::slug::TenantSlug;

use super::budget::TenantCounts;
use super::survey::{self, Seen, Tallies};
use super::transaction::inventory::Tallied;
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
    /// Those of them that are pooled by transaction and keep their server connection.
    pub pinned: u32,
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
    /// What its clients that share connections have done; `None` when there are none, and were none of late.
    pub counted: Option<Counted>,
}

/// What a tenant's clients in transaction pooling have done since counting began: it begins anew when nobody has used the tenant
/// for some minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Where it was counted. The difference of two looks is what happened in between if this is the same in both, and means
    /// nothing otherwise.
    pub tallies: Tallies,
    /// Transactions from beginning to end.
    pub transactions: u64,
    /// How long these took, waits included, in microseconds.
    pub transactions_us: u64,
    /// How often a client was given a server connection.
    pub lendings: u64,
    /// How long clients waited for one, at their login and in vain too, in microseconds; most find one at once.
    pub waits_us: u64,
}

impl Gauges {
    /// The use of one environment, with at most `tenants_max` of its tenants; `None` when the proxy runs no more.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub async fn usage(&self, environment: &EnvironmentName, tenants_max: usize) -> Option<Usage> {
        let node = self.0.upgrade()?;
        let (seen, table) = (survey::tenants(&node).await, survey::table(&node));
        drop(node);
        let is_here = |id: ClusterId| table.cluster(id).is_some_and(|cluster| cluster.environment == *environment);
        let clusters = self.clusters_that(is_here);
        let environment = environment.clone();
        // Some thousands take milliseconds. An error is a process that ends.
        let told = tokio::task::spawn_blocking(move || of_tenants(&table, seen, &environment, tenants_max)).await;
        told.ok().map(|(sessions, tenants, others)| Usage { sessions, clusters, tenants, others })
    }
}

/// How many sessions there are, the busiest tenants, and how many others.
fn of_tenants(
    table: &RouteTable,
    seen: HashMap<TenantId, Seen>,
    environment: &EnvironmentName,
    tenants_max: usize,
) -> (usize, Vec<TenantUse>, usize) {
    let mut tenants: Vec<TenantUse> = seen.into_iter().filter_map(|(tenant, seen)| of_tenant(table, tenant, &seen, environment)).collect();
    tenants.sort_by(|one, other| busiest(one).cmp(&busiest(other)));
    let sessions = tenants.iter().map(|tenant| usize::try_from(tenant.sessions).unwrap_or(usize::MAX)).sum();
    let others = tenants.len().saturating_sub(tenants_max);
    tenants.truncate(tenants_max);
    (sessions, tenants, others)
}

fn of_tenant(table: &RouteTable, tenant: TenantId, seen: &Seen, environment: &EnvironmentName) -> Option<TenantUse> {
    // A tenant that has lost its route meanwhile is about to lose its sessions.
    let route = table.route_of(tenant).filter(|route| route.environment == *environment)?;
    let cluster = table.cluster(route.cluster)?;
    let (used, counts) = (seen.sum(), seen.counts);
    let shared = shared_by_tenants(cluster.connections_max);
    let most = if counts == TenantCounts::default() { route.limits.max().unwrap_or(shared) } else { counts.most };
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Some(TenantUse {
        slug: route.slug.clone(),
        cluster: cluster.name.clone(),
        sessions: number(used.clients),
        pinned: number(used.pinned),
        waiting: counts.waiting,
        connections: counts.open,
        opening: counts.connecting,
        closing: counts.closing,
        most: most.min(shared),
        counted: counted(used.tallies, used.tallied),
    })
}

fn counted(tallies: Tallies, tallied: Tallied) -> Option<Counted> {
    let Tallied { lendings, transactions, transactions_us, waits_us } = tallied;
    (!tallies.are_none()).then_some(Counted { tallies, transactions, transactions_us, lendings, waits_us })
}

/// Smaller is busier; the name decides between equals, so that two looks show the same order.
fn busiest(tenant: &TenantUse) -> (Reverse<u32>, Reverse<u32>, Reverse<u32>, &str) {
    let connections = tenant.connections + tenant.opening + tenant.closing;
    (Reverse(tenant.waiting), Reverse(connections), Reverse(tenant.sessions), tenant.slug.as_str())
}
