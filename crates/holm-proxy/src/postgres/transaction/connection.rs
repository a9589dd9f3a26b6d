//! A server connection that is lent to one client after the other, all of one tenant and one role.
//!
//! Promises: born with one pool, and of no use to another; a place in the cluster's budget is held until it is closed.

use std::sync::Arc;
use std::time::Instant;

use holm_core::id::TenantId;
use holm_pgwire::exchange::Exchange;
use holm_tls::Stream;

use crate::postgres::budget::{PoolId, Seat};
use crate::postgres::sessions::{ServerKey, SessionId};

use super::numbers::Numbers;
use super::prepared::Known;
use super::settings::Settings;
use super::vintage::Bottle;

/// One connection, between two clients or with one.
#[derive(Debug)]
pub(in crate::postgres) struct Connection {
    /// For whom it was opened, for good.
    pub(in crate::postgres) tenant: TenantId,
    pub(super) pool: PoolId,
    pub(in crate::postgres) stream: Stream,
    pub(super) key: Option<Arc<ServerKey>>,
    /// What it owes: nothing, while nobody has it.
    pub(super) exchange: Exchange,
    pub(super) known: Known,
    /// As it reported them last.
    pub(in crate::postgres) settings: Settings,
    /// What it reported when it began, and reports again when everything is discarded.
    pub(super) initial: Settings,
    /// Who had it last.
    pub(super) last: Option<SessionId>,
    /// It is cleaned before another client has it.
    pub(super) soiled: bool,
    /// Whose numbers its session remembers.
    pub(super) numbers: Numbers,
    /// Nobody is to have it after this client.
    pub(super) spent: bool,
    /// Since when nobody has it.
    pub(super) idle_since: Instant,
    pub(super) seat: Seat,
    /// Whether it is to be replaced. After the seat: who is told that it is gone finds its place free.
    pub(super) bottle: Bottle,
}

impl Connection {
    /// Has it closed; nobody waits for that.
    pub(super) fn dismiss(self: Box<Self>) {
        let desk = Arc::clone(&self.seat.desk);
        desk.close(self);
    }

    /// Whether the server is as quiet as one that nobody has asked anything; a word too much, or its end, and it is not.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }
}
