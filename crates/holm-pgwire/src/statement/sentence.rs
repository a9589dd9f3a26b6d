//! What one statement does to the session, told from its tokens as they come.
//!
//! Promises: knows the grammar only of the few statements that matter and only as far as it takes to tell their effect; a
//! statement that PostgreSQL refuses may have an effect here. Refuses expressions: outside of those statements a name
//! matters wherever it stands.

use super::lexer::{Text, Told};
use super::{Effect, Name};

/// A token of a statement; empty bytes are one that is longer than any name, or whose meaning is not its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// Keyword or name, in lower case.
    Word(&'t [u8]),
    /// `"..."`, never a keyword.
    Name(&'t [u8]),
    /// A string.
    Literal(&'t [u8]),
    /// One byte of anything else: `0` for a number, `$` for a parameter.
    Symbol(u8),
}

/// Where in a statement we are, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Start,
    /// In a statement that matters no more.
    Other,
    Create,
    Explain,
    Declare,
    Prepare,
    /// `PREPARE transaction`: a statement of that name, or the first phase of a commit.
    PrepareTransaction,
    Execute,
    Deallocate,
    /// `DEALLOCATE prepare`: a statement of that name, or one is still to be named.
    DeallocatePrepare,
    Discard,
    /// Before a part of the name of a setting.
    SettingPart(Verb),
    /// After a part.
    SettingName(Verb),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Set,
    Reset,
}

/// The token before, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Previous {
    #[default]
    Other,
    /// A word after which TEMP makes something temporary.
    Creating,
    /// INSERT or MERGE, whose INTO creates nothing.
    Inserting,
    With,
    As,
    PgTemp,
    /// A name that asks for a number that was drawn, if it is called.
    Drawn,
}

/// A call of `set_config(name, value, is_local)`.
#[derive(Debug, Clone, Default)]
struct Call {
    /// Of parentheses; zero before the first.
    depth: usize,
    /// How many commas of its own there were.
    commas: usize,
    /// How many tokens the argument has so far.
    tokens: usize,
    name: Text,
    /// Whether the last argument is the word TRUE.
    local: bool,
}

/// One statement, and after its end the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Sentence {
    place: Place,
    previous: Previous,
    /// The name of a setting.
    setting: Text,
    /// Whether it has a part in quotes, so that it is no keyword.
    quoted: bool,
    call: Option<Call>,
    /// Whether another came before it.
    is_later: bool,
}

const ADVISORY: [&[u8]; 4] = [b"pg_advisory_lock", b"pg_advisory_lock_shared", b"pg_try_advisory_lock", b"pg_try_advisory_lock_shared"];

/// Whether a name is a function's. Any run of bytes from 128 on counts as an `i`: unlike keywords, names are folded with the
/// locale's rules if the encoding has single bytes, and the Turkish dotted capital I folds to an ASCII `i` there.
fn is_function(name: &[u8], function: &[u8]) -> bool {
    let mut high = false;
    let folded = name.iter().filter_map(|&byte| {
        let before = std::mem::replace(&mut high, !byte.is_ascii());
        if byte.is_ascii() { Some(byte.to_ascii_lowercase()) } else { (!before).then_some(b'i') }
    });
    folded.eq(function.iter().copied())
}

/// Whether a name is the session's own temporary schema's, or another's.
const fn is_pg_temp(name: &[u8]) -> bool {
    matches!(name, b"pg_temp" | [b'p', b'g', b'_', b't', b'e', b'm', b'p', b'_', ..])
}

impl Sentence {
    /// Whether a symbol would change nothing.
    pub(super) fn is_dull(&self) -> bool {
        (self.place, self.previous) == (Place::Other, Previous::Other) && self.call.is_none()
    }

    /// Whether it matters what a string says.
    pub(super) const fn keeps_literals(&self) -> bool {
        self.call.is_some()
    }

    /// Takes the next token.
    pub(super) fn token(&mut self, token: Token<'_>, told: Told<'_>) {
        self.call_token(token, told);
        if let Token::Word(name) | Token::Name(name) = token {
            self.name(name, told);
        }
        self.temporary(token, told);
        self.drawn(token, told);
        self.place = self.next_place(token, told);
        self.previous = self.next_previous(token);
    }

