//! What the text of a Query or a Parse does to the *session*, as far as it can be seen without parsing SQL: bytes in,
//! [`Effect`]s out.
//!
//! A server connection that is lent for a transaction must not carry one client's listening, locks or settings to the next,
//! nor lose them. Promises: every statement of the text is looked at; comments, case, quotes, schemas and white space hide
//! nothing; where two readings of a text are possible (`standard_conforming_strings`, a client encoding whose second bytes
//! are ASCII) both are taken or [`Effect::Unclear`] is said: what is said may be too much, never too little. No allocation,
//! no panic, no text is kept. Refuses to judge: a statement that fails or is rolled back leaves nothing, but is seen all the
//! same, and what *clears* something does so only once the server says that it was done. What PREPARE or Parse prepares is
//! seen here and then, not when it is executed: the effects belong to the prepared statement.
//!
//! [`look`] and [`read`] take a whole text and pass over most without reading it (`glance`); [`Reader`] takes it in the
//! pieces in which it streams by, with the same result, since a bulk INSERT of megabytes must not pin its client for having
//! been too long to look at.
//!
//! What cannot be seen, each with a test in `statement/tests/limits.rs` that shows it:
//! - what a function, trigger, rule, operator or view does that is called by its own name (a `set_config` in its body, an
//!   alias for `pg_advisory_lock`); blocks and procedures are at least [`Effect::Opaque`];
//! - a temporary table that is made without TEMP or `pg_temp.` since `search_path` begins with `pg_temp`;
//! - `setseed`, that a function asks for `currval` or `lastval`, and what extensions keep (`dblink_connect`, PL/Perl's `%_SHARED`);
//! - what the values of parameters name: `set_config($1, $2, $3)` is a setting without a name;
//! - what is not a text: a FunctionCall message with the number of a function, the `options` of the startup packet.
//!
//! What is said too often: names of functions count wherever they stand (GRANT, CREATE FUNCTION), and so does what a rule
//! or a body of BEGIN ATOMIC holds.

mod glance;
mod lexer;
mod sentence;
#[cfg(test)]
mod tests;

use lexer::{Advanced, Lexer};

