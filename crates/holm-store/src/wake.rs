//! Wake-ups: a task that listens on a connection of its own and counts.
//!
//! Promises: after a change was committed the count grows, though not once for each; after a lost connection it grows
//! when the new one listens, since something may have been missed. Refuses data: what changed is read from the tables.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Config, NoTls};

use crate::session::ANSWER_TIMEOUT;

/// Sent with a commit; the payload is empty, so PostgreSQL folds several into one.
pub(crate) const WAKE: &str = "SELECT pg_notify('holm_wake', '')";
/// The channel on which nodes say that something about one of them is new; apart, since only who waits for a node wants it.
pub(crate) const NODES: &str = "holm_node";
const LISTEN: &str = "LISTEN holm_wake; LISTEN holm_node";

/// Long enough not to storm a server that is starting, short enough that nobody notices once it is up.
const BACKOFF_MAX: Duration = Duration::from_secs(1);
const BACKOFF_MIN: Duration = Duration::from_millis(20);

/// One empty statement that often costs nothing that can be measured.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Listens until nobody holds a receiver any more.
pub(crate) async fn listen(config: Config, wakes: watch::Sender<u64>, nodes: watch::Sender<u64>) {
    let mut backoff = BACKOFF_MIN;
    loop {
        tokio::select! {
            // Safe to drop: only a watch is read.
            () = wakes.closed() => return,
            // Safe to drop: the connection closes with it, and nothing was promised on it.
            listened = listen_once(&config, &wakes, &nodes) => {
                backoff = if listened { BACKOFF_MIN } else { (backoff * 2).min(BACKOFF_MAX) };
            }
        }
        tokio::select! {
            // Both safe to drop: a watch and a timer.
            () = wakes.closed() => return,
            () = sleep(jittered(backoff)) => {}
        }
    }
}

/// Listens until the connection ends; returns whether it ever listened.
async fn listen_once(config: &Config, wakes: &watch::Sender<u64>, nodes: &watch::Sender<u64>) -> bool {
    let connected = timeout(ANSWER_TIMEOUT, config.connect(NoTls)).await;
    let (client, mut connection) = match connected {
        Ok(Ok(both)) => both,
        Ok(Err(error)) => {
            tracing::debug!(%error, "the catalog cannot be listened to");
            return false;
        }
        Err(_) => return false,
    };
    let wake = || wakes.send_modify(|count| *count += 1);
    let before = *wakes.borrow();
    let speak = async {
        timeout(ANSWER_TIMEOUT, client.batch_execute(LISTEN)).await.ok()?.ok()?;
        wake();
        nodes.send_modify(|count| *count += 1);
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
            match message {
                AsyncMessage::Notification(said) if said.channel() == NODES => nodes.send_modify(|count| *count += 1),
                AsyncMessage::Notification(_) => wake(),
                _ => {}
            }
        }
    };
    tokio::select! {
        // Both end only with the connection, which is dropped with them.
        _ = speak => {}
        () = hear => {}
    }
    let listened = *wakes.borrow() > before;
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
