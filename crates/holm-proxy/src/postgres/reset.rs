//! When a server connection in transaction pooling is cleaned (`DISCARD ALL`) before another client gets it.
//!
//! Promises: the cleaning goes in front of the next client's first message, in the same packet, so that nobody waits for it
//! alone; who keeps the connection for his next transaction pays nothing. The connection says (`options=-c
//! holm.reset=strict`), or else the node.

use holm_core::error::Problem;
use holm_pgwire::startup::SessionRequest;

use super::{parameters, refusal};

/// When a connection is cleaned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// When a client may have left something behind, so far as its texts show.
    Seen,
    /// Before such a session has it after another client, and before another client has it after such a session: what a
    /// function did unseen goes too, and prepared statements are parsed again.
    Strict,
}

impl Reset {
    fn read(word: &[u8]) -> Option<Self> {
        match word {
            b"seen" => Some(Self::Seen),
            b"strict" => Some(Self::Strict),
            _ => None,
        }
    }
}

/// What a session gets.
///
/// # Errors
/// It asks for something that there is not.
pub(super) fn of(request: &SessionRequest<'_>, usual: Reset) -> Result<Reset, Problem> {
    match parameters::for_holm(request, "holm.reset") {
        Some(word) => Reset::read(&word).ok_or_else(|| refusal::no_such_reset(&String::from_utf8_lossy(&word))),
        None => Ok(usual),
    }
}
