//! A server's messages on their way to the client that it is lent to.
//!
//! Promises: every message is set against what was asked; what answers a message of ours goes no further, and what we answer
//! ourselves is said in its turn. Settings that the server reports are noted. Large bodies go on in pieces.

use holm_pgwire::exchange::{Exchange, Goes, Local};
use holm_pgwire::fields;
use holm_pgwire::frame::{self, HEADER_LENGTH, MESSAGE_LENGTH_MAX};

use super::numbers::{self, Numbers};
use super::prepared::{Known, Statement};
use super::settings::Settings;

/// A report or an error that is looked into; longer ones go by unread.
const READ_LENGTH_MAX: usize = 16 * 1024;
/// The tags that are looked for are no longer.
const COMMAND_LENGTH_MAX: usize = "START TRANSACTION\0".len();
/// What PostgreSQL calls the place of "cached plan must not change result type", in whatever language it says so.
const PLAN_OUTDATED: &[u8] = b"RRevalidateCachedQuery\0";

/// SQLSTATE of a statement that is not there, and of one that is there already.
const STATEMENT_CODES: [&[u8]; 2] = [b"C26000\0", b"C42P05\0"];

/// Why a server's messages go no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server does not keep to the protocol.
    Violation,
    /// It is not clean of another client's session, or has not this one's settings, and what the client asked is under way
    /// behind that.
    Unprepared,
}

/// What a message may change, besides the bytes.
pub(super) struct Table<'a> {
    pub(super) exchange: &'a mut Exchange,
    pub(super) known: &'a mut Known,
    pub(super) settings: &'a mut Settings,
    pub(super) numbers: &'a mut Numbers,
    /// The connection is of no use to anybody else.
    pub(super) spent: &'a mut bool,
    /// What the session had was discarded.
    pub(super) discarded: &'a mut Discarded,
}

/// What a session has discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Discarded {
    #[default]
    Nothing,
    /// Its prepared statements.
    Statements,
    /// Everything.
    All,
}

impl Discarded {
    /// By the tag of a CommandComplete.
    fn of(tag: &[u8]) -> Self {
        match tag {
            b"DISCARD ALL\0" => Self::All,
            b"DEALLOCATE ALL\0" => Self::Statements,
            _ => Self::Nothing,
        }
    }
}

/// The way down.
#[derive(Debug, Default)]
pub(super) struct Down {
    held: Vec<u8>,
    passing: usize,
    goes_nowhere: bool,
    /// Whether the last message to the client was an error.
    told_error: bool,
    /// Whether anything was done for the client that may have drawn a number.
    has_acted: bool,
}

impl Down {
    pub(super) fn is_at_boundary(&self) -> bool {
        self.passing == 0 && self.held.is_empty()
    }

    /// Whether something of ours may be put between what the client got and what it gets next.
    pub(super) const fn is_between(&self) -> bool {
        self.passing == 0
    }

    /// How much of the message under way is still to come.
    pub(super) const fn left(&self) -> usize {
        self.passing
    }

