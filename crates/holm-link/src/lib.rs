//! Carries word between the control plane and the nodes of the data plane: route tables one way, acknowledgements the other.
//!
//! Promises: a node that has acknowledged a version uses it, or a newer one, for every session from then on, and has
//! closed the sessions that it forbids. Within one process the word is a pointer; between processes it is a [`message`].
//! [`wire`] is a table as bytes, [`bundle`] seals bytes for one node, [`kept`] is what a node keeps on its disk, [`certificate`]
//! is what says that a database may be used where it is. Refuses queues: only the newest table matters.

pub mod bundle;
pub mod certificate;
mod clock;
pub mod kept;
pub mod message;
pub mod wire;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use holm_core::route::{RouteTable, RouteVersion};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;

/// The control plane's end: publishes tables, awaits acknowledgements.
#[derive(Clone, Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
}

/// A node's end: reads the newest table, acknowledges it.
#[derive(Debug)]
pub struct Feed {
    shared: Arc<Shared>,
    published: watch::Receiver<RouteVersion>,
    acknowledged: watch::Sender<RouteVersion>,
}

/// A cheap reader of the newest table, for as many tasks as like.
#[derive(Clone, Debug)]
pub struct Routes {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    table: ArcSwap<RouteTable>,
    clock: Clock,
    published: watch::Sender<RouteVersion>,
    nodes: Mutex<Vec<watch::Receiver<RouteVersion>>>,
}

impl Shared {
    fn nodes(&self) -> MutexGuard<'_, Vec<watch::Receiver<RouteVersion>>> {
        // A panic while holding the list leaves it whole: every change of it is one push or one retain.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nodes that had not acknowledged a version when the time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{silent} of {nodes} data-plane nodes have not confirmed route version {version}")]
pub struct Silent {
    /// The version.
    pub version: RouteVersion,
    /// How many have not confirmed.
    pub silent: usize,
    /// How many there are.
    pub nodes: usize,
}

impl Default for Publisher {
    fn default() -> Self {
        let shared = Shared {
            table: ArcSwap::default(),
            clock: Clock::default(),
            published: watch::Sender::new(RouteVersion::default()),
            nodes: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl Publisher {
    /// Connects a node of this process.
    pub fn subscribe(&self) -> Feed {
        let acknowledged = watch::Sender::new(RouteVersion::default());
        self.shared.nodes().push(acknowledged.subscribe());
        let mut published = self.shared.published.subscribe();
        // The table that is there already is news to this node.
        published.mark_changed();
        Feed { shared: Arc::clone(&self.shared), published, acknowledged }
    }

    /// The table as last published.
    pub fn table(&self) -> Arc<RouteTable> {
        self.shared.table.load_full()
    }

    /// Makes a table the newest. One task may call this; an older version than the newest is not published.
    pub fn publish(&self, table: RouteTable) {
        let version = table.version();
        if version <= self.shared.table.load().version() {
            return;
        }
        if let Some(authority) = table.authority() {
            self.shared.clock.set(authority.told_at);
        }
        self.shared.table.store(Arc::new(table));
        self.shared.published.send_replace(version);
    }

    /// Says what time it is where certificates are signed; from then on it passes as this machine's steady clock runs.
    pub fn is_now(&self, now: Timestamp) {
        self.shared.clock.set(now);
    }

    /// Waits until every connected node uses `version` or a newer one. With no node there is nobody to wait for.
    ///
    /// # Errors
    /// [`Silent`] when `patience` is over first.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub async fn acknowledged(&self, version: RouteVersion, patience: Duration) -> Result<(), Silent> {
        let nodes: Vec<_> = {
            let mut nodes = self.shared.nodes();
            nodes.retain(|node| node.has_changed().is_ok());
            nodes.clone()
        };
        let count = nodes.len();
        let deadline = tokio::time::Instant::now() + patience;
        let mut silent = 0;
        for mut node in nodes {
            // An error is a node that went away: it has no sessions any more.
            if tokio::time::timeout_at(deadline, node.wait_for(|seen| *seen >= version)).await.is_err() {
                silent += 1;
            }
        }
        if silent > 0 { Err(Silent { version, silent, nodes: count }) } else { Ok(()) }
    }

    /// A reader that acknowledges nothing.
    pub fn routes(&self) -> Routes {
        Routes { shared: Arc::clone(&self.shared) }
    }
}

impl Feed {
    /// A reader for the node's tasks.
    pub fn routes(&self) -> Routes {
        Routes { shared: Arc::clone(&self.shared) }
    }

    /// Waits for a table that is newer than the last one returned, or `None` when the control plane is gone.
    ///
    /// # Cancel safety
    /// Safe: a table is marked as seen only when it is returned.
    pub async fn next(&mut self) -> Option<Arc<RouteTable>> {
        self.published.changed().await.ok()?;
        self.published.borrow_and_update();
        Some(self.shared.table.load_full())
    }

    /// Says that every session from now on uses `version` or a newer one, and that those it forbids are closed.
    pub fn acknowledge(&self, version: RouteVersion) {
        self.acknowledged.send_replace(version);
    }
}

impl Routes {
    /// The newest table; take it anew for every decision.
    pub fn load(&self) -> arc_swap::Guard<Arc<RouteTable>> {
        self.shared.table.load()
    }

    /// What time it is where certificates are signed, as it was told last and has passed since: whatever this machine's wall clock
    /// is set to.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: u64) -> RouteTable {
        RouteTable::default().with(RouteVersion(version), [])
    }

    #[tokio::test]
    async fn a_change_is_acknowledged_only_when_every_node_uses_it() {
        let publisher = Publisher::default();
        let (mut one, mut two) = (publisher.subscribe(), publisher.subscribe());
        publisher.publish(at(1));
        let seen = one.next().await.unwrap().version();
        one.acknowledge(seen);
        let early = publisher.acknowledged(RouteVersion(1), Duration::ZERO).await.unwrap_err();
        assert_eq!((early.silent, early.nodes), (1, 2));
        let seen = two.next().await.unwrap().version();
        two.acknowledge(seen);
        publisher.acknowledged(RouteVersion(1), Duration::from_secs(5)).await.unwrap();
    }

    #[tokio::test]
    async fn a_node_that_went_away_holds_nobody_up() {
        let publisher = Publisher::default();
        drop(publisher.subscribe());
        publisher.publish(at(1));
        publisher.acknowledged(RouteVersion(1), Duration::ZERO).await.unwrap();
    }

    #[tokio::test]
    async fn a_late_node_gets_the_newest_table_and_an_old_table_is_never_published() {
        let publisher = Publisher::default();
        publisher.publish(at(2));
        publisher.publish(at(1));
        let mut late = publisher.subscribe();
        assert_eq!(late.next().await.unwrap().version(), RouteVersion(2));
        assert_eq!(late.routes().load().version(), RouteVersion(2));
    }
}