/// A name as PostgreSQL takes it: unquoted in lower case, quoted as it is; empty if it cannot be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// A name that the text does not tell.
    pub const UNKNOWN: Self = Self(b"");

    /// The bytes, in the client's encoding.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether this is the setting `name`: PostgreSQL compares them without case, quoted or not (`guc_name_compare`).
    pub const fn is_setting(self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// What a statement does to the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect<'a> {
    /// LISTEN.
    Listen,
    /// A call of `pg_advisory_lock` or one of its three sisters that hold until they are unlocked or the session ends.
    AdvisoryLock,
    /// Something temporary is created, or something in `pg_temp` is named.
    Temporary,
    /// DECLARE of a cursor WITH HOLD.
    HoldCursor,
    /// PREPARE of a statement.
    Prepare(Name<'a>),
    /// EXECUTE of a prepared statement, which must be there.
    Execute(Name<'a>),
    /// A setting gets another value for the session. `SET SESSION CHARACTERISTICS` has a name that no setting has, with a
    /// space in it.
    Setting(Name<'a>),
    /// LOAD.
    Load,
    /// DO or CALL: may leave anything behind, or nothing. What it leaves is hardly ever wanted again by its client; a server
    /// connection that it ran on should be cleaned before another client meets it.
    Opaque,
    /// The text cannot be read with certainty: every effect must be assumed, and nothing that it seems to clear is cleared.
    Unclear,
    /// UNLISTEN, of one channel or of all.
    Unlisten,
    /// DEALLOCATE of one statement, which may be one that was prepared by a Parse.
    Deallocate(Name<'a>),
    /// DEALLOCATE ALL: those that were prepared by a Parse go too.
    DeallocateAll,
    /// RESET ALL.
    ResetAll,
    /// DISCARD ALL.
    DiscardAll,
    /// DISCARD TEMP.
    DiscardTemporary,
    /// DISCARD PLANS or SEQUENCES.
    DiscardOther,
    /// A call of `currval` or `lastval` in the first statement of the text, which asks for what was drawn before it.
    AskDrawn,
    /// The same in a later statement: what it asks for may have been drawn by the text itself.
    AskDrawnLater,
}

/// A set of effects, without the names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effects(u32);

impl Effects {
    /// [`Effect::Listen`].
    pub const LISTEN: Self = Self(1);
    /// [`Effect::AdvisoryLock`].
    pub const ADVISORY_LOCK: Self = Self(1 << 1);
    /// [`Effect::Temporary`].
    pub const TEMPORARY: Self = Self(1 << 2);
    /// [`Effect::HoldCursor`].
    pub const HOLD_CURSOR: Self = Self(1 << 3);
    /// [`Effect::Prepare`].
    pub const PREPARE: Self = Self(1 << 4);
    /// [`Effect::Execute`].
    pub const EXECUTE: Self = Self(1 << 5);
    /// [`Effect::Setting`].
    pub const SETTING: Self = Self(1 << 6);
    /// [`Effect::Load`].
    pub const LOAD: Self = Self(1 << 7);
    /// [`Effect::Opaque`].
    pub const OPAQUE: Self = Self(1 << 8);
    /// [`Effect::Unclear`].
    pub const UNCLEAR: Self = Self(1 << 9);
    /// [`Effect::Unlisten`].
    pub const UNLISTEN: Self = Self(1 << 10);
    /// [`Effect::Deallocate`].
    pub const DEALLOCATE: Self = Self(1 << 11);
    /// [`Effect::DeallocateAll`].
    pub const DEALLOCATE_ALL: Self = Self(1 << 12);
    /// [`Effect::ResetAll`].
    pub const RESET_ALL: Self = Self(1 << 13);
    /// [`Effect::DiscardAll`].
    pub const DISCARD_ALL: Self = Self(1 << 14);
    /// [`Effect::DiscardTemporary`].
    pub const DISCARD_TEMPORARY: Self = Self(1 << 15);
    /// [`Effect::DiscardOther`].
    pub const DISCARD_OTHER: Self = Self(1 << 16);
    /// [`Effect::AskDrawn`].
    pub const ASK_DRAWN: Self = Self(1 << 17);
    /// [`Effect::AskDrawnLater`].
    pub const ASK_DRAWN_LATER: Self = Self(1 << 18);
    /// Those that only take something away from the session.
    pub const CLEARS: Self = Self(0b111_1111 << 10);

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any of `others` is among these.
    pub const fn intersects(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// These and `others`.
    #[must_use]
    pub const fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These without `others`.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl From<Effect<'_>> for Effects {
    fn from(effect: Effect<'_>) -> Self {
        match effect {
            Effect::Listen => Self::LISTEN,
            Effect::AdvisoryLock => Self::ADVISORY_LOCK,
            Effect::Temporary => Self::TEMPORARY,
            Effect::HoldCursor => Self::HOLD_CURSOR,
            Effect::Prepare(_) => Self::PREPARE,
            Effect::Execute(_) => Self::EXECUTE,
            Effect::Setting(_) => Self::SETTING,
            Effect::Load => Self::LOAD,
            Effect::Opaque => Self::OPAQUE,
            Effect::Unclear => Self::UNCLEAR,
            Effect::Unlisten => Self::UNLISTEN,
            Effect::Deallocate(_) => Self::DEALLOCATE,
            Effect::DeallocateAll => Self::DEALLOCATE_ALL,
            Effect::ResetAll => Self::RESET_ALL,
            Effect::DiscardAll => Self::DISCARD_ALL,
            Effect::DiscardTemporary => Self::DISCARD_TEMPORARY,
            Effect::DiscardOther => Self::DISCARD_OTHER,
            Effect::AskDrawn => Self::ASK_DRAWN,
            Effect::AskDrawnLater => Self::ASK_DRAWN_LATER,
        }
    }
}

/// What a whole text does, all statements together. With or without the zero byte that ends it in the message.
pub fn look(text: &[u8]) -> Effects {
    let mut effects = Effects::default();
    read(text, |effect| effects = effects.union(effect.into()));
    effects
}

/// Tells `told` each effect of a whole text, with names, in the order of the text; the same effect may be told twice.
pub fn read(text: &[u8], mut told: impl FnMut(Effect<'_>)) {
    if glance::is_harmless(text) {
        return;
    }
    let mut reader = Reader::default();
    reader.feed(text, &mut told);
    reader.finish(told);
}

/// Reads a text that comes in pieces, wherever they are cut.
///
/// Tells what [`read`] tells, and [`Effect::Unclear`] also for texts with nothing in them that matters.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    /// The text as it is read with `standard_conforming_strings` on.
    conforming: Lexer,
    /// As it is read with it off, since the first string that would then end elsewhere.
    escaping: Option<Lexer>,
}

impl Reader {
    /// Reads the next piece.
    pub fn feed(&mut self, piece: &[u8], mut told: impl FnMut(Effect<'_>)) {
        let mut rest = piece;
        if self.escaping.is_none() {
            match self.conforming.advance(piece, &mut told) {
                Advanced::Whole => return,
                Advanced::ForkAt(at) => rest = piece.get(at..).unwrap_or_default(),
            }
            self.escaping = Some(self.conforming.fork());
        }
        let mut told = certain_of(true, &mut told);
        self.conforming.advance(rest, &mut told);
        if let Some(escaping) = &mut self.escaping {
            escaping.advance(rest, &mut told);
        }
    }

    /// Ends the text.
    pub fn finish(mut self, mut told: impl FnMut(Effect<'_>)) {
        let mut told = certain_of(self.escaping.is_some(), &mut told);
        let mut ended = self.conforming.finish(&mut told);
        if let Some(escaping) = &mut self.escaping {
            ended |= escaping.finish(&mut told);
        }
        // PostgreSQL refuses a text that ends inside a string or a comment. But it is also what a text looks like whose
        // strings end elsewhere than we believe.
        if !ended {
            told(Effect::Unclear);
        }
    }
}

/// What clears something in one of two readings may be part of a string in the other.
fn certain_of(forked: bool, told: &mut impl FnMut(Effect<'_>)) -> impl FnMut(Effect<'_>) {
    move |effect| told(if forked && Effects::CLEARS.intersects(effect.into()) { Effect::Unclear } else { effect })
}
