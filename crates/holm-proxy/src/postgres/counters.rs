//! What the proxy counts: sessions, logins by outcome, refusals by code, ends by reason.

use std::sync::atomic::{AtomicU64, Ordering};

use holm_core::error::ErrorCode;

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

/// One session that is open.
pub(super) struct Open<'a>(&'a Counters);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.sessions_open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts since the start. Reading takes no lock.
#[derive(Debug)]
pub struct Counters {
    sessions_open: AtomicU64,
    sessions_opened: AtomicU64,
    cancels_sent: AtomicU64,
    cancels_refused: AtomicU64,
    refusals: [AtomicU64; ErrorCode::ALL.len()],
    disconnects: [AtomicU64; Disconnect::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            sessions_open: AtomicU64::new(0),
            sessions_opened: AtomicU64::new(0),
            cancels_sent: AtomicU64::new(0),
            cancels_refused: AtomicU64::new(0),
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

    /// Cancel requests that were passed on to a server.
    pub fn cancels_sent(&self) -> u64 {
        self.cancels_sent.load(Ordering::Relaxed)
    }

    /// Cancel requests that were not: wrong key, too many.
    pub fn cancels_refused(&self) -> u64 {
        self.cancels_refused.load(Ordering::Relaxed)
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

    /// Counts a session for as long as the guard lives, a panic included.
    pub(super) fn session_opened(&self) -> Open<'_> {
        self.sessions_open.fetch_add(1, Ordering::Relaxed);
        self.sessions_opened.fetch_add(1, Ordering::Relaxed);
        Open(self)
    }

    pub(super) fn cancel(&self, sent: bool) {
        let counter = if sent { &self.cancels_sent } else { &self.cancels_refused };
        counter.fetch_add(1, Ordering::Relaxed);
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
