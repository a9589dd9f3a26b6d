//! Where the words, names and strings of a text begin and end, as `scan.l` of PostgreSQL 14 to 19 has it.
//!
//! Promises: does not depend on how the text is cut; keeps 63 bytes of a token and no more. Where releases, settings or
//! encodings make two readings possible it forks ([`Advanced::ForkAt`]) or gives up ([`Effect::Unclear`]). Refuses to know
//! keywords: that is [`super::sentence`].
//!
//! It gives up at
//! - `U&"..."`, which spells a name in digits;
//! - a byte of 128 or more before one of ``@[\]^`{|}~`` outside of strings, before a backslash and a quote in a string with
//!   escapes, and in the tag of a dollar quote: in Shift JIS, GBK, Big5, UHC and GB 18030 the second may be half of a letter;
//! - a `$` in a word that follows a number without space (`0x1$a$`): PostgreSQL 16 reads another number there than 15.

use super::Effect;
use super::sentence::{Sentence, Token};

/// Told each effect; a fork's two readings share one.
pub(super) type Told<'t> = &'t mut dyn FnMut(Effect<'_>);

/// How far a piece was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advanced {
    /// To its end.
    Whole,
    /// To the quote at this place, which ends the string or not, depending on `standard_conforming_strings`.
    ForkAt(usize),
}

/// The first 63 bytes of a token (NAMEDATALEN without its zero byte), and whether there were more.
#[derive(Debug, Clone)]
pub(super) struct Text {
    bytes: [u8; 63],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 63], length: 0 }
    }
}

impl Text {
    pub(super) const fn clear(&mut self) {
        self.length = 0;
    }

    pub(super) fn push(&mut self, more: &[u8]) {
        if let Some(free) = self.bytes.get_mut(self.length..) {
            let kept = more.len().min(free.len());
            free[..kept].copy_from_slice(&more[..kept]);
        }
        self.length = self.length.saturating_add(more.len());
    }

    /// The token, or nothing if it is longer than any name.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn lower(&mut self) {
        let length = self.length.min(self.bytes.len());
        self.bytes[..length].make_ascii_lowercase();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Code,
    /// A word, after a number without space or not, and its last byte.
    Word {
        glued: bool,
        last: u8,
    },
    Number,
    /// `$`, and what may be the tag of a quote.
    Dollar,
    Parameter,
    Minus,
    Slash,
    LineComment,
    /// How many have begun, and the last byte unless it belonged to a beginning or an end.
    Comment {
        depth: usize,
        last: u8,
    },
    /// `u&`
    Unicode,
    Literal {
        quoting: Quoting,
        tail: Tail,
    },
    /// A quote that ends the literal unless another follows.
    LiteralQuote(Quoting),
    Name,
    NameQuote,
    /// In a dollar quote, so many bytes into what may be its end.
    Body {
        matched: usize,
    },
    /// Given up.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    /// `'...'` with `standard_conforming_strings`.
    Conforming,
    /// With backslashes that escape.
    Escaping,
    /// `B'...'`, `X'...'` and `U&'...'`, where a backslash never escapes a quote.
    Verbatim,
}

/// The backslashes that a literal ends with so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tail {
    any: bool,
    odd: bool,
    /// Whether a byte of 128 or more precedes them, which may have the first of them as its second half.
    halved: bool,
}

impl Tail {
    fn after(self, more: &[u8]) -> Self {
        let count = more.iter().rev().take_while(|&&byte| byte == b'\\').count();
        let odd = count % 2 == 1;
        match more.len().checked_sub(count + 1).and_then(|at| more.get(at)) {
            Some(before) => Self { any: count > 0, odd, halved: !before.is_ascii() },
            None => Self { any: self.any || count > 0, odd: self.odd != odd, ..self },
        }
    }
}

