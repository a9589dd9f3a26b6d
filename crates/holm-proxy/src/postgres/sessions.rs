//! Every open session of the node, as others may find it: to end it, or to cancel its statement.
//!
//! Promises: an entry belongs to one tenant for its whole life and its place is taken again only under a new generation, so
//! that neither a stop nor a cancel can reach another session. Registered before the last look at the route table, so that a
//! suspension either finds the session here or is found by it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use holm_core::credential::{Credential, Level};
use holm_core::id::TenantId;
use holm_core::placement::Placement;
use holm_core::route::{Admission, RouteState, RouteTable};
use holm_core::secret::Secret;
use tokio::sync::watch;

use super::pooling::Pooling;
use super::stop::{Reason, Stop};

/// One session's name on this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SessionId {
    pub(super) slot: u32,
    pub(super) generation: u64,
}

/// What a server wants to see in a CancelRequest.
#[derive(Debug)]
pub(super) struct ServerKey {
    pub(super) process: u32,
    pub(super) key: Box<[u8]>,
    /// Since when the connection is there.
    pub(super) since: SystemTime,
    /// Somebody of the console wants it replaced. For who looks on; whoever gives it back is told by its vintage.
    pub(super) close_needed: AtomicBool,
}

/// How a session's client came, for who looks on.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    pub(super) since: SystemTime,
    /// The version of TLS that it speaks, if it does.
    pub(super) tls: Option<&'static str>,
    /// What it calls itself, cut short and fit to be printed.
    pub(super) application: Box<str>,
    pub(super) pooling: Pooling,
}

/// The key of the server connection that a session has now. It changes with every transaction and is read by a cancel alone,
/// so that a lock that is nearly always free costs less than a swap that never waits.
#[derive(Debug, Default)]
pub(super) struct CurrentKey(Mutex<Option<Arc<ServerKey>>>);

impl CurrentKey {
    pub(super) fn store(&self, key: Option<Arc<ServerKey>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }

    pub(super) fn load(&self) -> Option<Arc<ServerKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One session as others see it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) credential: Arc<Credential>,
    /// The stored key of the password that it was opened with.
    password: Secret<[u8; 32]>,
    /// The tenant's route and cluster at login; the server connection is bound to them.
    pub(super) admission: Admission,
    /// What a client of protocol 3.0 must show to cancel; `None` for one that has a long key.
    pub(super) short_key: Option<[u8; 4]>,
    /// Of the server connection that it has now.
    pub(super) server_key: CurrentKey,
    /// One cancel at a time is on its way. It is asked for the key after this is set, and a connection is taken away before
    /// this is looked at: so a connection that a cancel is on its way to is never given to another client.
    pub(super) cancelling: AtomicBool,
    /// It is pooled by transaction and keeps its server connection. For who looks on; changes when that does, which is seldom.
    pub(super) pinned: AtomicBool,
    pub(super) stop: Stop,
    pub(super) caller: Caller,
    registered_at: Instant,
    /// When it began to wait for a server connection, in microseconds after its entry and one more; 0 is that it does not.
    waits_since: AtomicU64,
}

/// Somebody waits for a server connection; dropping it ends that.
pub(super) struct Waits<'s>(&'s Session);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waits_since.store(0, Ordering::Relaxed);
    }
}

impl Session {
    /// Notes that it waits for a server connection. Only where it has found none: one that has costs nothing.
    pub(super) fn waits(&self) -> Waits<'_> {
        let since = u64::try_from(self.registered_at.elapsed().as_micros()).unwrap_or(u64::MAX - 1);
        self.waits_since.store(since + 1, Ordering::Relaxed);
        Waits(self)
    }

    /// For how long it has waited for a server connection, if it does.
    pub(super) fn has_waited(&self) -> Option<Duration> {
        let since = self.waits_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.registered_at.elapsed().saturating_sub(Duration::from_micros(since)))
    }
}

/// A slice of the list: some microseconds under its lock.
const SLICE_LENGTH: usize = 256;

