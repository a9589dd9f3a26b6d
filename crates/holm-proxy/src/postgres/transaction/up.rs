//! A client's messages on their way to the server that it has for now.
//!
//! Promises: what is not about a named statement goes on as it came, and large bodies go on in pieces; a named statement is
//! there on the server before it is used, under a name that is no client's. A message that is not whole waits here, bounded;
//! one that no client may send, or that is too long to be kept where it has to be, is refused.

mod deallocate;
mod own_names;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use holm_pgwire::exchange::{Ask, Exchange, Local, Whose};
use holm_pgwire::extended::{self, Bind, Head, PARSE, Subject};
use holm_pgwire::frame::{self, HEADER_LENGTH, MESSAGE_LENGTH_MAX, Malformed};
use holm_pgwire::statement::Reader;

use self::deallocate::{deallocate, deallocated, stand_in};
use self::own_names::OwnNames;
use super::effects::{Effects, Pin};
use super::named::{self, Named};
use super::numbers::{self, Numbers};
use super::prepared::{Known, Names, Statement, Statements};
use super::settings::Settings;

/// A text that is kept until it is whole; a longer one is read as it goes by.
const TEXT_LENGTH_MAX: usize = 64 * 1024;
/// The text of a named statement, which is kept. ORMs make inserts of some 100 KB; a longer one is its client's alone.
const NAMED_LENGTH_MAX: usize = 1024 * 1024;
/// Names, where a message begins with them. PostgreSQL itself looks at 63 bytes.
const NAMES_LENGTH_MAX: usize = 8 * 1024;

/// What is waited for of a longer text, so that its beginning can be read.
const BEGINNING_LENGTH: usize = 8 * 1024;
/// Why a client ends a copy. PostgreSQL ends the session over 10,000 bytes.
const REASON_LENGTH_MAX: usize = 8 * 1024;
/// What goes to the server of one read, before the rest waits until that is sent: a few bytes may stand for a text of a megabyte.
const OUT_LENGTH_MAX: usize = 256 * 1024;

/// What a client means that uses a name of ours: nothing.
const NOBODYS: &[u8] = b"a statement of somebody else";

/// Why a client's message goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("a message of a type that no client sends")]
    Type,
    #[error("a message has a body that is not its type's")]
    Body,
    #[error("a name in a message is too long")]
    LongName,
    #[error("the client has more prepared statements than it may")]
    Names,
}

/// What a message may change, besides the bytes.
pub(super) struct Table<'a> {
    pub(super) exchange: &'a mut Exchange,
    pub(super) names: &'a mut Names,
    pub(super) statements: &'a mut Statements,
    pub(super) known: &'a mut Known,
    pub(super) settings: &'a Settings,
    pub(super) pin: &'a mut Option<Pin>,
    pub(super) soiled: &'a mut bool,
    pub(super) numbers: &'a mut Numbers,
    pub(super) asks_for_numbers: &'a AtomicBool,
    /// Whether the client may have drawn a number since it has the connection, so far as the server has answered.
    pub(super) has_acted: bool,
}

/// By which messages a text is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Query,
    Extended,
}

impl Form {
    /// Who asks for what goes in front of it. Behind a Query's own there is no Sync of the client's that an error could skip to.
    const fn whose(self) -> Whose {
        match self {
            Self::Query => Whose::OursInVain,
            Self::Extended => Whose::Ours,
        }
    }
}

/// A text that goes by in pieces.
#[derive(Debug, Default)]
struct Reading {
    reader: Reader,
    effects: Effects,
    /// Its zero has come; what follows is not text.
    is_over: bool,
}

impl Reading {
    fn feed(&mut self, piece: &[u8], settings: &Settings) {
        if !self.is_over {
            let text = piece.split(|byte| *byte == 0).next().unwrap_or_default();
            self.effects.feed(&mut self.reader, text, settings);
            self.is_over = text.len() < piece.len();
        }
    }
}

/// A Parse without a name.
#[derive(Debug)]
struct Unnamed {
    message: Vec<u8>,
    effects: Effects,
    named: Named,
    /// It deallocates a stand-in.
    wants_stand_in: bool,
}

