//! What the proxy counts: sessions, logins by outcome, refusals by code, ends by reason, pins, and how long things took.

mod histogram;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use holm_core::error::ErrorCode;

pub use self::histogram::Histogram;
use super::throttle::Rule;
use super::transaction::Pin;

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Disconnect {
    /// The client said goodbye.
    Terminated,
    /// The client went without a word.
    ClientGone,
    /// The client broke the protocol.
    ClientViolation,
    /// The server closed the connection.
    ServerGone,
    /// The server broke the protocol.
    ServerViolation,
    /// The session was ended from outside: suspended, moved, revoked, shutdown.
    Stopped,
    /// No session came of it: refused with an error.
    Refused,
    /// No session came of it: the client went, or was cut without an answer.
    NoLogin,
    /// It was a cancel request.
    CancelRequest,
}

impl Disconnect {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Terminated,
        Self::ClientGone,
        Self::ClientViolation,
        Self::ServerGone,
        Self::ServerViolation,
        Self::Stopped,
        Self::Refused,
        Self::NoLogin,
        Self::CancelRequest,
    ];

    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminated => "terminated",
            Self::ClientGone => "client_gone",
            Self::ClientViolation => "client_violation",
            Self::ServerGone => "server_gone",
            Self::ServerViolation => "server_violation",
            Self::Stopped => "stopped",
            Self::Refused => "refused",
            Self::NoLogin => "no_login",
            Self::CancelRequest => "cancel_request",
        }
    }
}

/// What became of the server connection of a session, in session pooling, when its client went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Left {
    /// It was cleaned for the next.
    HandedOn,
    Closed,
}