#[derive(Debug)]
pub(super) struct Sessions {
    slots: Mutex<Slots>,
    /// Changes whenever a session has gone.
    departures: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Slots {
    next_generation: u64,
    /// What every session is asked from now on, those to come included.
    stopping: Option<Reason>,
    sessions: Vec<Option<Arc<Session>>>,
    free: Vec<u32>,
}

/// A session's entry; dropping it ends the entry.
#[derive(Debug)]
pub(super) struct Registered {
    sessions: Arc<Sessions>,
    session: Arc<Session>,
}

impl std::ops::Deref for Registered {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.sessions.forget(self.session.id);
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self { slots: Mutex::default(), departures: watch::Sender::new(()) }
    }
}

impl Sessions {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        // Every change is one assignment, so that a panic elsewhere leaves the list whole.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an entry.
    pub(super) fn register(
        self: &Arc<Self>,
        credential: Arc<Credential>,
        password: Secret<[u8; 32]>,
        admission: Admission,
        short_key: Option<[u8; 4]>,
        caller: Caller,
    ) -> Registered {
        let mut slots = self.slots();
        let slot = slots.free.pop().unwrap_or_else(|| {
            slots.sessions.push(None);
            u32::try_from(slots.sessions.len() - 1).expect("a process has fewer than 2^32 sockets")
        });
        slots.next_generation += 1;
        let session = Arc::new(Session {
            id: SessionId { slot, generation: slots.next_generation },
            credential,
            password,
            admission,
            short_key,
            server_key: CurrentKey::default(),
            cancelling: AtomicBool::new(false),
            pinned: AtomicBool::new(false),
            stop: Stop::default(),
            caller,
            registered_at: Instant::now(),
            waits_since: AtomicU64::new(0),
        });
        slots.sessions[index(slot)] = Some(Arc::clone(&session));
        if let Some(reason) = slots.stopping {
            session.stop.ask(reason);
        }
        drop(slots);
        Registered { sessions: Arc::clone(self), session }
    }

    fn forget(&self, id: SessionId) {
        let mut slots = self.slots();
        slots.sessions[index(id.slot)] = None;
        slots.free.push(id.slot);
        drop(slots);
        self.departures.send_replace(());
    }

    /// The session in a slot, whichever generation it is of.
    pub(super) fn in_slot(&self, slot: u32) -> Option<Arc<Session>> {
        self.slots().sessions.get(index(slot))?.clone()
    }

