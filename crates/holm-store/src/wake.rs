//! Wake-ups: a task that listens on a connection of its own and counts.
//!
//! Promises: after a change was committed the count grows, though not once for each; after a lost connection it grows
//! when the new one listens, since something may have been missed. Refuses data of its own: what changed is read from the tables. Words
//! that nodes say to each other are passed on as they came; one may be lost, and nothing rests on any.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use tokio::sync::{broadcast, watch};
use tokio::time::{sleep, timeout};
use tokio_postgres::AsyncMessage;

use crate::address::CatalogAddress;
use crate::encrypted::Encrypting;

use crate::session::ANSWER_TIMEOUT;

/// Besides `holm_wake`, which says that something of routes, tenants, databases or clusters changed: an operation may be due.
/// Apart, so that not everybody looks around for each. None but the last has a payload: PostgreSQL folds what is said twice.
const DUE: &str = "holm_due";
/// An operation is over or was spoken to: for those who watch one.
const TOLD: &str = "holm_told";
/// The channel on which nodes say that something about one of them is new; apart, since only who waits for a node wants it.
pub(crate) const NODES: &str = "holm_node";
/// The channel of words from node to node.
pub(crate) const WORDS: &str = "holm_word";
const LISTEN: &str = "LISTEN holm_wake; LISTEN holm_due; LISTEN holm_told; LISTEN holm_node; LISTEN holm_word";

/// What a transaction tells the others with its commit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// Something of routes, tenants, databases or clusters changed.
    pub(crate) changed: bool,
    /// An operation may be due.
    pub(crate) due: bool,
    /// An operation is over, or was spoken to.
    pub(crate) told: bool,
}

impl Told {
    /// The words and the commit, as one message.
    pub(crate) const fn commit(self) -> &'static str {
        match (self.changed, self.due, self.told) {
            (false, false, false) => "COMMIT",
            (true, false, false) => "NOTIFY holm_wake; COMMIT",
            (false, true, false) => "NOTIFY holm_due; COMMIT",
            (true, true, false) => "NOTIFY holm_wake; NOTIFY holm_due; COMMIT",
            (false, false, true) => "NOTIFY holm_told; COMMIT",
            (true, false, true) => "NOTIFY holm_wake; NOTIFY holm_told; COMMIT",
            (false, true, true) => "NOTIFY holm_due; NOTIFY holm_told; COMMIT",
            (true, true, true) => "NOTIFY holm_wake; NOTIFY holm_due; NOTIFY holm_told; COMMIT",
        }
    }
}

/// What was heard is counted here.
#[derive(Clone)]
pub(crate) struct Counts {
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) due: watch::Sender<u64>,
    pub(crate) told: watch::Sender<u64>,
    pub(crate) nodes: watch::Sender<u64>,
    /// And words are passed on.
    pub(crate) words: broadcast::Sender<Arc<str>>,
}

impl Counts {
    fn all(&self) {
        for count in [&self.changes, &self.due, &self.told, &self.nodes] {
            grow(count);
        }
    }

    fn one(&self, channel: &str, payload: &str) {
        grow(match channel {
            WORDS => {
                // Nobody may be listening.
                let _ = self.words.send(payload.into());
                return;
            }
            DUE => &self.due,
            TOLD => &self.told,
            NODES => &self.nodes,
            _ => &self.changes,
        });
    }
}

fn grow(count: &watch::Sender<u64>) {
    count.send_modify(|count| *count = count.wrapping_add(1));
}

/// Long enough not to storm a server that is starting, short enough that nobody notices once it is up.
const BACKOFF_MAX: Duration = Duration::from_secs(1);
const BACKOFF_MIN: Duration = Duration::from_millis(20);

/// What is said meanwhile on a connection that only seems to live is found by whoever looks now and then.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Listens until nobody holds a receiver any more.
pub(crate) async fn listen(address: CatalogAddress, counts: Counts) {
    let mut backoff = BACKOFF_MIN;
    loop {
        tokio::select! {
            // Safe to drop: only a watch is read.
            () = counts.changes.closed() => return,
            // Safe to drop: the connection closes with it, and nothing was promised on it.
            listened = listen_once(&address, &counts) => {
                backoff = if listened { BACKOFF_MIN } else { (backoff * 2).min(BACKOFF_MAX) };
            }
        }
        tokio::select! {
            // Both safe to drop: a watch and a timer.
            () = counts.changes.closed() => return,
            () = sleep(jittered(backoff)) => {}
        }
    }
}

/// Listens until the connection ends; returns whether it ever listened.
async fn listen_once(address: &CatalogAddress, counts: &Counts) -> bool {
    let connected = timeout(ANSWER_TIMEOUT, address.config.connect(Encrypting(address.tls.clone()))).await;
    let (client, mut connection) = match connected {
        Ok(Ok(both)) => both,
        Ok(Err(error)) => {
            tracing::debug!(%error, "the catalog cannot be listened to");
            return false;
        }
        Err(_) => return false,
    };
    let before = *counts.changes.borrow();
    let speak = async {
        timeout(ANSWER_TIMEOUT, client.batch_execute(LISTEN)).await.ok()?.ok()?;
        counts.all();
        loop {
            sleep(HEARTBEAT).await;
            // A peer that only acknowledges what it is sent looks alive to TCP.
            timeout(ANSWER_TIMEOUT, client.batch_execute("")).await.ok()?.ok()?;
        }
        #[expect(unreachable_code, reason = "it says the type of the block, which ends only by `?`")]
        Some(())
    };
    let hear = async {
        let mut messages = poll_fn(|context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(said) = message {
                counts.one(said.channel(), said.payload());
            }
        }
    };
    tokio::select! {
        // Both end only with the connection, which is dropped with them.
        _ = speak => {}
        () = hear => {}
    }
    let listened = *counts.changes.borrow() != before;
    if listened {
        tracing::warn!("the connection that listens to the catalog was lost; connecting again");
    }
    listened
}

/// Between half and all of a wait, so that processes that lost one server do not return to it as one.
fn jittered(wait: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1000;
    wait / 2 + wait / 2 * u32::try_from(random).expect("less than 1000") / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_jittered_between_half_and_all_of_it() {
        let waits: Vec<Duration> = (0..100).map(|_| jittered(BACKOFF_MAX)).collect();
        assert!(waits.iter().all(|wait| (BACKOFF_MAX / 2..=BACKOFF_MAX).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "always {:?}", waits[0]);
    }
}
