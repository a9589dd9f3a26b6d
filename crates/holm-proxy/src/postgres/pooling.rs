//! For how long a client has a server connection: its session, or each of its transactions.
//!
//! The connection says (`options=-c holm.pooling=session`), or else the level: an owner's schema migrations need sessions
//! (advisory locks, `SET`), so that `owner` has them unless it says otherwise; the others have what the node was told.

use holm_core::credential::Level;
use holm_core::error::Problem;
use holm_pgwire::startup::SessionRequest;

use super::{parameters, refusal};

/// How server connections are given to clients.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pooling {
    /// One for as long as the client is there.
    Session,
    /// One for each transaction.
    Transaction,
}

impl Pooling {
    fn read(word: &[u8]) -> Option<Self> {
        match word {
            b"session" => Some(Self::Session),
            b"transaction" => Some(Self::Transaction),
            _ => None,
        }
    }
}

/// What a session gets.
///
/// # Errors
/// It asks for something that there is not.
pub(super) fn of(request: &SessionRequest<'_>, level: Level, usual: Pooling) -> Result<Pooling, Problem> {
    match parameters::for_holm(request, "holm.pooling") {
        Some(word) => Pooling::read(&word).ok_or_else(|| refusal::no_such_pooling(&String::from_utf8_lossy(&word))),
        None => Ok(if level == Level::Owner { Pooling::Session } else { usual }),
    }
}
