//! Applies route tables as they come, and acknowledges each only when no session is left that it forbids.

use std::sync::Arc;

use holm_link::Feed;

use super::Node;

/// Follows the feed for as long as it has news. When the control plane is gone, the last table stays in use.
///
/// # Cancel safety
/// Safe: a table that is not enforced is not acknowledged.
pub(super) async fn follow(mut feed: Feed, node: Arc<Node>) {
    while let Some(table) = feed.next().await {
        node.desks.follow();
        node.console.follow(&table);
        // Logins load the table themselves, and it was the newest before we heard of it.
        node.sessions.enforce(&table).await;
        // Those of sessions that are gone now are among them.
        node.homes.enforce(&table).await;
        feed.acknowledge(table.version());
    }
    tracing::warn!("the control plane is gone; the last routes stay in use");
    // The feed is kept: dropping it would tell a control plane that comes back that this node has no sessions.
    std::future::pending::<()>().await;
}