impl Unnamed {
    /// Takes the place of the last one, and its buffer, unless that is a large one for a client that rests.
    fn new(last: Option<Self>, body: &[u8], (effects, named): (Effects, Named)) -> Self {
        let length = HEADER_LENGTH + body.len();
        let buffer = last.map(|last| last.message).filter(|buffer| buffer.capacity() <= 2 * length);
        let mut message = buffer.unwrap_or_else(|| Vec::with_capacity(length));
        message.clear();
        header(&mut message, PARSE, body.len());
        message.extend_from_slice(body);
        Self { message, effects, named, wants_stand_in: false }
    }

    /// Whether a Parse says the same.
    fn is(&self, body: &[u8]) -> bool {
        !self.wants_stand_in && self.message[HEADER_LENGTH..] == *body
    }
}

/// The way up.
#[derive(Debug, Default)]
pub(super) struct Up {
    /// Of a message that is not whole; more than that where it is cut.
    held: Vec<u8>,
    /// Messages wait that are whole.
    is_cut: bool,
    /// Of a body that goes on as it comes.
    passing: usize,
    /// If that is a text.
    reading: Option<Box<Reading>>,
    terminated: bool,
    /// The last Parse without a name: a client may bind it in a later transaction.
    unnamed: Option<Unnamed>,
    slot: Slot,
    own_names: OwnNames,
}

/// What a server has as the statement without a name.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// Another client's, or nobody's.
    #[default]
    Unknown,
    /// This client's, unless what was sent in a cycle is skipped.
    Sent(u64),
    /// This client's, whatever is skipped from here on.
    Own,
}

impl Slot {
    /// After something that replaces it, unless that is skipped, or `plain` is wrong and the server refuses it as it is.
    const fn replaced(exchange: &Exchange, plain: bool) -> Self {
        if plain && exchange.is_at_start_of_cycle() { Self::Own } else { Self::Sent(exchange.cycle()) }
    }

    /// Whether what is sent next meets this client's, or is skipped with it.
    fn is_own(self, exchange: &Exchange) -> bool {
        self == Self::Own || self == Self::Sent(exchange.cycle())
    }
}

/// Whether the server looks at a text at all: bytes that are none of its encoding it refuses before.
fn is_plain(text: &[u8]) -> bool {
    text.is_ascii() && !text.contains(&0)
}

/// Whether what follows the text of a Parse is as it must be: a count and so many types.
fn are_types(tail: &[u8]) -> bool {
    tail.split_first_chunk().is_some_and(|(count, types)| types.len() == 4 * usize::from(u16::from_be_bytes(*count)))
}

impl Up {
    /// Keeps bytes for when there is a server.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// Gives what is held.
    pub(super) fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// How many bytes are held.
    pub(super) const fn held_length(&self) -> usize {
        self.held.len()
    }

    /// Whether the client has said goodbye, or nothing but that.
    pub(super) fn is_terminated(&self) -> bool {
        self.terminated || self.passing == 0 && self.held.first() == Some(&b'X')
    }

    /// Whether the server has been given whole messages.
    pub(super) const fn is_between_messages(&self) -> bool {
        self.passing == 0
    }

