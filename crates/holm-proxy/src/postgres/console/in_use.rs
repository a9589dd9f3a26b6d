//! The tenants in use as the console shows them: by the names that clients use.
//!
//! Promises: what is in it is what the survey has seen, of tenants that have a route; nothing is read a second time.

use std::collections::HashMap;
use std::sync::Arc;

use holm_core::credential::Level;
use holm_core::id::TenantId;
use holm_core::route::{Route, RouteTable};

use crate::postgres::Node;
use crate::postgres::survey::{self, Seen, Use};

use super::names::name_of;

/// A tenant that a client, or a server connection, is there for.
pub(super) struct TenantUse {
    pub(super) name: String,
    pub(super) route: Arc<Route>,
    pub(super) sum: Use,
    /// Those that there are, the most powerful first.
    pub(super) levels: Vec<(Level, Use)>,
}

/// Every tenant in use, by name.
pub(super) async fn tenants(node: &Node) -> Vec<TenantUse> {
    let (seen, table) = (survey::tenants(node).await, survey::table(node));
    // Naming and sorting some thousands takes milliseconds, which sessions of this worker are not to wait for.
    tokio::task::spawn_blocking(move || by_name(&table, seen)).await.unwrap_or_default()
}

fn by_name(table: &RouteTable, seen: HashMap<TenantId, Seen>) -> Vec<TenantUse> {
    // Of one that its desk alone knows, the last connection is being closed: there is nothing to show of it.
    let used = seen.into_iter().filter(|(_, seen)| !seen.levels.is_empty());
    let mut tenants: Vec<TenantUse> = used
        .filter_map(|(tenant, seen)| {
            // One whose route has gone is on its way out itself.
            let route = table.route_of(tenant)?;
            let (sum, mut levels) = (seen.sum(), seen.levels);
            levels.sort_unstable_by_key(|(level, _)| *level);
            Some(TenantUse { name: name_of(table, route), route: Arc::clone(route), sum, levels })
        })
        .collect();
    tenants.sort_by(|one, other| one.name.cmp(&other.name));
    tenants
}
