//! Whether a client has to keep its server connection beyond the transaction.
//!
//! Promises: what a statement leaves behind in a session, so far as its text shows it, pins the client: it keeps the
//! connection until it goes, or until the server has discarded everything for it. A setting that the server reports does not, if
//! another session can be given it: it goes with the client (`settings`). What may have left anything and is hardly wanted again does not pin, but the
//! connection is cleaned before another client gets it. What a client draws from sequences and asks for is `numbers`. What a text
//! does not show is listed in `holm_pgwire::statement`.

use holm_pgwire::statement::{Effect, Reader};

use super::prepared::Statement;
use super::settings::Settings;

/// Why a client keeps its server connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::postgres) enum Pin {
    /// It listens to a channel.
    Listen,
    /// It may hold an advisory lock of its session.
    AdvisoryLock,
    /// It made something temporary.
    Temporary,
    /// It has a cursor that outlives its transaction.
    HoldCursor,
    /// It prepared a statement in SQL.
    Prepared,
    /// It set something that the server does not report, or acts as somebody else.
    Setting,
    /// It prepared a statement that is too long to be kept for another server.
    LongStatement,
    /// It asked for a number that it drew before, and so will again.
    Sequence,
    /// It loaded a library.
    Load,
    /// Its text could be read in more than one way.
    Unclear,
}

impl Pin {
    pub(in crate::postgres) const ALL: [Self; 10] = [
        Self::Listen,
        Self::AdvisoryLock,
        Self::Temporary,
        Self::HoldCursor,
        Self::Prepared,
        Self::Setting,
        Self::LongStatement,
        Self::Sequence,
        Self::Load,
        Self::Unclear,
    ];

    /// The metric label.
    pub(in crate::postgres) const fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::AdvisoryLock => "advisory_lock",
            Self::Temporary => "temporary",
            Self::HoldCursor => "hold_cursor",
            Self::Prepared => "prepare",
            Self::Setting => "setting",
            Self::LongStatement => "long_statement",
            Self::Sequence => "sequence",
            Self::Load => "load",
            Self::Unclear => "unclear",
        }
    }
}

/// Whether a text asks for a number that was drawn (`currval`, `lastval`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Asks {
    #[default]
    Not,
    /// Behind something that may have drawn it.
    Later,
    /// At once.
    First,
}

/// What carrying out a text does to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::postgres) struct Effects {
    pin: Option<Pin>,
    /// It may have left anything behind.
    soils: bool,
    /// For a number.
    pub(super) asks: Asks,
}

impl Effects {
    /// Takes in a piece of a text that is too long to be kept.
    pub(super) fn feed(&mut self, reader: &mut Reader, piece: &[u8], settings: &Settings) {
        reader.feed(piece, |effect| self.add(effect, settings));
    }

    /// The text is over.
    pub(super) fn finish(mut self, reader: Reader, settings: &Settings) -> Self {
        reader.finish(|effect| self.add(effect, settings));
        self
    }

    /// Takes in one, on a server that reports `settings`.
    pub(super) fn add(&mut self, effect: Effect<'_>, settings: &Settings) {
        let pin = match effect {
            Effect::Listen => Pin::Listen,
            Effect::AdvisoryLock => Pin::AdvisoryLock,
            Effect::Temporary => Pin::Temporary,
            Effect::HoldCursor => Pin::HoldCursor,
            Effect::Prepare(_) => Pin::Prepared,
            Effect::Setting(name) if settings.carries(name.as_bytes()) => return,
            Effect::Setting(_) => Pin::Setting,
            Effect::Load => Pin::Load,
            Effect::Unclear => Pin::Unclear,
            Effect::Opaque => {
                self.soils = true;
                return;
            }
            // One that other clients have.
            Effect::Deallocate(name) if Statement::is_name(name.as_bytes()) => {
                self.soils = true;
                return;
            }
            Effect::AskDrawn => {
                self.asks = Asks::First;
                return;
            }
            Effect::AskDrawnLater => {
                self.asks = self.asks.max(Asks::Later);
                return;
            }
            // `named`.
            Effect::Execute(_) | Effect::Deallocate(_) => return,
            // What clears counts when the server has done it; what needs a session has pinned its client before.
            Effect::Unlisten
            | Effect::DeallocateAll
            | Effect::ResetAll
            | Effect::DiscardAll
            | Effect::DiscardTemporary
            | Effect::DiscardOther => return,
        };
        self.pin.get_or_insert(pin);
    }

    /// Notes them for a client and the connection that it has.
    pub(super) fn apply(self, pin: &mut Option<Pin>, soiled: &mut bool) {
        if let Some(own) = self.pin {
            pin.get_or_insert(own);
        }
        *soiled |= self.soils;
    }
}