    /// Whether there is something to be carried without a word of the client.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether no message is under way.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.passing == 0 && self.held.is_empty()
    }

    /// Another server: what it was told before does not hold.
    pub(super) fn begin(&mut self) {
        self.slot = Slot::Unknown;
    }

    /// Puts what was held and `input` into `out`, as the server is to have it; where that is a lot, a part.
    pub(super) fn carry(&mut self, input: &[u8], table: &mut Table<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        self.is_cut = false;
        if self.held.is_empty() {
            return self.messages(input, table, out);
        }
        let mut joined = std::mem::take(&mut self.held);
        joined.extend_from_slice(input);
        self.messages(&joined, table, out)
    }

    fn messages(&mut self, mut bytes: &[u8], table: &mut Table<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        loop {
            let passed = self.passing.min(bytes.len());
            out.extend_from_slice(&bytes[..passed]);
            self.passing -= passed;
            self.read(&bytes[..passed], table);
            bytes = &bytes[passed..];
            if bytes.is_empty() || self.terminated {
                return Ok(());
            }
            if out.len() >= OUT_LENGTH_MAX {
                self.hold(bytes);
                self.is_cut = true;
                return Ok(());
            }
            let header = frame::header(bytes, MESSAGE_LENGTH_MAX)?;
            let Some((tag, length)) = header else {
                self.hold(bytes);
                return Ok(());
            };
            let body = &bytes[HEADER_LENGTH..bytes.len().min(HEADER_LENGTH + length)];
            match self.message(tag, length, body, table, out)? {
                // The whole message is dealt with.
                Some(0) => bytes = &bytes[HEADER_LENGTH + length..],
                // What goes on begins here.
                Some(kept) => bytes = &bytes[HEADER_LENGTH + length - kept..],
                None => {
                    self.hold(bytes);
                    return Ok(());
                }
            }
        }
    }

    /// Reads a piece of a text that goes on.
    fn read(&mut self, piece: &[u8], table: &mut Table<'_>) {
        let Some(reading) = &mut self.reading else { return };
        reading.feed(piece, table.settings);
        if self.passing == 0
            && let Some(reading) = self.reading.take()
        {
            let effects = reading.effects.finish(reading.reader, table.settings);
            effects.apply(table.pin, table.soiled);
            numbers::after_unread(effects, table);
        }
    }

    /// Deals with a message of which `body` has come; gives how much of its end goes on as it is, or `None` until more of it
    /// has come.
    fn message(&mut self, tag: u8, length: usize, body: &[u8], table: &mut Table<'_>, out: &mut Vec<u8>) -> Result<Option<usize>, Refused> {
        let whole = body.len() == length;
        match tag {
            b'Q' if !whole && (length <= TEXT_LENGTH_MAX || body.len() < BEGINNING_LENGTH) => return Ok(None),
            b'Q' => {
                self.own_names.take_back(Form::Query, table, out);
                // A Query ends the statement without a name.
                let text = body.strip_suffix(b"\0").unwrap_or(body);
                let plain = whole && text.len() < length && is_plain(text);
                (self.unnamed, self.slot) = (None, Slot::replaced(table.exchange, plain));
                if whole {
                    if let Some(name) = deallocated(text, table.names) {
                        deallocate(&name, table, out);
                        return Ok(Some(0));
                    }
                    let (effects, named) = named::read(text, table.settings);
                    // First, since a statement that cannot be prepared any more fails the transaction for what goes behind it.
                    undertake(effects, Form::Query, table, out);
                    self.own_names.give(&named, Form::Query, table, out);
                } else {
                    numbers::before_unread(Form::Query, table, out);
                    // What a text of any length executes is said at its beginning.
                    self.own_names.give(&Named::of_beginning(body), Form::Query, table, out);
                    self.reading = Some(Box::default());
                }
                ask(table, Ask::Query);
            }
            b'P' | b'B' | b'D' | b'C' => return self.about_a_statement(tag, length, body, table, out),
            // The server refuses it, and skips whatever comes until a Sync; a long reason, and it goes.
            b'S' | b'H' | b'c' if length > 0 => return Err(Refused::Body),
            b'f' if length > REASON_LENGTH_MAX => return Err(Refused::Body),
            b'E' => ask(table, Ask::Execute),
            b'S' => ask(table, Ask::Sync),
            b'F' => ask(table, Ask::Function),
            b'c' | b'f' => table.exchange.end_copy(),
            b'H' | b'd' => {}
            b'X' => {
                self.terminated = true;
                return Ok(Some(0));
            }
            _ => return Err(Refused::Type),
        }
        self.pass(tag, length, length, out);
        Ok(Some(self.passing))
    }

    /// Writes a header and lets the last `kept` bytes of the body follow.
    fn pass(&mut self, tag: u8, length: usize, kept: usize, out: &mut Vec<u8>) {
        header(out, tag, length);
        self.passing = kept;
    }

    fn about_a_statement(
        &mut self,
        tag: u8,
        length: usize,
        body: &[u8],
        table: &mut Table<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<usize>, Refused> {
        if table.exchange.is_skipping() {
            // The server will not look at it, and neither do we.
            self.pass(tag, length, length, out);
            return Ok(Some(length));
        }
        self.own_names.take_back(Form::Extended, table, out);
        let too_long = body.len() > NAMES_LENGTH_MAX || length > NAMES_LENGTH_MAX && matches!(tag, b'D' | b'C');
        let to_come = if too_long { Err(Refused::LongName) } else { Ok(None) };
        match tag {
            b'P' => match extended::parse_name(body, length)? {
                Some(Head { fields: name, .. }) => self.parse(name, length, body, table, out),
                None => to_come,
            },
            b'B' => match extended::bind(body, length)? {
                Some(head) => self.bind(&head, length, table, out),
                None => to_come,
            },
            _ if body.len() < length => to_come,
            _ => {
                let subject = extended::subject(body)?;
                match tag {
                    b'C' => {
                        if subject == Subject::Statement(b"") {
                            (self.unnamed, self.slot) = (None, Slot::replaced(table.exchange, true));
                        }
                        close(subject, table, out)?;
                    }
                    _ => self.describe(subject, table, out)?,
                }
                Ok(Some(0))
            }
        }
    }

    /// Its values follow as they come.
    fn bind(&mut self, head: &Head<Bind<'_>>, length: usize, table: &mut Table<'_>, out: &mut Vec<u8>) -> Result<Option<usize>, Refused> {
        let Bind { portal, statement } = head.fields;
        let ours = self.on_server(statement, table, out);
        if let Some(unnamed) = self.unnamed.as_mut().filter(|_| statement.is_empty()) {
            // Executed once more, it is to say that there is no such statement.
            unnamed.wants_stand_in = false;
        }
        let effects = match table.names.get(statement) {
            Some(named) => named.effects,
            None => self.unnamed.as_ref().filter(|_| statement.is_empty()).map(|unnamed| unnamed.effects).unwrap_or_default(),
        };
        undertake(effects, Form::Extended, table, out);
        let kept = length - head.length;
        extended::write_bind(out, Bind { portal, statement: &ours }, kept)?;
        self.passing = kept;
        ask(table, Ask::Bind);
        Ok(Some(kept))
    }

    fn describe(&mut self, subject: Subject<'_>, table: &mut Table<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        let written = match subject {
            Subject::Portal(_) => extended::write_describe(out, subject),
            Subject::Statement(name) => {
                let ours = self.on_server(name, table, out);
                extended::write_describe(out, Subject::Statement(&ours))
            }
        };
        ask(table, Ask::Describe);
        Ok(written?)
    }

    /// Has the server know a statement; gives what it is called there.
    fn on_server<'n>(&mut self, name: &'n [u8], table: &mut Table<'_>, out: &mut Vec<u8>) -> Cow<'n, [u8]> {
        if name.is_empty() {
            self.need_unnamed(table, out);
            return Cow::Borrowed(name);
        }
        let Some(statement) = table.names.get(name).cloned() else { return Cow::Borrowed(not_ours(name)) };
        // What such a text returns is known when it is parsed.
        let is_outdated = self.own_names.give(&statement.named, Form::Extended, table, out);
        if (is_outdated || !table.known.has(statement.number, table.exchange)) && statement.is_kept() {
            send_parse(&statement, Whose::Ours, table, out);
        }
        Cow::Owned(Statement::name(statement.number).into_bytes())
    }

    fn parse(
        &mut self,
        name: &[u8],
        length: usize,
        body: &[u8],
        table: &mut Table<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<usize>, Refused> {
        let whole = body.len() == length;
        if !whole && length <= if name.is_empty() { TEXT_LENGTH_MAX } else { NAMED_LENGTH_MAX } {
            return Ok(None);
        }
        if name.is_empty() {
            let mut plain = false;
            if whole {
                let text = body[1..].split(|byte| *byte == 0).next().unwrap_or_default();
                plain = is_plain(text) && body.get(text.len() + 2..).is_some_and(are_types);
                if let Some(gone) = deallocated(text, table.names) {
                    self.deallocate_later(&gone, &body[1 + text.len()..], table, out);
                    return Ok(Some(0));
                }
                // Clients say the same again and again.
                if self.unnamed.as_ref().is_none_or(|last| !last.is(body)) {
                    self.unnamed = Some(Unnamed::new(self.unnamed.take(), body, named::read(text, table.settings)));
                }
                if let Some(unnamed) = &self.unnamed {
                    self.own_names.give(&unnamed.named, Form::Extended, table, out);
                }
            } else {
                numbers::before_unread(Form::Extended, table, out);
                self.reading = Some(Box::default());
                self.unnamed = None;
            }
            self.slot = Slot::replaced(table.exchange, plain);
            ask(table, Ask::Parse(None));
            // The text begins after the zero that stands for no name.
            self.pass(PARSE, length, length - 1, out);
            out.push(0);
            return Ok(Some(length - 1));
        }
        let kept = if whole { table.statements.of(&body[name.len() + 1..], table.settings) } else { None };
        let Some(statement) = kept else { return self.parse_unkept(name, length, table, out) };
        if !table.names.give(name, Arc::clone(&statement)) {
            return Err(Refused::Names);
        }
        let is_outdated = self.own_names.give(&statement.named, Form::Extended, table, out);
        if !is_outdated && table.known.has(statement.number, table.exchange) {
            table.exchange.say(Local::Parsed);
        } else {
            send_parse(&statement, Whose::Client, table, out);
        }
        Ok(Some(0))
    }

    /// A statement whose text is not kept for another server: its client keeps this one.
    fn parse_unkept(&mut self, name: &[u8], length: usize, table: &mut Table<'_>, out: &mut Vec<u8>) -> Result<Option<usize>, Refused> {
        let statement = table.statements.unkept();
        let number = statement.number;
        if !table.names.give(name, statement) {
            return Err(Refused::Names);
        }
        let kept = length - name.len() - 1;
        numbers::before_unread(Form::Extended, table, out);
        extended::write_parse(out, Statement::name(number).as_bytes(), kept)?;
        table.known.add(number, table.exchange);
        table.exchange.ask(Ask::Parse(Some(number)), Whose::Client, |_| {});
        table.pin.get_or_insert(Pin::LongStatement);
        self.reading = Some(Box::default());
        self.passing = kept;
        Ok(Some(kept))
    }

    /// Has the server have what the client parsed without a name, or nothing: it may have another client's.
    fn need_unnamed(&mut self, table: &mut Table<'_>, out: &mut Vec<u8>) {
        if let Some(unnamed) = &self.unnamed {
            unnamed.effects.apply(table.pin, table.soiled);
            self.own_names.give(&unnamed.named, Form::Extended, table, out);
        }
        if self.slot.is_own(table.exchange) {
            return;
        }
        // Whatever becomes of what follows: another client's is gone.
        self.slot = Slot::replaced(table.exchange, true);
        extended::write_close(out, Subject::Statement(b"")).expect("a short name");
        table.exchange.ask(Ask::Close, Whose::Ours, |_| {});
        let Some(unnamed) = &self.unnamed else { return };
        if unnamed.wants_stand_in {
            stand_in(table, out);
        }
        out.extend_from_slice(&unnamed.message);
        table.exchange.ask(Ask::Parse(None), Whose::Ours, |_| {});
    }
}

