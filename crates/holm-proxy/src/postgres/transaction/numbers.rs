//! Whose numbers a server connection remembers: what `currval` and `lastval` give.
//!
//! Promises: once a client of the cluster has asked for such a number, nobody meets another client's: what others drew is
//! discarded before a client has the connection, and before the first that asks does so, unless it may have drawn one itself
//! since it has the connection. Who asks at once, outside of what drew the number, asks for what it drew in an earlier
//! transaction: it keeps its connection from then on.
//!
//! Nothing is discarded on a cluster whose clients never ask: a sequence with a cache would lose what is in it each time. So one
//! question is not answered as it should be, the first, where its client has done something on the connection in the same
//! transaction that may have drawn the number and did not. ADR-0021 says why.

use std::sync::atomic::Ordering;

use holm_pgwire::exchange::{Ask, Transaction, Whose};
use holm_pgwire::extended::{self, Bind, Subject};

use super::effects::{Asks, Effects, Pin};
use super::up::{Form, Table, header};

pub(super) const DISCARD_SEQUENCES: &[u8] = b"DISCARD SEQUENCES";
/// What the statement and the portal are called that discard them within a client's cycle.
const NAME: &[u8] = b"holm numbers";

/// Whose numbers a session may remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Numbers {
    #[default]
    Nobodys,
    /// Those of the client that has the connection, or had it last.
    Own,
    /// Another's, and perhaps the client's own in the place of them or beside them.
    Anothers,
}

impl Numbers {
    /// Another client has the connection.
    pub(super) fn pass_on(&mut self) {
        if *self != Self::Nobodys {
            *self = Self::Anothers;
        }
    }

    pub(super) const fn are_anothers(self) -> bool {
        matches!(self, Self::Anothers)
    }

    /// The client may have drawn one.
    pub(super) fn drawn(&mut self) {
        if *self == Self::Nobodys {
            *self = Self::Own;
        }
    }
}

/// Whether what a server answered with a message may have drawn a number: a function that draws one can be called almost
/// everywhere. What fails may have drawn one too, if it was carried out (`Exchange::carries_out_next`). `tag` is a
/// CommandComplete's, if it is short enough to be read.
pub(super) fn may_draw(message: u8, tag: &[u8]) -> bool {
    let draws_none = || matches!(tag, b"BEGIN\0" | b"START TRANSACTION\0" | b"SET\0" | b"SHOW\0" | b"LISTEN\0" | b"ROLLBACK\0");
    match message {
        b'C' => !draws_none(),
        b's' | b'V' => true,
        _ => false,
    }
}

/// Whether a CommandComplete, by its tag, says that nobody's numbers are remembered any more.
pub(super) fn are_forgotten(tag: &[u8]) -> bool {
    matches!(tag, b"DISCARD SEQUENCES\0" | b"DISCARD ALL\0")
}

/// Before a text is carried out.
pub(super) fn before(effects: Effects, form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) {
    if effects.asks != Asks::Not {
        table.asks_for_numbers.store(true, Ordering::Relaxed);
        if !has_acted(table) {
            if effects.asks == Asks::First {
                table.pin.get_or_insert(Pin::Sequence);
            }
            discard(form, table, out);
        }
    }
}

/// Before a text that goes on before it was read: whatever it asks for.
pub(super) fn before_unread(form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) {
    if !has_acted(table) {
        discard(form, table, out);
    }
}

/// A text was read while it went on.
pub(super) fn after_unread(effects: Effects, table: &mut Table<'_>) {
    if effects.asks != Asks::Not {
        table.asks_for_numbers.store(true, Ordering::Relaxed);
    }
    if effects.asks == Asks::First && !table.has_acted {
        table.pin.get_or_insert(Pin::Sequence);
    }
}

/// Whether the client may have drawn a number since it has the connection.
fn has_acted(table: &Table<'_>) -> bool {
    table.has_acted || table.exchange.is_carrying_out()
}

/// Has the server forget another client's numbers. It counts when the server says that it has ([`are_forgotten`]): what comes
/// before it may fail and have it skipped, and it may be cancelled itself.
fn discard(form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) {
    // What has failed will not ask either.
    if !table.numbers.are_anothers() || table.exchange.transaction() == Transaction::Failed {
        return;
    }
    match form {
        Form::Query => {
            header(out, b'Q', DISCARD_SEQUENCES.len() + 1);
            out.extend_from_slice(DISCARD_SEQUENCES);
            out.push(0);
            table.exchange.ask(Ask::Query, Whose::Ours, |_| {});
        }
        Form::Extended => discard_within(table, out).expect("short names"),
    }
}

fn discard_within(table: &mut Table<'_>, out: &mut Vec<u8>) -> Result<(), holm_pgwire::frame::Malformed> {
    // No types; no formats, no values.
    let (types, nothing) = ([0; 2], [0; 6]);
    extended::write_close(out, Subject::Statement(NAME))?;
    extended::write_parse(out, NAME, DISCARD_SEQUENCES.len() + 1 + types.len())?;
    out.extend_from_slice(DISCARD_SEQUENCES);
    out.push(0);
    out.extend_from_slice(&types);
    extended::write_bind(out, Bind { portal: NAME, statement: NAME }, nothing.len())?;
    out.extend_from_slice(&nothing);
    extended::write_execute(out, NAME, 0)?;
    extended::write_close(out, Subject::Portal(NAME))?;
    extended::write_close(out, Subject::Statement(NAME))?;
    for ask in [Ask::Close, Ask::Parse(None), Ask::Bind, Ask::Execute, Ask::Close, Ask::Close] {
        table.exchange.ask(ask, Whose::Ours, |_| {});
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_anothers_from_the_hand_over_until_they_are_discarded() {
        let mut numbers = Numbers::default();
        numbers.pass_on();
        assert!(!numbers.are_anothers(), "nobody has drawn any");
        numbers.drawn();
        assert_eq!(numbers, Numbers::Own);
        numbers.pass_on();
        numbers.drawn();
        assert!(numbers.are_anothers());
    }

    #[test]
    fn what_only_begins_or_gives_up_draws_no_number_and_everything_else_may() {
        let tags = [&b"SELECT 1\0"[..], b"INSERT 0 1\0", b"COMMIT\0", b"CALL\0", b"SET CONSTRAINTS\0", b""];
        assert!(tags.iter().all(|tag| may_draw(b'C', tag)));
        assert!(![&b"BEGIN\0"[..], b"START TRANSACTION\0", b"SET\0", b"SHOW\0", b"ROLLBACK\0"].iter().any(|tag| may_draw(b'C', tag)));
        assert!([b's', b'V'].iter().all(|message| may_draw(*message, b"")));
        assert!(![b'D', b'E', b'Z', b'1', b'2', b'T', b'N', b'S'].iter().any(|message| may_draw(*message, b"I")));
    }
}