    /// Ends the statement.
    pub(super) fn end(&mut self, told: Told<'_>) {
        match self.place {
            Place::PrepareTransaction => told(Effect::Prepare(Name(b"transaction"))),
            Place::DeallocatePrepare => told(Effect::Deallocate(Name(b"prepare"))),
            Place::SettingPart(_) => told(Effect::Setting(Name::UNKNOWN)),
            // As before a token that is no assignment.
            Place::SettingName(verb) => _ = self.setting_done(verb, Token::Symbol(b';'), told),
            _ => {}
        }
        if self.call.as_ref().is_some_and(|call| call.depth > 0) {
            told(Effect::Setting(Name::UNKNOWN));
        }
        self.is_later |= (self.place, self.previous) != (Place::Start, Previous::Other);
        (self.place, self.previous, self.call) = (Place::Start, Previous::Other, None);
    }

    /// What a name means wherever it stands.
    fn name(&mut self, name: &[u8], told: Told<'_>) {
        // The shortest is set_config.
        if name.len() < 10 || !matches!(name, [b'p' | b'P' | b's' | b'S', ..]) {
            return;
        }
        if ADVISORY.iter().any(|function| is_function(name, function)) {
            told(Effect::AdvisoryLock);
        }
        if is_function(name, b"set_config") {
            match self.call {
                // One inside of another: the arguments of neither are followed.
                Some(_) => told(Effect::Setting(Name::UNKNOWN)),
                None => self.call = Some(Call::default()),
            }
        }
    }

    fn temporary(&self, token: Token<'_>, told: Told<'_>) {
        match (self.previous, token) {
            (Previous::Creating, Token::Word(b"temp" | b"temporary")) | (Previous::PgTemp, Token::Symbol(b'.')) => {
                told(Effect::Temporary);
            }
            _ => {}
        }
    }

    /// A column may be called as one of the functions is.
    fn drawn(&self, token: Token<'_>, told: Told<'_>) {
        match (self.previous, token) {
            (Previous::Drawn, Token::Symbol(b'(')) if self.is_later => told(Effect::AskDrawnLater),
            (Previous::Drawn, Token::Symbol(b'(')) => told(Effect::AskDrawn),
            _ => {}
        }
    }

    const fn next_previous(&self, token: Token<'_>) -> Previous {
        match token {
            Token::Word(b"into") if matches!(self.previous, Previous::Inserting) => Previous::Other,
            Token::Word(b"create" | b"replace" | b"global" | b"local" | b"into") => Previous::Creating,
            Token::Word(b"insert" | b"merge") => Previous::Inserting,
            Token::Word(b"with") => Previous::With,
            Token::Word(b"as") => Previous::As,
            Token::Word(name) | Token::Name(name) if is_pg_temp(name) => Previous::PgTemp,
            Token::Word(b"currval" | b"lastval") | Token::Name(b"currval" | b"lastval") => Previous::Drawn,
            _ => Previous::Other,
        }
    }

    fn next_place(&mut self, token: Token<'_>, told: Told<'_>) -> Place {
        match (self.place, token) {
            (Place::Other, _) => return Place::Other,
            (Place::Start, Token::Word(word)) => return self.first(word, told),
            (Place::Start, Token::Symbol(b'(')) => return Place::Start,
            (Place::Create, Token::Word(b"execute")) if self.previous == Previous::As => return Place::Execute,
            (Place::Explain, Token::Word(b"execute")) => return Place::Execute,
            (Place::Declare, Token::Word(b"hold")) if self.previous == Previous::With => told(Effect::HoldCursor),
            (Place::Prepare, Token::Word(b"transaction")) => return Place::PrepareTransaction,
            (Place::PrepareTransaction, Token::Literal(_)) => {}
            (Place::PrepareTransaction, _) => told(Effect::Prepare(Name(b"transaction"))),
            (Place::Deallocate, Token::Word(b"prepare")) => return Place::DeallocatePrepare,
            (Place::Deallocate | Place::DeallocatePrepare, Token::Word(b"all")) => told(Effect::DeallocateAll),
            (Place::Discard, Token::Word(b"all")) => told(Effect::DiscardAll),
            (Place::Discard, Token::Word(b"temp" | b"temporary")) => told(Effect::DiscardTemporary),
            (Place::Discard, _) => told(Effect::DiscardOther),
            (Place::Prepare, token) => told(Effect::Prepare(named(token))),
            (Place::Execute, token) => told(Effect::Execute(named(token))),
            (Place::Deallocate | Place::DeallocatePrepare, token) => told(Effect::Deallocate(named(token))),
            (Place::SettingPart(verb), token) => return self.setting_part(verb, token, told),
            (Place::SettingName(verb), Token::Symbol(b'.')) => {
                self.setting.push(b".");
                return Place::SettingPart(verb);
            }
            (Place::SettingName(verb), token) => return self.setting_done(verb, token, told),
            // The query of the cursor begins, where WITH is another word.
            (Place::Declare, Token::Word(b"for")) => {}
            (Place::Start, _) => {}
            (place @ (Place::Create | Place::Explain | Place::Declare), _) => return place,
        }
        Place::Other
    }

