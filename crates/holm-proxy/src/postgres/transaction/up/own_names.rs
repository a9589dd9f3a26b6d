//! Statements that a client prepared by a message and executes in SQL, by the name that it gave them: `EXECUTE`,
//! `EXPLAIN EXECUTE`, `CREATE TABLE … AS EXECUTE`, and `DEALLOCATE` among other statements.
//!
//! Promises: the server has the statement under the client's own name while such a text is carried out, beside the pool's name
//! of it; it goes before the client's next message, and with everything else before another client has the connection. Refuses
//! texts behind something that may yet fail and have them skipped: there the server says that there is no such statement.

use std::sync::Arc;

use holm_pgwire::exchange::Ask;
use holm_pgwire::extended::{self, Subject};
use holm_pgwire::statement::{self, Effect};

use super::deallocate::take;
use super::{Form, NAMED_LENGTH_MAX, Table, header, undertake};
use crate::postgres::transaction::prepared::Statement;

/// Statements that one text can name. Together they are no longer than one may be, since all of them are sent.
const NAMES_MAX: usize = 16;

/// Names under which a server has statements for one text.
#[derive(Debug, Default)]
pub(super) struct OwnNames {
    given: Vec<Given>,
    /// In which it was last.
    cycle: u64,
}

/// A name, and the number of the statement that has it.
#[derive(Debug, PartialEq, Eq)]
struct Given(Box<[u8]>, u64);

impl OwnNames {
    /// Has the server have what `text` names, which is carried out next, or parsed to be; whether it had something of that not.
    pub(super) fn give(&mut self, text: &[u8], form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) -> bool {
        if form == Form::Query && !table.exchange.is_at_start_of_cycle() {
            return false;
        }
        let (cycle, mut is_any) = (table.exchange.cycle(), false);
        for (name, statement) in named(text, form, table) {
            undertake(statement.effects, form, table, out);
            let given = Given(name, statement.number);
            // A text that is parsed, described and bound in one cycle needs it once.
            if self.cycle != cycle || !self.given.contains(&given) {
                parse(&given.0, &statement, form, table, out);
                self.given.push(given);
                is_any = true;
            }
        }
        self.cycle = cycle;
        if is_any {
            *table.soiled = true;
            end_own_cycle(form, table, out);
        }
        is_any
    }

    /// Takes them back before a message that begins a cycle.
    pub(super) fn take_back(&mut self, form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) {
        if self.given.is_empty() || !table.exchange.is_at_start_of_cycle() {
            return;
        }
        for Given(name, _) in self.given.drain(..) {
            extended::write_close(out, Subject::Statement(&name)).expect("as long as one that came");
            table.exchange.ask(Ask::Close, form.whose(), |_| {});
        }
        end_own_cycle(form, table, out);
    }
}

/// What a text names of the statements that its client prepared by a message.
fn named(text: &[u8], form: Form, table: &mut Table<'_>) -> Vec<(Box<[u8]>, Arc<Statement>)> {
    let (mut found, mut gone, mut length) = (Vec::<(Box<[u8]>, Arc<Statement>)>::new(), Vec::new(), 0);
    statement::read(text, |effect| {
        let (name, is_gone) = match effect {
            Effect::Execute(name) => (name.as_bytes(), false),
            // In a text of its own by the extended protocol it is told apart before.
            Effect::Deallocate(name) if form == Form::Query => (name.as_bytes(), true),
            _ => return,
        };
        // One of the pool's names is none of a client's.
        let Some(statement) = table.names.get(name).filter(|statement| statement.is_kept() && !Statement::is_name(name)) else { return };
        if is_gone {
            gone.push(name.to_vec());
        }
        length += statement.tail.len();
        if length <= NAMED_LENGTH_MAX && found.len() < NAMES_MAX && found.iter().all(|(known, _)| **known != *name) {
            found.push((name.into(), Arc::clone(statement)));
        }
    });
    gone.iter().for_each(|name| take(name, table));
    found
}

fn parse(name: &[u8], statement: &Statement, form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) {
    extended::write_close(out, Subject::Statement(name)).expect("as long as one that came");
    table.exchange.ask(Ask::Close, form.whose(), |_| {});
    extended::write_parse(out, name, statement.tail.len()).expect("as long as one that came");
    out.extend_from_slice(&statement.tail);
    table.exchange.ask(Ask::Parse(None), form.whose(), |_| {});
}

/// A Query that follows is not skipped, whatever became of what was parsed for it: it says itself what is not there.
fn end_own_cycle(form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) {
    if form == Form::Query {
        header(out, b'S', 0);
        table.exchange.ask(Ask::Sync, form.whose(), |_| {});
    }
}