/// Notes what a text does that is carried out now, and prepares the server for it.
fn undertake(effects: Effects, form: Form, table: &mut Table<'_>, out: &mut Vec<u8>) {
    numbers::before(effects, form, table, out);
    effects.apply(table.pin, table.soiled);
}

pub(super) fn header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    let word = u32::try_from(length + 4).expect("at most 1 GiB, as every length here");
    out.extend_from_slice(&word.to_be_bytes());
}

fn ask(table: &mut Table<'_>, ask: Ask) {
    let Table { exchange, known, .. } = table;
    exchange.ask(ask, Whose::Client, |lost| known.remove(lost));
}

/// Other clients may use a statement that this one closes, so that the server keeps it.
fn close(subject: Subject<'_>, table: &mut Table<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
    match subject {
        Subject::Statement(name) if !name.is_empty() && table.names.take(name) => table.exchange.say(Local::Closed),
        subject => {
            let subject = match subject {
                Subject::Statement(name) => Subject::Statement(not_ours(name)),
                portal @ Subject::Portal(_) => portal,
            };
            extended::write_close(out, subject)?;
            ask(table, Ask::Close);
        }
    }
    Ok(())
}

/// A name that no statement of a client has, as the server is to have it: it may not be one of ours, under which other
/// clients have theirs.
fn not_ours(name: &[u8]) -> &[u8] {
    if Statement::is_name(name) { NOBODYS } else { name }
}

/// What may be there under the name goes first: a server that skipped a Close still has what we no longer know of.
fn send_parse(statement: &Statement, whose: Whose, table: &mut Table<'_>, out: &mut Vec<u8>) {
    let Table { exchange, known, .. } = table;
    for gone in known.add(statement.number, exchange).into_iter().chain([statement.number]) {
        extended::write_close(out, Subject::Statement(Statement::name(gone).as_bytes())).expect("a short name");
        exchange.ask(Ask::Close, Whose::Ours, |_| {});
    }
    extended::write_parse(out, Statement::name(statement.number).as_bytes(), statement.tail.len()).expect("as long as one that came");
    out.extend_from_slice(&statement.tail);
    exchange.ask(Ask::Parse(Some(statement.number)), whose, |lost| known.remove(lost));
}

#[cfg(test)]
mod tests;
