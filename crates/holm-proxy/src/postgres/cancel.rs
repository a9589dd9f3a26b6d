//! Cancel keys and cancel requests.
//!
//! Promises: a key reaches the one session it was given to, of the one tenant, and nothing after that session has ended;
//! requests on the way to servers are bounded, and so are wrong guesses from one address. A cancel request is never
//! answered, as in PostgreSQL: the connection is closed when it has done what it could.
//!
//! Key of protocol 3.2: node (4 bytes), slot (4), generation (8), HMAC-SHA-256 over these and the tenant (16). Protocol 3.0
//! leaves room for 4 bytes, which are random. Either way the process id is the slot plus one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holm_core::cluster::Cluster;
use holm_pgwire::message;
use holm_pgwire::scram::keys::{Key, equal, hmac};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::Node;
use super::authentication::random;
use super::peer_network::network;
use super::server;
use super::sessions::{ServerKey, Session, Sessions};

/// Each is a connection to a server for some milliseconds; 32 keep a node's share small, and more would wait in the server.
const IN_FLIGHT_MAX: usize = 32;
/// A server that has not closed a cancel connection by then will not.
const PATIENCE: Duration = Duration::from_secs(5);
/// A person who presses Ctrl-C on ended statements makes a few wrong guesses; 2^32 keys at this rate take 136 years.
const WRONG_MAX: u32 = 10;
const WRONG_WINDOW: Duration = Duration::from_secs(10);
/// Some 200 KB; more addresses than that guessing at once are refused without a look.
const ADDRESSES_MAX: usize = 4096;

pub(super) struct Cancels {
    secret: Key,
    node: [u8; 4],
    in_flight: Semaphore,
    wrong: Mutex<HashMap<IpAddr, Wrong>>,
}

struct Wrong {
    count: u32,
    since: Instant,
}

impl Cancels {
    pub(super) fn new() -> Self {
        Self { secret: random(), node: random(), in_flight: Semaphore::new(IN_FLIGHT_MAX), wrong: Mutex::default() }
    }

    /// What BackendKeyData tells the client of a session: process id and key.
    pub(super) fn key_of(&self, session: &Session) -> (u32, Vec<u8>) {
        let process = session.id.slot + 1;
        match session.short_key {
            Some(key) => (process, key.to_vec()),
            None => (process, self.long_key(session).to_vec()),
        }
    }

    fn long_key(&self, session: &Session) -> [u8; 32] {
        let (slot, generation) = (session.id.slot.to_be_bytes(), session.id.generation.to_be_bytes());
        let tenant = session.admission.route.tenant.as_uuid();
        let mac = hmac(&self.secret, &[&self.node, &slot, &generation, tenant.as_bytes()]);
        let mut key = [0; 32];
        key[..4].copy_from_slice(&self.node);
        key[4..8].copy_from_slice(&slot);
        key[8..16].copy_from_slice(&generation);
        key[16..].copy_from_slice(&mac[..16]);
        key
    }

    fn find(&self, sessions: &Sessions, process: u32, key: &[u8]) -> Option<Arc<Session>> {
        let session = sessions.in_slot(process.checked_sub(1)?)?;
        let right = match &session.short_key {
            Some(short) => equal(short, key),
            None => equal(&self.long_key(&session), key),
        };
        right.then_some(session)
    }

    /// Whether an address has guessed too often of late.
    fn is_guessing(&self, address: IpAddr) -> bool {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= ADDRESSES_MAX {
            wrong.retain(|_, seen| seen.since.elapsed() < WRONG_WINDOW);
        }
        match wrong.get(&network(address)) {
            Some(seen) => seen.count >= WRONG_MAX && seen.since.elapsed() < WRONG_WINDOW,
            None => wrong.len() >= ADDRESSES_MAX,
        }
    }

    fn guessed(&self, address: IpAddr) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = wrong.entry(network(address)).or_insert_with(|| Wrong { count: 0, since: Instant::now() });
        if seen.since.elapsed() >= WRONG_WINDOW {
            *seen = Wrong { count: 0, since: Instant::now() };
        }
        seen.count = seen.count.saturating_add(1);
    }
}

/// Does what a cancel request asks, if its key is right.
pub(super) async fn handle(node: &Node, peer: IpAddr, process: u32, key: &[u8]) {
    let sent = pass_on(node, peer, process, key).await.is_some();
    node.counters.cancel(sent);
}

async fn pass_on(node: &Node, peer: IpAddr, process: u32, key: &[u8]) -> Option<()> {
    if node.cancels.is_guessing(peer) {
        return None;
    }
    let Some(session) = node.cancels.find(&node.sessions, process, key) else {
        node.cancels.guessed(peer);
        tracing::info!(peer.addr = %peer, "a cancel request with a key of no session");
        return None;
    };
    let _place = node.cancels.in_flight.try_acquire().ok()?;
    if session.cancelling.swap(true, Ordering::SeqCst) {
        return None;
    }
    let sent = match session.server_key.load() {
        Some(server_key) => {
            timeout(PATIENCE, send(&reached(node, &session.admission.cluster), &server_key)).await.ok().and_then(Result::ok)
        }
        None => None,
    };
    session.cancelling.store(false, Ordering::SeqCst);
    sent
}

/// A cluster at the address that a session has there, with what is shown there today.
fn reached(node: &Node, then: &Cluster) -> Cluster {
    let now = node.routes.load().cluster(then.id).filter(|now| now.address == then.address).map(|now| now.client_certificate.clone());
    Cluster { client_certificate: now.unwrap_or_else(|| then.client_certificate.clone()), ..then.clone() }
}

/// Asks a server to cancel, and waits until it has taken notice.
pub(super) async fn send(cluster: &Cluster, key: &ServerKey) -> std::io::Result<()> {
    let mut stream = server::connect_to_cancel(cluster).await?;
    let mut request = Vec::new();
    message::cancel_request(&mut request, key.process, &key.key);
    stream.write_all(&request).await?;
    stream.flush().await?;
    // The server closes when it has signalled the backend. It has nothing to say before that.
    match stream.read(&mut [0; 16]).await {
        // Some servers end TLS without its word for it.
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn guesses_are_counted_by_network_and_bounded() {
        let cancels = Cancels::new();
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..WRONG_MAX {
            assert!(!cancels.is_guessing(one));
            cancels.guessed(one);
        }
        assert!(cancels.is_guessing(one) && !cancels.is_guessing(other));
        assert!(cancels.is_guessing("::ffff:192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn more_addresses_than_there_is_room_for_are_refused_unseen() {
        let cancels = Cancels::new();
        for i in 0..ADDRESSES_MAX {
            cancels.guessed(IpAddr::V6(Ipv6Addr::from_bits(u128::try_from(i).unwrap() << 64)));
        }
        assert!(cancels.is_guessing("192.0.2.1".parse().unwrap()));
    }
}