    pub(super) fn count(&self) -> usize {
        let slots = self.slots();
        slots.sessions.len() - slots.free.len()
    }

    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        self.slots().sessions.iter().flatten().cloned().collect()
    }

    /// Asks every session to end, and those that are still to come.
    pub(super) fn ask_all(&self, reason: Reason) {
        self.slots().stopping = Some(reason);
        self.all().iter().for_each(|session| session.stop.ask(reason));
    }

    /// Asks every session that the table forbids to end, and waits until they have.
    ///
    /// Has no deadline of its own, since every way out of a session has one.
    pub(super) async fn enforce(&self, table: &RouteTable) {
        // Before anybody is asked, so that nobody goes unseen.
        let departures = self.departures.subscribe();
        let mut forbidden: Vec<SessionId> = Vec::new();
        for session in self.all() {
            if let Some(reason) = session.forbidden_by(table) {
                session.stop.ask(reason);
                forbidden.push(session.id);
            }
        }
        self.gone(forbidden, departures).await;
    }

    /// Waits until none of these is there; `departures` since before somebody asked them.
    async fn gone(&self, mut left: Vec<SessionId>, mut departures: watch::Receiver<()>) {
        loop {
            left.retain(|id| self.in_slot(id.slot).is_some_and(|session| session.id == *id));
            if left.is_empty() || departures.changed().await.is_err() {
                return;
            }
        }
    }

    /// Some of the sessions, from a slot on, and the slot where the next begin. The lock is held for these few only, so that who
    /// looks at all of them is in nobody's way; one that comes or goes meanwhile may be among them or not.
    pub(super) fn some(&self, from: usize) -> (Vec<Arc<Session>>, Option<usize>) {
        let slots = self.slots();
        let until = slots.sessions.len().min(from.saturating_add(SLICE_LENGTH));
        let some = slots.sessions.get(from..until).unwrap_or_default().iter().flatten().cloned().collect();
        (some, (until < slots.sessions.len()).then_some(until))
    }

    /// Waits until no session is there, of those that there are now, which is as told.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub(super) async fn none_is(&self, told: impl Fn(&Session) -> bool) {
        let departures = self.departures.subscribe();
        let told = self.all().iter().filter(|session| told(session)).map(|session| session.id).collect();
        self.gone(told, departures).await;
    }

    /// Asks every session of a tenant to end, and waits until they have.
    ///
    /// # Cancel safety
    /// Safe: those that were asked end without the caller.
    pub(super) async fn end(&self, tenant: TenantId, reason: Reason) -> usize {
        let departures = self.departures.subscribe();
        let of_it: Vec<_> = self.all().into_iter().filter(|session| session.admission.route.tenant == tenant).collect();
        let asked: Vec<SessionId> = of_it.iter().map(|session| session.id).collect();
        of_it.into_iter().for_each(|session| session.stop.ask(reason));
        let count = asked.len();
        self.gone(asked, departures).await;
        count
    }

    /// Waits until there is no session.
    pub(super) async fn empty(&self) {
        let mut departures = self.departures.subscribe();
        while self.count() > 0 && departures.changed().await.is_ok() {}
    }
}

fn index(slot: u32) -> usize {
    usize::try_from(slot).expect("a slot is an index into a list in memory")
}

impl Session {
    /// Why this session may not go on under a table, if so.
    pub(super) fn forbidden_by(&self, table: &RouteTable) -> Option<Reason> {
        match table.credential(self.credential.name.as_str()) {
            Some(now) if Arc::ptr_eq(now, &self.credential) => {}
            Some(now) if same_rights(now, &self.credential) && now.accepts(&self.password) => {}
            _ => return Some(Reason::Revoked),
        }
        forbidden(&self.admission, self.credential.level, table)
    }
}

/// Why a connection of an admission may not go on under a table, if so.
pub(super) fn forbidden(Admission { route, cluster, level: had, login }: &Admission, level: Level, table: &RouteTable) -> Option<Reason> {
    let Some(now) = table.route_of(route.tenant) else { return Some(Reason::Removed) };
    match now.state {
        RouteState::Serving | RouteState::Paused => {}
        RouteState::Suspended => return Some(Reason::Suspended),
        RouteState::Deleted => return Some(Reason::Deleted),
    }
    if let Placement::Withheld(_) = now.placement {
        return Some(Reason::Withheld);
    }
    let stays = now.environment == route.environment
        && now.cluster == route.cluster
        && now.database == route.database
        && now.logins.of(*had).is_some_and(|now| now.role == login.role)
        && table
            .cluster(now.cluster)
            .is_some_and(|known| known.address == cluster.address && known.tls == cluster.tls && known.environment == cluster.environment);
    // A database that somebody brought has one role: there the sessions' own setting says that they only read.
    let same = now.level_for(level) == *had && (now.logins.of(Level::Ro).is_some() || now.is_reading() == route.is_reading());
    match (stays, same) {
        (true, true) => None,
        (true, false) => Some(Reason::Placed),
        (false, _) => Some(Reason::Moved),
    }
}

/// Whether the transactions of an admission's tenant wait under a table.
pub(super) fn is_paused(admission: &Admission, table: &RouteTable) -> bool {
    table.route_of(admission.route.tenant).is_some_and(|route| route.state == RouteState::Paused)
}

/// Whether a credential still is the one that the session was opened with.
fn same_rights(now: &Credential, then: &Credential) -> bool {
    now.id == then.id && now.environment == then.environment && now.scope == then.scope && now.level == then.level
}
