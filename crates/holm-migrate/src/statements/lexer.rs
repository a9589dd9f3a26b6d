//! Tokens of SQL text, by the rules of PostgreSQL's `scan.l` with `standard_conforming_strings` on.
//!
//! Promises: tokens follow each other without a gap and begin and end at characters. Every delimiter is ASCII, so bytes
//! are looked at one by one.

use super::split::SyntaxFault;

/// What a piece of text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenKind {
    /// A keyword or an identifier without quotes; also a number.
    Word,
    /// Text in quotes of any kind, with its prefix.
    Quoted,
    /// `;`
    Semicolon,
    /// `(` or `[`
    Open,
    /// `)` or `]`
    Close,
    /// Any other single character.
    Symbol,
    /// `-- …` without its line end.
    LineComment,
    /// `/* … */`
    BlockComment,
    /// White space.
    Space,
}

/// A piece of text: its kind and where it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The token at `start`; `None` at the end of the text.
pub(super) fn token(text: &str, start: usize) -> Option<Result<Token, SyntaxFault>> {
    let bytes = text.as_bytes();
    let first = *bytes.get(start)?;
    let next = bytes.get(start + 1).copied();
    let found = match (first, next) {
        (b'-', Some(b'-')) => Ok((TokenKind::LineComment, skip(bytes, start, |b| !matches!(b, b'\n' | b'\r')))),
        (b'/', Some(b'*')) => block_comment(bytes, start).map(|end| (TokenKind::BlockComment, end)),
        (b'\'', _) => string(bytes, start + 1).map(|end| (TokenKind::Quoted, end)),
        (b'"', _) => identifier(bytes, start + 1).map(|end| (TokenKind::Quoted, end)),
        (b'e' | b'E', Some(b'\'')) => escape_string(bytes, start + 2).map(|end| (TokenKind::Quoted, end)),
        (b'b' | b'B' | b'x' | b'X' | b'n' | b'N', Some(b'\'')) => string(bytes, start + 2).map(|end| (TokenKind::Quoted, end)),
        (b'u' | b'U', Some(b'&')) => unicode(bytes, start),
        (b'$', _) => dollar(text, start),
        (b';', _) => Ok((TokenKind::Semicolon, start + 1)),
        (b'(' | b'[', _) => Ok((TokenKind::Open, start + 1)),
        (b')' | b']', _) => Ok((TokenKind::Close, start + 1)),
        (b'\\', _) => Err(SyntaxFault::PsqlCommand),
        (0, _) => Err(SyntaxFault::Nul),
        (b, _) if is_space(b) => Ok((TokenKind::Space, skip(bytes, start, is_space))),
        (b, _) if is_word(b) => Ok((TokenKind::Word, skip(bytes, start, |b| is_word(b) || b == b'$'))),
        _ => Ok((TokenKind::Symbol, start + 1)),
    };
    Some(found.map(|(kind, end)| Token { kind, start, end }))
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c')
}

/// Bytes of identifiers and numbers; everything outside ASCII is a letter to PostgreSQL.
fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}

fn skip(bytes: &[u8], start: usize, within: impl Fn(u8) -> bool) -> usize {
    bytes[start..].iter().position(|b| !within(*b)).map_or(bytes.len(), |length| start + length)
}

/// Comments nest, unlike in C.
fn block_comment(bytes: &[u8], start: usize) -> Result<usize, SyntaxFault> {
    let (mut at, mut depth) = (start, 0_usize);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (at, depth) = (at + 2, depth + 1),
            Some(b"*/") => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return Ok(at);
        }
    }
    Err(SyntaxFault::OpenComment)
}

/// From behind the opening quote to behind the closing one; a doubled quote stands for itself.
fn quoted(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start;
    while let Some(length) = bytes.get(at..)?.iter().position(|b| *b == quote) {
        at += length + 1;
        if bytes.get(at) != Some(&quote) {
            return Some(at);
        }
        at += 1;
    }
    None
}

fn string(bytes: &[u8], start: usize) -> Result<usize, SyntaxFault> {
    quoted(bytes, start, b'\'').ok_or(SyntaxFault::OpenString)
}

fn identifier(bytes: &[u8], start: usize) -> Result<usize, SyntaxFault> {
    quoted(bytes, start, b'"').ok_or(SyntaxFault::OpenIdentifier)
}

/// `E'…'`: a backslash takes the next character with it.
fn escape_string(bytes: &[u8], start: usize) -> Result<usize, SyntaxFault> {
    let mut at = start;
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (None, _) => return Err(SyntaxFault::OpenString),
            (Some(b'\\'), _) | (Some(b'\''), Some(b'\'')) => at += 2,
            (Some(b'\''), _) => match continuation(bytes, at + 1) {
                Some(behind_quote) => at = behind_quote,
                None => return Ok(at + 1),
            },
            (Some(_), _) => at += 1,
        }
    }
}

/// A string goes on behind white space and comments with a line end among them, and goes on with escapes (`scan.l`,
/// `quotecontinue`).
fn continuation(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = skip(bytes, start, is_space);
    while bytes.get(at..at + 2) == Some(b"--") {
        at = skip(bytes, at, |b| !matches!(b, b'\n' | b'\r'));
        at = skip(bytes, at, is_space);
    }
    let newline = bytes[start..at].iter().any(|b| matches!(b, b'\n' | b'\r'));
    (newline && bytes.get(at) == Some(&b'\'')).then_some(at + 1)
}

/// `U&'…'`, `U&"…"`, or the word `u` before an operator.
fn unicode(bytes: &[u8], start: usize) -> Result<(TokenKind, usize), SyntaxFault> {
    match bytes.get(start + 2) {
        Some(b'\'') => string(bytes, start + 3).map(|end| (TokenKind::Quoted, end)),
        Some(b'"') => identifier(bytes, start + 3).map(|end| (TokenKind::Quoted, end)),
        _ => Ok((TokenKind::Word, start + 1)),
    }
}

/// `$tag$…$tag$`, or a parameter such as `$1`.
fn dollar(text: &str, start: usize) -> Result<(TokenKind, usize), SyntaxFault> {
    let bytes = text.as_bytes();
    let tag_end = skip(bytes, start + 1, is_word);
    let tag_is_name = !bytes.get(start + 1).is_some_and(u8::is_ascii_digit);
    if bytes.get(tag_end) != Some(&b'$') || !tag_is_name {
        return Ok((TokenKind::Symbol, start + 1));
    }
    let delimiter = &text[start..=tag_end];
    let body = tag_end + 1;
    let length = text[body..].find(delimiter).ok_or(SyntaxFault::OpenDollar)?;
    Ok((TokenKind::Quoted, body + length + delimiter.len()))
}