    fn first(&mut self, word: &[u8], told: Told<'_>) -> Place {
        match word {
            b"listen" => told(Effect::Listen),
            b"unlisten" => told(Effect::Unlisten),
            b"load" => told(Effect::Load),
            b"do" | b"call" => told(Effect::Opaque),
            b"set" => return self.setting_begins(Verb::Set),
            b"reset" => return self.setting_begins(Verb::Reset),
            b"create" => return Place::Create,
            b"explain" => return Place::Explain,
            b"declare" => return Place::Declare,
            b"prepare" => return Place::Prepare,
            b"execute" => return Place::Execute,
            b"deallocate" => return Place::Deallocate,
            b"discard" => return Place::Discard,
            _ => {}
        }
        Place::Other
    }

    const fn setting_begins(&mut self, verb: Verb) -> Place {
        self.setting.clear();
        self.quoted = false;
        Place::SettingPart(verb)
    }

    fn setting_part(&mut self, verb: Verb, token: Token<'_>, told: Told<'_>) -> Place {
        match token {
            Token::Word(part) | Token::Name(part) if !part.is_empty() => {
                self.quoted |= matches!(token, Token::Name(_));
                self.setting.push(part);
                Place::SettingName(verb)
            }
            _ => {
                told(Effect::Setting(Name::UNKNOWN));
                Place::Other
            }
        }
    }

    /// Tells which setting it was, now that its name ends. What looks like a keyword is a name if a value is assigned to it:
    /// `SET LOCAL x = 1` and `SET local.x = 1`, `SET TIME ZONE utc` and `SET time.x = 1`.
    fn setting_done(&mut self, verb: Verb, next: Token<'_>, told: Told<'_>) -> Place {
        let assigned = matches!(next, Token::Symbol(b'=') | Token::Word(b"to" | b"from"));
        let name = match (verb, self.setting.bytes()) {
            (_, name) if assigned || self.quoted => name,
            (Verb::Reset, b"all") => {
                told(Effect::ResetAll);
                return Place::Other;
            }
            (Verb::Set, b"local" | b"transaction" | b"constraints") => return Place::Other,
            (Verb::Set, b"session") => {
                self.setting_begins(Verb::Set);
                return self.setting_part(Verb::Set, next, told);
            }
            (Verb::Set, b"authorization") | (Verb::Reset, b"session") => b"session_authorization",
            (Verb::Set, b"characteristics") => b"session characteristics",
            (Verb::Set, b"names") => b"client_encoding",
            (Verb::Set, b"schema") => b"search_path",
            (Verb::Set, b"xml") => b"xmloption",
            (Verb::Reset, b"transaction") => b"transaction_isolation",
            (_, b"time") => b"timezone",
            (_, name) => name,
        };
        told(Effect::Setting(Name(name)));
        Place::Other
    }

    fn call_token(&mut self, token: Token<'_>, told: Told<'_>) {
        let Some(call) = &mut self.call else { return };
        match (call.depth, token) {
            (0, Token::Symbol(b'(')) => call.depth = 1,
            (0, _) => self.call = None,
            (1, Token::Symbol(b')')) => {
                if !(call.commas == 2 && call.local) {
                    told(Effect::Setting(Name(call.name.bytes())));
                }
                self.call = None;
            }
            (1, Token::Symbol(b',')) => (call.commas, call.tokens, call.local) = (call.commas + 1, 0, false),
            (_, token) => call.argument(token),
        }
    }
}

impl Call {
    /// Takes a token of an argument. Only a string alone is a name, and only TRUE alone is true.
    fn argument(&mut self, token: Token<'_>) {
        match token {
            Token::Symbol(b'(' | b'[') => self.depth += 1,
            Token::Symbol(b')' | b']') => self.depth -= 1,
            _ => {}
        }
        self.tokens += 1;
        self.local = self.tokens == 1 && token == Token::Word(b"true");
        if self.commas == 0 {
            self.name.clear();
            if let (1, Token::Literal(name)) = (self.tokens, token) {
                self.name.push(name);
            }
        }
    }
}

const fn named(token: Token<'_>) -> Name<'_> {
    match token {
        Token::Word(name) | Token::Name(name) => Name(name),
        _ => Name::UNKNOWN,
    }
}
