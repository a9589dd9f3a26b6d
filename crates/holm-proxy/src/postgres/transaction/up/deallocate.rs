//! DEALLOCATE, in SQL and by itself, of a statement that its client prepared by a message.
//!
//! Promises: the client's name of it is gone, other clients keep the statement, and the server itself says how it went. A text
//! that does more than that is `own_names`.

use holm_pgwire::exchange::{Ask, Transaction, Whose};
use holm_pgwire::extended::{self, PARSE, Subject};
use holm_pgwire::statement::{self, Effect};

use super::{NAMES_LENGTH_MAX, Slot, Table, Unnamed, Up, ask, header};
use crate::postgres::transaction::effects::Effects;
use crate::postgres::transaction::named::Named;
use crate::postgres::transaction::prepared::Names;

const DEALLOCATE: &[u8] = b"DEALLOCATE";
/// See [`deallocate`].
const IN_ITS_PLACE: &[u8] = b"PREPARE \"holm gone now\" AS SELECT; DEALLOCATE \"holm gone now\"\0";
/// See [`stand_in`].
const STAND_IN: &[u8] = b"holm gone";
/// A text that can always be prepared.
pub(super) const STAND_IN_TAIL: &[u8] = b"SELECT\0\0\0";
const DEALLOCATE_STAND_IN: &[u8] = b"DEALLOCATE \"holm gone\"";

impl Up {
    /// As [`deallocate`], by the extended protocol: the text is told from now on to deallocate a stand-in.
    pub(super) fn deallocate_later(&mut self, name: &[u8], types: &[u8], table: &mut Table<'_>, out: &mut Vec<u8>) {
        take(name, table);
        stand_in(table, out);
        self.slot = Slot::replaced(table.exchange, false);
        let mut message = Vec::new();
        header(&mut message, PARSE, 1 + DEALLOCATE_STAND_IN.len() + types.len());
        message.push(0);
        message.extend_from_slice(DEALLOCATE_STAND_IN);
        message.extend_from_slice(types);
        out.extend_from_slice(&message);
        ask(table, Ask::Parse(None));
        self.unnamed = Some(Unnamed { message, effects: Effects::default(), named: Named::default(), wants_stand_in: true });
    }
}

/// The name of a statement that the client prepared by a message, if a text does nothing but deallocate it. Drivers do so
/// that are older than libpq 17, which has a message for it.
pub(super) fn deallocated(text: &[u8], names: &Names) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let lone = text.strip_suffix(b";").unwrap_or(text);
    if !lone.get(..DEALLOCATE.len())?.eq_ignore_ascii_case(DEALLOCATE) || lone.len() > NAMES_LENGTH_MAX || lone.contains(&b';') {
        return None;
    }
    let (mut name, mut is_certain) = (Vec::new(), true);
    statement::read(text, |effect| match effect {
        Effect::Deallocate(said) => name = said.as_bytes().to_vec(),
        _ => is_certain = false,
    });
    (is_certain && names.get(&name).is_some()).then_some(name)
}

/// Takes a client's name of a statement back, as its text asks. Other clients may use the statement, so that the server keeps
/// it and deallocates one in its place: so the server itself says how it went, and what state the transaction is in.
pub(super) fn deallocate(name: &[u8], table: &mut Table<'_>, out: &mut Vec<u8>) {
    take(name, table);
    header(out, b'Q', IN_ITS_PLACE.len());
    out.extend_from_slice(IN_ITS_PLACE);
    ask(table, Ask::Deallocate);
}

pub(super) fn take(name: &[u8], table: &mut Table<'_>) {
    // Nothing is deallocated in a transaction that has failed.
    if table.exchange.transaction() != Transaction::Failed {
        table.names.take(name);
    }
}

/// Has the server have a statement that stands in for one which is deallocated when a client executes that, whether or not the
/// last one was.
pub(super) fn stand_in(table: &mut Table<'_>, out: &mut Vec<u8>) {
    extended::write_close(out, Subject::Statement(STAND_IN)).expect("a short name");
    table.exchange.ask(Ask::Close, Whose::Ours, |_| {});
    extended::write_parse(out, STAND_IN, STAND_IN_TAIL.len()).expect("a short text");
    out.extend_from_slice(STAND_IN_TAIL);
    table.exchange.ask(Ask::Parse(None), Whose::Ours, |_| {});
}