/// One session that is open.
#[derive(Debug)]
pub(super) struct Open(Arc<Counters>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.sessions_open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// From a hand-over to the longest wait that is usual.
const WAIT_BOUNDS_US: [u64; 9] = [1_000, 5_000, 20_000, 100_000, 500_000, 2_000_000, 5_000_000, 10_000_000, 30_000_000];
/// From a look-up by key to a report.
const TRANSACTION_BOUNDS_US: [u64; 9] = [250, 1_000, 4_000, 20_000, 100_000, 500_000, 2_000_000, 10_000_000, 60_000_000];
/// From a server on the same machine to the time that one has.
const CONNECT_BOUNDS_US: [u64; 7] = [5_000, 20_000, 50_000, 100_000, 500_000, 2_000_000, 5_000_000];

/// A client that keeps its server connection beyond the transaction; dropping it ends that.
#[derive(Debug)]
pub(super) struct Pinned(Arc<Counters>);

impl Drop for Pinned {
    fn drop(&mut self) {
        self.0.pinned_now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts since the start. Reading takes no lock.
#[derive(Debug)]
pub struct Counters {
    /// Waits for a server connection in transaction pooling, of clients that found none at once.
    pub waits: Histogram<9>,
    /// Transactions in transaction pooling: from a client's first message until nothing is owed to it, waits included.
    /// Those of clients that keep their connection are not among them.
    pub transactions: Histogram<9>,
    /// Server connections that were opened: from the first packet until the server was ready.
    pub connects: Histogram<7>,
    pinned_now: AtomicU64,
    pins: [AtomicU64; Pin::ALL.len()],
    sessions_open: AtomicU64,
    sessions_opened: AtomicU64,
    sessions_handed_on: AtomicU64,
    sessions_not_handed_on: AtomicU64,
    cancels_sent: AtomicU64,
    cancels_refused: AtomicU64,
    channel_bindings_refused: AtomicU64,
    throttled: [AtomicU64; Rule::ALL.len()],
    handshakes_failed: AtomicU64,
    client_certificates_revoked: AtomicU64,
    certificates_replaced: AtomicU64,
    certificates_refused: AtomicU64,
    certificate_stale: AtomicBool,
    refusals: [AtomicU64; ErrorCode::ALL.len()],
    disconnects: [AtomicU64; Disconnect::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            waits: Histogram::new(&WAIT_BOUNDS_US),
            transactions: Histogram::new(&TRANSACTION_BOUNDS_US),
            connects: Histogram::new(&CONNECT_BOUNDS_US),
            pinned_now: AtomicU64::new(0),
            pins: std::array::from_fn(|_| AtomicU64::new(0)),
            sessions_open: AtomicU64::new(0),
            sessions_opened: AtomicU64::new(0),
            sessions_handed_on: AtomicU64::new(0),
            sessions_not_handed_on: AtomicU64::new(0),
            cancels_sent: AtomicU64::new(0),
            cancels_refused: AtomicU64::new(0),
            channel_bindings_refused: AtomicU64::new(0),
            throttled: std::array::from_fn(|_| AtomicU64::new(0)),
            handshakes_failed: AtomicU64::new(0),
            client_certificates_revoked: AtomicU64::new(0),
            certificates_replaced: AtomicU64::new(0),
            certificates_refused: AtomicU64::new(0),
            certificate_stale: AtomicBool::new(false),
            refusals: std::array::from_fn(|_| AtomicU64::new(0)),
            disconnects: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Counters {
    /// Sessions that are open now.
    pub fn sessions_open(&self) -> u64 {
        self.sessions_open.load(Ordering::Relaxed)
    }

    /// Logins that became a session.
    pub fn sessions_opened(&self) -> u64 {
        self.sessions_opened.load(Ordering::Relaxed)
    }

    /// Server connections of clients in session pooling that went by themselves, cleaned for the next client.
    pub fn sessions_handed_on(&self) -> u64 {
        self.sessions_handed_on.load(Ordering::Relaxed)
    }

    /// The same, closed, since something was left half done, could not be discarded, or nobody was to have them.
    pub fn sessions_not_handed_on(&self) -> u64 {
        self.sessions_not_handed_on.load(Ordering::Relaxed)
    }

    /// Cancel requests that were passed on to a server.
    pub fn cancels_sent(&self) -> u64 {
        self.cancels_sent.load(Ordering::Relaxed)
    }

    /// Cancel requests that were not: wrong key, too many.
    pub fn cancels_refused(&self) -> u64 {
        self.cancels_refused.load(Ordering::Relaxed)
    }

    /// Logins that were bound to another certificate, or whose client was told that there is no channel binding: somebody may
    /// stand between, or something that ends TLS and begins it again. The first kind is among the wrong passwords as well.
    pub fn channel_bindings_refused(&self) -> u64 {
        self.channel_bindings_refused.load(Ordering::Relaxed)
    }

    /// Logins that were not looked at because too many had failed, by what was used up.
    pub fn throttled(&self) -> impl Iterator<Item = (Rule, u64)> {
        Rule::ALL.into_iter().zip(self.throttled.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// TLS handshakes that failed: no certificate that is believed, a client that does not believe ours, no TLS at all.
    pub fn handshakes_failed(&self) -> u64 {
        self.handshakes_failed.load(Ordering::Relaxed)
    }

    /// Certificates of clients that were not taken for what revocation lists say.
    pub fn client_certificates_revoked(&self) -> u64 {
        self.client_certificates_revoked.load(Ordering::Relaxed)
    }

    /// How often new TLS files came into use.
    pub fn certificates_replaced(&self) -> u64 {
        self.certificates_replaced.load(Ordering::Relaxed)
    }

    /// How often changed TLS files could not be used.
    pub fn certificates_refused(&self) -> u64 {
        self.certificates_refused.load(Ordering::Relaxed)
    }

    /// Whether the TLS files say something else than what is in use, and cannot be used; or a revocation list in use is over.
    pub fn is_certificate_stale(&self) -> bool {
        self.certificate_stale.load(Ordering::Relaxed)
    }

    /// Refusals by code.
    pub fn refusals(&self) -> impl Iterator<Item = (ErrorCode, u64)> {
        ErrorCode::ALL.iter().copied().zip(self.refusals.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// Refusals with one code.
    pub fn refused(&self, code: ErrorCode) -> u64 {
        self.refusals().find(|(known, _)| *known == code).map_or(0, |(_, count)| count)
    }

    /// Connections that ended, by reason.
    pub fn disconnects(&self) -> impl Iterator<Item = (Disconnect, u64)> {
        Disconnect::ALL.into_iter().zip(self.disconnects.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// Clients that keep their server connection now, since they need a session.
    pub fn pinned_now(&self) -> u64 {
        self.pinned_now.load(Ordering::Relaxed)
    }

    /// How often a client came to keep its server connection, by what it did.
    pub fn pins(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Pin::ALL.into_iter().map(Pin::as_str).zip(self.pins.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    pub(super) fn pinned(self: &Arc<Self>, pin: Pin) -> Pinned {
        if let Some(index) = Pin::ALL.iter().position(|known| *known == pin) {
            self.pins[index].fetch_add(1, Ordering::Relaxed);
        }
        self.pinned_now.fetch_add(1, Ordering::Relaxed);
        Pinned(Arc::clone(self))
    }

    /// Counts a session for as long as the guard lives, a panic included.
    pub(super) fn session_opened(self: &Arc<Self>) -> Open {
        self.sessions_open.fetch_add(1, Ordering::Relaxed);
        self.sessions_opened.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    pub(super) fn left(&self, left: Left) {
        let counter = match left {
            Left::HandedOn => &self.sessions_handed_on,
            Left::Closed => &self.sessions_not_handed_on,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn cancel(&self, sent: bool) {
        let counter = if sent { &self.cancels_sent } else { &self.cancels_refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn channel_binding_refused(&self) {
        self.channel_bindings_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn client_certificate_revoked(&self) {
        self.client_certificates_revoked.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn certificate_replaced(&self) {
        self.certificates_replaced.fetch_add(1, Ordering::Relaxed);
        self.certificate_usable();
    }

    pub(super) fn certificate_usable(&self) {
        self.certificate_stale.store(false, Ordering::Relaxed);
    }

    pub(super) fn certificate_unusable(&self) {
        self.certificates_refused.fetch_add(1, Ordering::Relaxed);
        self.certificate_stale.store(true, Ordering::Relaxed);
    }

    pub(super) fn throttle(&self, rule: Rule) {
        if let Some(index) = Rule::ALL.iter().position(|known| *known == rule) {
            self.throttled[index].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn refuse(&self, code: ErrorCode) {
        if let Some(index) = ErrorCode::ALL.iter().position(|known| *known == code) {
            self.refusals[index].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn disconnect(&self, reason: Disconnect) {
        if let Some(index) = Disconnect::ALL.iter().position(|known| *known == reason) {
            self.disconnects[index].fetch_add(1, Ordering::Relaxed);
        }
    }
}
