//! Named prepared statements while server connections change under a client.
//!
//! Promises: a statement has one number for as long as anybody of its pool knows it, and the same text with the same types
//! has the same one, so that a server connection parses it once for all clients; a server keeps a bounded number, and those
//! used least lately go. A pool belongs to one tenant and one role: no name and no text is seen by another's.
//!
//! Refuses to know what the text means: a statement is the bytes that follow the name in a Parse message.

use std::collections::HashMap;
use std::sync::Arc;

use holm_pgwire::exchange::Exchange;

use super::effects::Effects;
use super::named::{self, Named};
use super::settings::Settings;

/// More on one server cost it memory; pgjdbc and Prisma keep 100 to 256 of their own.
const KNOWN_MAX: usize = 500;

/// Texts that no client knows any more are kept up to here, since the next one may: an app that connects anew prepares the
/// same again.
const KEPT_MAX: usize = 1000;
/// Bytes of text, types and what it costs to keep them, that a pool keeps; whoever prepares more keeps his connection.
const KEPT_LENGTH_MAX: usize = 32 * 1024 * 1024;
/// Bytes of names, and what it costs to keep them, that one client may have: some 10,000 statements.
const NAMES_LENGTH_MAX: usize = 1024 * 1024;
/// What an entry costs besides its bytes, about.
const ENTRY_LENGTH: usize = 100;

/// One text with its parameter types.
#[derive(Debug)]
pub(in crate::postgres) struct Statement {
    pub(super) number: u64,
    /// Query text, its zero, and the types: the rest of the Parse message.
    pub(super) tail: Box<[u8]>,
    /// What carrying it out does to a session.
    pub(super) effects: Effects,
    pub(super) named: Named,
}

impl Statement {
    /// Whether it can be parsed again.
    pub(super) fn is_kept(&self) -> bool {
        !self.tail.is_empty()
    }

    /// How every name on servers begins. An unquoted name has no space, so that no `PREPARE` makes one by chance.
    pub(super) const PREFIX: &[u8] = b"holm ";

    /// What it is called on servers.
    pub(super) fn name(number: u64) -> String {
        format!("holm {number}")
    }

    /// Whether a name is one of those.
    pub(super) fn is_name(name: &[u8]) -> bool {
        name.starts_with(Self::PREFIX)
    }
}

fn text_of(tail: &[u8]) -> &[u8] {
    tail.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// What it costs to keep a statement. The text is there twice, as a key too.
fn cost(tail: &[u8], named: &Named) -> usize {
    2 * tail.len() + ENTRY_LENGTH * (1 + named.mentions().len())
}

/// The statements of one pool.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Statements {
    next: u64,
    by_tail: HashMap<Box<[u8]>, Arc<Statement>>,
    /// What they cost.
    length: usize,
    /// How many there were after the last look for those that no client knows.
    known: usize,
}

impl Statements {
    /// A statement whose text goes by and is not kept.
    pub(super) fn unkept(&mut self) -> Arc<Statement> {
        self.next += 1;
        Arc::new(Statement { number: self.next, tail: Box::default(), effects: Effects::default(), named: Named::default() })
    }

    /// The statement that a Parse message means; `None` if there is no room to keep it.
    pub(super) fn of(&mut self, tail: &[u8], settings: &Settings) -> Option<Arc<Statement>> {
        if let Some(known) = self.by_tail.get(tail) {
            return Some(Arc::clone(known));
        }
        let (effects, named) = named::read(text_of(tail), settings);
        let cost = cost(tail, &named);
        // Where clients know more than that, a look pays for itself by being rare.
        if self.by_tail.len() >= KEPT_MAX.max(2 * self.known) || self.length + cost > KEPT_LENGTH_MAX {
            self.forget_unknown();
            if self.length + cost > KEPT_LENGTH_MAX {
                return None;
            }
        }
        self.next += 1;
        self.length += cost;
        let statement = Arc::new(Statement { number: self.next, tail: tail.into(), effects, named });
        self.by_tail.insert(tail.into(), Arc::clone(&statement));
        Some(statement)
    }

    /// Forgets what no client knows.
    fn forget_unknown(&mut self) {
        self.by_tail.retain(|_, statement| Arc::strong_count(statement) > 1);
        self.known = self.by_tail.len();
        self.length = self.by_tail.iter().map(|(tail, statement)| cost(tail, &statement.named)).sum();
    }
}

/// What one client calls its statements.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Names {
    statements: HashMap<Box<[u8]>, Arc<Statement>>,
    /// What they cost.
    length: usize,
}

impl Names {
    pub(super) fn get(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        self.statements.get(name)
    }

    /// Gives a name to a statement; whether there was room.
    #[must_use]
    pub(super) fn give(&mut self, name: &[u8], statement: Arc<Statement>) -> bool {
        if self.statements.insert(name.into(), statement).is_none() {
            self.length += name.len() + ENTRY_LENGTH;
        }
        self.length <= NAMES_LENGTH_MAX
    }

    /// Takes a name back; whether there was one.
    pub(super) fn take(&mut self, name: &[u8]) -> bool {
        let taken = self.statements.remove(name).is_some();
        self.length -= if taken { name.len() + ENTRY_LENGTH } else { 0 };
        taken
    }

