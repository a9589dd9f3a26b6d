//! Statements that a client prepared by a message and executes in SQL, by the name that it gave them: `EXECUTE`,
//! `EXPLAIN EXECUTE`, `CREATE TABLE … AS EXECUTE`, and `DEALLOCATE` among other statements.
//!
//! Promises: the server has the statement under the client's own name while such a text is carried out, beside the pool's name
//! of it; it goes before the client's next message, and with everything else before another client has the connection. Refuses
//! texts behind something that may yet fail and have them skipped: there the server says that there is no such statement.

use holm_pgwire::exchange::Ask;
use holm_pgwire::extended::{self, Subject};

use super::deallocate::{STAND_IN_TAIL, take};
use super::{Form, NAMED_LENGTH_MAX, Table, header, undertake};
use crate::postgres::transaction::named::{Mention, Named};
use crate::postgres::transaction::prepared::Statement;

/// Names that a server has for one client at once: a client that sends no Sync has none of them taken back. More than one text
/// can name.
const GIVEN_MAX: usize = 64;

/// Names under which a server has statements for one text, or for those of a pipeline.
#[derive(Debug, Default)]
pub(super) struct OwnNames {
    /// Each name once.
    given: Vec<Given>,
}

#[derive(Debug, PartialEq, Eq)]
struct Given {
    name: Box<[u8]>,
    /// Of the statement that has it.
    number: u64,
    /// In which that was sent.
    cycle: u64,
}

impl OwnNames {
    /// Has the server have what a text names that is carried out next, or parsed to be; whether it had something of that not.
    pub(super) fn give(&mut self, named: &Named, form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) -> bool {
        if named.is_empty() || form == Form::Query && !table.exchange.is_at_start_of_cycle() {
            return false;
        }
        // In a text of its own by the extended protocol DEALLOCATE is told apart before.
        let is_deallocated = |mention: &Mention| mention.is_deallocated && form == Form::Query;
        let (mut found, mut length) = (Vec::new(), 0);
        for mention in named.mentions().iter().filter(|it| it.is_executed || is_deallocated(it)) {
            let Some(statement) = table.names.get(&mention.name).filter(|statement| statement.is_kept()).cloned() else { continue };
            if is_deallocated(mention) {
                take(&mention.name, table);
            }
            length += tail_of(mention, &statement).len();
            // All of them are sent.
            if length <= NAMED_LENGTH_MAX {
                if mention.is_executed {
                    undertake(statement.effects, form, table, out);
                }
                found.push((mention, statement));
            }
        }
        let mut is_any = false;
        for (mention, statement) in found {
            is_any |= self.give_one(mention, &statement, form, table, out);
        }
        if is_any {
            *table.soiled = true;
            end_own_cycle(form, table, out);
        }
        is_any
    }

    /// Has the server have a statement under one name, unless it has it, or has too many; whether that was sent.
    fn give_one(&mut self, mention: &Mention, statement: &Statement, form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) -> bool {
        let given = Given { name: mention.name.clone(), number: statement.number, cycle: table.exchange.cycle() };
        // A text that is parsed, described and bound in one cycle needs it once.
        if self.given.contains(&given) {
            return false;
        }
        self.given.retain(|last| last.name != given.name);
        if self.given.len() >= GIVEN_MAX {
            // The server says that there is no such statement.
            return false;
        }
        parse(&given.name, tail_of(mention, statement), form, table, out);
        self.given.push(given);
        true
    }

    /// Takes them back before a message that begins a cycle.
    pub(super) fn take_back(&mut self, form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) {
        if self.given.is_empty() || !table.exchange.is_at_start_of_cycle() {
            return;
        }
        for Given { name, .. } in self.given.drain(..) {
            extended::write_close(out, Subject::Statement(&name)).expect("no longer than a name in SQL");
            table.exchange.ask(Ask::Close, form.whose(), |_| {});
        }
        end_own_cycle(form, table, out);
    }
}

/// What is parsed under a name: a text that only deallocates it says so whatever has become of what the statement reads.
fn tail_of<'s>(mention: &Mention, statement: &'s Statement) -> &'s [u8] {
    if mention.is_executed { &statement.tail } else { STAND_IN_TAIL }
}

fn parse(name: &[u8], tail: &[u8], form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) {
    extended::write_close(out, Subject::Statement(name)).expect("no longer than a name in SQL");
    table.exchange.ask(Ask::Close, form.whose(), |_| {});
    extended::write_parse(out, name, tail.len()).expect("as long as one that came");
    out.extend_from_slice(tail);
    table.exchange.ask(Ask::Parse(None), form.whose(), |_| {});
}

/// A Query that follows is not skipped, whatever became of what was parsed for it: it says itself what is not there.
fn end_own_cycle(form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) {
    if form == Form::Query {
        header(out, b'S', 0);
        table.exchange.ask(Ask::Sync, form.whose(), |_| {});
    }
}