    /// Carries bytes that belong to the message under way.
    pub(super) fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.passing = self.passing.saturating_sub(bytes.len());
        if !self.goes_nowhere {
            out.extend_from_slice(bytes);
        }
    }

    /// Whether anything was done for the client, since it has the connection, that may have drawn a number.
    pub(super) const fn has_acted(&self) -> bool {
        self.has_acted
    }

    /// Whether the client was told an error last, and so knows why the connection ends.
    pub(super) const fn has_told_error(&self) -> bool {
        self.told_error
    }

    /// Puts what was held and `input` into `out`, as the client is to have it.
    pub(super) fn carry(&mut self, input: &[u8], table: &mut Table<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.held.is_empty() {
            return self.messages(input, table, out);
        }
        let mut joined = std::mem::take(&mut self.held);
        joined.extend_from_slice(input);
        self.messages(&joined, table, out)
    }

    fn messages(&mut self, mut bytes: &[u8], table: &mut Table<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        loop {
            let passed = self.passing.min(bytes.len());
            if !self.goes_nowhere {
                out.extend_from_slice(&bytes[..passed]);
            }
            self.passing -= passed;
            bytes = &bytes[passed..];
            if self.passing == 0 {
                say(table.exchange, out);
            }
            if bytes.is_empty() {
                return Ok(());
            }
            let header = frame::header(bytes, MESSAGE_LENGTH_MAX).map_err(|_| Fault::Violation)?;
            let Some((tag, length)) = header else {
                self.held.extend_from_slice(bytes);
                return Ok(());
            };
            let body = &bytes[HEADER_LENGTH..bytes.len().min(HEADER_LENGTH + length)];
            let wanted = match tag {
                b'Z' => length,
                b'C' if length <= COMMAND_LENGTH_MAX => length,
                b'S' | b'E' if length <= READ_LENGTH_MAX => length,
                _ => 0,
            };
            if body.len() < wanted {
                self.held.extend_from_slice(bytes);
                return Ok(());
            }
            let Table { exchange, known, .. } = table;
            let fails = tag == b'E' && exchange.carries_out_next();
            let goes = exchange.answer(tag, body.first().copied().unwrap_or(0), |lost| known.remove(lost)).map_err(|_| Fault::Violation)?;
            if fails || goes == Goes::On && numbers::may_draw(tag, &body[..wanted]) {
                self.has_acted = true;
                table.numbers.drawn();
            }
            // Whoever asked for it.
            if tag == b'C' && numbers::are_forgotten(&body[..wanted]) {
                *table.numbers = Numbers::Nobodys;
            }
            match tag {
                b'S' if wanted > 0 => report(body, table.settings)?,
                // What we discarded ourselves was known when it was asked.
                b'C' if goes == Goes::On => match Discarded::of(body) {
                    Discarded::Nothing => {}
                    discarded => {
                        table.known.clear();
                        // What was asked since, in the same pipeline, may need the session anew.
                        *table.discarded = if table.exchange.has_more() { Discarded::Statements } else { discarded };
                    }
                },
                b'E' if goes == Goes::Failed => {
                    // Its text may quote what the client set.
                    let code = String::from_utf8_lossy(fields::parse(body).code.unwrap_or_default()).into_owned();
                    tracing::warn!(code, "a server could not be prepared for a client");
                    return Err(Fault::Unprepared);
                }
                b'E' => *table.spent |= table.exchange.is_doubtful() || shows_unknown_statements(body),
                _ => {}
            }
            self.goes_nowhere = goes != Goes::On;
            self.told_error = tag == b'E' && !self.goes_nowhere;
            if !self.goes_nowhere {
                out.extend_from_slice(&bytes[..HEADER_LENGTH]);
            }
            bytes = &bytes[HEADER_LENGTH..];
            self.passing = length;
        }
    }
}

/// Whether an error shows that what is known of the server's statements is not so: a plan that the schema has outrun, or a
/// statement of ours that a function deallocated or made.
fn shows_unknown_statements(body: &[u8]) -> bool {
    let has = |part: &[u8]| body.windows(part.len()).any(|there| there == part);
    has(PLAN_OUTDATED) || STATEMENT_CODES.into_iter().any(has) && has(Statement::PREFIX)
}

fn report(body: &[u8], settings: &mut Settings) -> Result<(), Fault> {
    let mut texts = body.split(|byte| *byte == 0);
    let (Some(name), Some(value)) = (texts.next(), texts.next()) else { return Err(Fault::Violation) };
    settings.set(name, value);
    Ok(())
}

/// Says what is due in the server's place.
pub(super) fn say(exchange: &mut Exchange, out: &mut Vec<u8>) {
    while let Some(word) = exchange.word_due() {
        out.extend_from_slice(match word {
            Local::Parsed => b"1\0\0\0\x04",
            Local::Closed => b"3\0\0\0\x04",
        });
    }
}