    /// The client forgets all of them.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Which statements a server connection has. It may have more than these: what a server skipped was perhaps to close one.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Known {
    statements: HashMap<u64, Has>,
    clock: u64,
}

/// One that a server has.
#[derive(Debug)]
struct Has {
    /// The cycle in which it was parsed.
    since: u64,
    used: u64,
}

impl Known {
    /// Whether the server has it when it looks at what is sent next; if so, it is used now.
    pub(super) fn has(&mut self, number: u64, exchange: &Exchange) -> bool {
        self.clock += 1;
        let Some(has) = self.statements.get_mut(&number).filter(|has| exchange.is_sure_of(has.since)) else { return false };
        has.used = self.clock;
        true
    }

    /// It has it from now on; gives the one that has to go for it.
    pub(super) fn add(&mut self, number: u64, exchange: &Exchange) -> Option<u64> {
        self.clock += 1;
        self.statements.insert(number, Has { since: exchange.cycle(), used: self.clock });
        if self.statements.len() <= KNOWN_MAX {
            return None;
        }
        // Only when a server has as many as it may; then one in 500 uses pays for the look.
        let oldest = self.statements.iter().min_by_key(|(_, has)| has.used).map(|(number, _)| *number)?;
        self.remove(oldest);
        Some(oldest)
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.statements.remove(&number);
    }

    pub(super) fn clear(&mut self) {
        self.statements.clear();
    }
}

#[cfg(test)]
mod tests {
    use holm_pgwire::exchange::{Ask, Whose};

    use super::*;

    fn of(all: &mut Statements, tail: &[u8]) -> Arc<Statement> {
        all.of(tail, &Settings::default()).unwrap()
    }

    #[test]
    fn the_same_text_with_the_same_types_is_one_statement_for_every_client() {
        let mut all = Statements::default();
        let mut names = Names::default();
        assert!(names.give(b"a", of(&mut all, b"SELECT 1\0\0\0")));
        let number = names.get(b"a").unwrap().number;
        assert_ne!(of(&mut all, b"SELECT 1\0\0\x01....").number, number);
        assert!(names.take(b"a") && !names.take(b"a"));
        assert_eq!(of(&mut all, b"SELECT 1\0\0\0").number, number);
    }

    #[test]
    fn what_no_client_knows_is_forgotten_when_there_is_too_much_and_its_number_is_never_given_again() {
        let mut all = Statements::default();
        let mut names = Names::default();
        assert!(names.give(b"a", of(&mut all, b"kept")));
        let (kept, first) = (names.get(b"a").unwrap().number, of(&mut all, b"0").number);
        for text in 1..=KEPT_MAX {
            of(&mut all, text.to_string().as_bytes());
        }
        assert!(all.by_tail.len() <= KEPT_MAX);
        assert_eq!(of(&mut all, b"kept").number, kept);
        assert_ne!(of(&mut all, b"0").number, first, "a server may still have the old one under that name");
    }

    #[test]
    fn a_pool_keeps_so_many_bytes_of_text_and_no_more_and_room_comes_back() {
        let mut all = Statements::default();
        let texts: Vec<Vec<u8>> = (0..=u8::MAX).map(|nth| vec![nth; 100_000]).collect();
        let held: Vec<_> = texts.iter().map_while(|text| all.of(text, &Settings::default())).collect();
        assert!((100..texts.len()).contains(&held.len()), "{}", held.len());
        assert!(all.length <= KEPT_LENGTH_MAX);
        drop(held);
        assert!(texts.iter().all(|text| all.of(text, &Settings::default()).is_some()));
    }

    #[test]
    fn one_client_has_so_many_names_and_no_more() {
        let (mut all, mut names) = (Statements::default(), Names::default());
        let statement = of(&mut all, b"SELECT 1");
        let room = (0_u32..).position(|name| !names.give(&name.to_be_bytes(), Arc::clone(&statement))).unwrap();
        assert!((5_000..20_000).contains(&room), "{room}");
        assert!(names.take(&0_u32.to_be_bytes()) && names.take(&1_u32.to_be_bytes()));
        assert!(names.give(b"again", statement));
    }

    #[test]
    fn a_server_keeps_what_it_used_last() {
        let (mut known, exchange) = (Known::default(), Exchange::default());
        for number in 0..500 {
            assert_eq!(known.add(number, &exchange), None);
        }
        assert!(known.has(0, &exchange));
        assert_eq!(known.add(500, &exchange), Some(1));
        assert!(known.has(0, &exchange) && !known.has(1, &exchange));
    }

    #[test]
    fn a_server_has_what_is_sent_before_in_the_same_cycle_and_what_was_sent_in_one_that_is_over() {
        let (mut known, mut exchange) = (Known::default(), Exchange::default());
        known.add(1, &exchange);
        assert!(known.has(1, &exchange));
        exchange.ask(Ask::Sync, Whose::Client, |_| {});
        assert!(!known.has(1, &exchange), "an error may have come before it");
        exchange.answer(b'Z', b'I', |_| {}).unwrap();
        assert!(known.has(1, &exchange));
    }
}