/// One reading of a text.
#[derive(Debug, Clone, Default)]
pub(super) struct Lexer {
    state: State,
    text: Text,
    sentence: Sentence,
    /// Whether this is the reading with `standard_conforming_strings` off.
    escaping: bool,
    /// Whether there is another reading already.
    forked: bool,
    /// Whether the last token was a string with escapes: a string after it continues it, escapes and all.
    continued: bool,
}

const fn begins_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

const fn continues_word(byte: u8) -> bool {
    begins_word(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// The bytes from 0x30 on that are neither digits nor letters: in code they end a word, as second halves they do not.
const fn ends_word_or_halves(byte: u8) -> bool {
    matches!(byte, b'@' | b'['..=b'^' | b'`' | b'{'..=b'~')
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0)
}

/// What begins nothing.
const fn is_dull(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'(' | b')' | b',' | b'.' | b'=' | b'<' | b'>' | b'+' | b'*' | b':' | b'[' | b']' | b'|')
}

fn find(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| wanted(byte)).unwrap_or(bytes.len())
}

impl Lexer {
    /// Reads a piece, up to the first quote where another reading must begin.
    pub(super) fn advance(&mut self, piece: &[u8], told: Told<'_>) -> Advanced {
        let mut at = 0;
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            match self.step(rest, told) {
                Some(taken) => at += taken,
                None => return Advanced::ForkAt(at),
            }
        }
        Advanced::Whole
    }

    /// The other reading, from a quote on at which [`Self::advance`] stopped.
    pub(super) fn fork(&mut self) -> Self {
        self.forked = true;
        let mut other = self.clone();
        other.escaping = true;
        if let State::Literal { quoting, .. } = &mut other.state {
            *quoting = Quoting::Escaping;
        }
        other
    }

    /// Ends the text: whether it could end here.
    pub(super) fn finish(&mut self, told: Told<'_>) -> bool {
        // What ends a word, a number, a quote and an operator, and is nothing itself.
        self.advance(b" ", told);
        let ended = matches!(self.state, State::Code | State::LineComment | State::Lost);
        self.sentence.end(told);
        ended
    }

    /// Reads on in one state and says how many bytes that took; `None` to fork before the first.
    fn step(&mut self, rest: &[u8], told: Told<'_>) -> Option<usize> {
        let byte = *rest.first()?;
        Some(match self.state {
            State::Code => self.code(byte, rest, told),
            State::Word { glued, last } => self.word(glued, last, rest, told),
            State::Number => self.number(rest, told),
            State::Dollar => self.dollar(byte, rest, told),
            State::Parameter => {
                let length = find(rest, |byte| !byte.is_ascii_digit());
                self.leave_number(&rest[length..]);
                length
            }
            State::Minus => self.pair(byte, b'-', State::LineComment, told),
            State::Slash => self.pair(byte, b'*', State::Comment { depth: 1, last: 0 }, told),
            State::LineComment => {
                let length = find(rest, |byte| matches!(byte, b'\n' | b'\r'));
                if length < rest.len() {
                    self.state = State::Code;
                }
                length
            }
            State::Comment { depth, last } => self.comment(depth, last, rest),
            State::Unicode => self.unicode(byte, told),
            State::Literal { quoting, tail } => return self.literal(quoting, tail, rest, told),
            State::LiteralQuote(quoting) => self.literal_quote(quoting, byte, told),
            State::Name => {
                let length = find(rest, |byte| byte == b'"');
                self.text.push(&rest[..length]);
                if length == rest.len() {
                    return Some(length);
                }
                self.state = State::NameQuote;
                length + 1
            }
            State::NameQuote => self.name_quote(byte, told),
            State::Body { matched } => self.body(matched, rest, told),
            State::Lost => rest.len(),
        })
    }

    fn code(&mut self, byte: u8, rest: &[u8], told: Told<'_>) -> usize {
        self.state = match byte {
            byte if is_blank(byte) => return find(rest, |byte| !is_blank(byte)),
            byte if is_dull(byte) && self.sentence.is_dull() => {
                self.continued = false;
                return find(rest, |byte| !is_dull(byte));
            }
            b'\'' => {
                let escaping = self.escaping || self.continued;
                return self.open(if escaping { Quoting::Escaping } else { Quoting::Conforming });
            }
            b'"' => self.collect(State::Name),
            b'$' => self.collect(State::Dollar),
            b'-' => State::Minus,
            b'/' => State::Slash,
            b';' => {
                self.continued = false;
                self.sentence.end(told);
                return 1;
            }
            byte if byte.is_ascii_digit() => State::Number,
            byte if begins_word(byte) => {
                self.text.clear();
                return self.word(false, 0, rest, told);
            }
            byte => {
                self.symbol(byte, told);
                return 1;
            }
        };
        1
    }

    const fn collect(&mut self, state: State) -> State {
        self.text.clear();
        state
    }

    const fn open(&mut self, quoting: Quoting) -> usize {
        self.state = self.collect(State::Literal { quoting, tail: Tail { any: false, odd: false, halved: false } });
        1
    }

    fn lose(&mut self, told: Told<'_>) {
        told(Effect::Unclear);
        (self.state, self.sentence) = (State::Lost, Sentence::default());
    }

    fn symbol(&mut self, symbol: u8, told: Told<'_>) {
        self.continued = false;
        self.sentence.token(Token::Symbol(symbol), told);
    }

    fn word(&mut self, glued: bool, last: u8, rest: &[u8], told: Told<'_>) -> usize {
        let length = find(rest, |byte| !continues_word(byte));
        let (word, after) = rest.split_at(length);
        if glued && word.contains(&b'$') {
            self.lose(told);
            return length;
        }
        self.text.push(word);
        let last = word.last().copied().unwrap_or(last);
        let Some(&next) = after.first() else {
            self.state = State::Word { glued, last };
            return length;
        };
        self.text.lower();
        match (self.text.bytes(), next) {
            (b"e", b'\'') => return length + self.open(Quoting::Escaping),
            (b"b" | b"x", b'\'') => return length + self.open(Quoting::Verbatim),
            (b"u", b'&') => {
                self.state = State::Unicode;
                return length + 1;
            }
            _ if !last.is_ascii() && ends_word_or_halves(next) => self.lose(told),
            _ => self.end_word(told),
        }
        length
    }

    fn end_word(&mut self, told: Told<'_>) {
        self.state = State::Code;
        self.continued = false;
        self.sentence.token(Token::Word(self.text.bytes()), told);
    }

    fn number(&mut self, rest: &[u8], told: Told<'_>) -> usize {
        let length = find(rest, |byte| !matches!(byte, b'0'..=b'9' | b'.'));
        if length < rest.len() {
            self.symbol(b'0', told);
            self.leave_number(&rest[length..]);
        }
        length
    }

    fn leave_number(&mut self, after: &[u8]) {
        match after.first() {
            Some(&byte) if begins_word(byte) => self.state = self.collect(State::Word { glued: true, last: 0 }),
            Some(_) => self.state = State::Code,
            None => {}
        }
    }

    fn dollar(&mut self, byte: u8, rest: &[u8], told: Told<'_>) -> usize {
        if byte.is_ascii_digit() && self.text.length == 0 {
            self.symbol(b'$', told);
            self.state = State::Parameter;
            return 0;
        }
        let length = find(rest, |byte| byte == b'$' || !continues_word(byte));
        self.text.push(&rest[..length]);
        let Some(&next) = rest.get(length) else { return length };
        let tag = self.text.bytes();
        if tag.len() < self.text.length || !tag.is_ascii() {
            self.lose(told);
            return length;
        }
        match next {
            b'$' => {
                self.state = State::Body { matched: 0 };
                length + 1
            }
            _ => {
                // A `$` that begins nothing is no SQL.
                self.state = State::Code;
                self.symbol(b'$', told);
                length
            }
        }
    }

    /// The second byte of what may begin a comment.
    fn pair(&mut self, byte: u8, wanted: u8, comment: State, told: Told<'_>) -> usize {
        if byte == wanted {
            self.state = comment;
            return 1;
        }
        let symbol = if self.state == State::Minus { b'-' } else { b'/' };
        self.state = State::Code;
        self.symbol(symbol, told);
        0
    }

    fn comment(&mut self, mut depth: usize, mut last: u8, rest: &[u8]) -> usize {
        for (at, &byte) in rest.iter().enumerate() {
            match (last, byte) {
                (b'*', b'/') if depth == 1 => {
                    self.state = State::Code;
                    return at + 1;
                }
                (b'*', b'/') => (depth, last) = (depth - 1, 0),
                (b'/', b'*') => (depth, last) = (depth.saturating_add(1), 0),
                _ => last = byte,
            }
        }
        self.state = State::Comment { depth, last };
        rest.len()
    }

    fn unicode(&mut self, byte: u8, told: Told<'_>) -> usize {
        match byte {
            b'\'' => self.open(Quoting::Verbatim),
            b'"' => {
                self.lose(told);
                1
            }
            _ => {
                self.end_word(told);
                self.symbol(b'&', told);
                0
            }
        }
    }

    fn literal(&mut self, quoting: Quoting, tail: Tail, rest: &[u8], told: Told<'_>) -> Option<usize> {
        let length = find(rest, |byte| byte == b'\'');
        let tail = tail.after(&rest[..length]);
        if length > 0 {
            // Up to the quote first, so that a fork begins with it.
            if self.sentence.keeps_literals() {
                self.text.push(&rest[..length]);
            }
            self.state = State::Literal { quoting, tail };
            return Some(length);
        }
        match quoting {
            Quoting::Conforming if !self.forked && tail.any && (tail.odd || tail.halved) => return None,
            Quoting::Escaping if tail.any && tail.halved => self.lose(told),
            Quoting::Escaping if tail.odd => self.state = State::Literal { quoting, tail: Tail::default() },
            _ => self.state = State::LiteralQuote(quoting),
        }
        Some(1)
    }

    fn literal_quote(&mut self, quoting: Quoting, byte: u8, told: Told<'_>) -> usize {
        if byte == b'\'' {
            self.text.push(b"'");
            self.state = State::Literal { quoting, tail: Tail::default() };
            return 1;
        }
        self.state = State::Code;
        // Only a plain string says what it means without being decoded.
        let content = if quoting == Quoting::Conforming { self.text.bytes() } else { b"" };
        self.sentence.token(Token::Literal(content), told);
        self.continued = quoting == Quoting::Escaping;
        0
    }

    fn name_quote(&mut self, byte: u8, told: Told<'_>) -> usize {
        if byte == b'"' {
            self.text.push(b"\"");
            self.state = State::Name;
            return 1;
        }
        self.state = State::Code;
        self.continued = false;
        self.sentence.token(Token::Name(self.text.bytes()), told);
        0
    }

    fn body(&mut self, mut matched: usize, rest: &[u8], told: Told<'_>) -> usize {
        let mut at = 0;
        while let Some(&byte) = rest.get(at) {
            let tag = self.text.bytes();
            matched = match (matched, byte) {
                (0, b'$') => 1,
                (0, _) => {
                    at += find(&rest[at..], |byte| byte == b'$');
                    continue;
                }
                (length, b'$') if length == tag.len() + 1 => {
                    self.state = State::Code;
                    self.continued = false;
                    self.sentence.token(Token::Literal(b""), told);
                    return at + 1;
                }
                (_, b'$') => 1,
                (length, byte) if tag.get(length - 1) == Some(&byte) => length + 1,
                _ => 0,
            };
            at += 1;
        }
        self.state = State::Body { matched };
        at
    }
}
