//! Splits a script into statements that can be sent one by one.

use std::fmt;

use super::lexer::{Token, TokenKind, token};
use super::position::Position;

/// One statement of a script: from its first word to its last, without the semicolon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statement<'a> {
    /// The text.
    pub text: &'a str,
    /// Its byte offset in the script.
    pub start: usize,
}

impl Statement<'_> {
    /// Where in the script the character is that PostgreSQL counted from 1 in this statement.
    pub fn position(&self, script: &str, character: usize) -> Position {
        let offset = self.text.char_indices().nth(character.saturating_sub(1)).map_or(self.text.len(), |(at, _)| at);
        Position::of_byte(script, self.start + offset)
    }

    /// Its words in lower case, up to the first 64, without what is quoted and without symbols.
    pub(crate) fn words(&self) -> Vec<String> {
        // Enough for the options and the table's name before `CONCURRENTLY` and `TABLESPACE`.
        const WORDS_MAX: usize = 64;
        tokens(self.text)
            .map_while(Result::ok)
            .filter(|token| token.kind == TokenKind::Word)
            .take(WORDS_MAX)
            .map(|token| self.text[token.start..token.end].to_ascii_lowercase())
            .collect()
    }
}

/// Text that is no script, and the byte where it goes wrong: where what is open began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct SyntaxProblem {
    /// The byte offset.
    pub at: usize,
    /// What is wrong.
    pub fault: SyntaxFault,
}

/// What is wrong with a script's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyntaxFault {
    /// A string without an end.
    OpenString,
    /// A quoted identifier without an end.
    OpenIdentifier,
    /// A dollar-quoted string without an end.
    OpenDollar,
    /// A block comment without an end.
    OpenComment,
    /// `BEGIN ATOMIC` without its `END`.
    OpenBody,
    /// A backslash outside quotes, which only `psql` understands.
    PsqlCommand,
    /// `COPY … FROM STDIN`, whose data a script cannot carry.
    CopyFromStdin,
    /// A NUL byte, which PostgreSQL cannot store or read.
    Nul,
}

impl fmt::Display for SyntaxFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenString => "a string that begins here has no end",
            Self::OpenIdentifier => "a quoted identifier that begins here has no end",
            Self::OpenDollar => "a dollar-quoted string that begins here has no end",
            Self::OpenComment => "a comment that begins here has no end",
            Self::OpenBody => "a `BEGIN ATOMIC` body in this statement has no end",
            Self::PsqlCommand => "a backslash outside quotes is a command for psql, not SQL",
            Self::CopyFromStdin => "`COPY … FROM STDIN` reads data that a script cannot carry",
            Self::Nul => "there is a NUL byte here",
        })
    }
}

impl SyntaxFault {
    pub(crate) fn next(self) -> &'static str {
        match self {
            Self::OpenString | Self::OpenIdentifier | Self::OpenDollar | Self::OpenComment => "close it",
            Self::OpenBody => "close it with `END`",
            Self::PsqlCommand => "write the command as SQL; put the contents of an included file in its place",
            Self::CopyFromStdin => "use `INSERT`, or load data with the seed",
            Self::Nul => "save the file as UTF-8 text (not UTF-16)",
        }
    }
}

/// The statements of a script in their order; empty ones and comments between them are left out.
///
/// # Errors
/// Something that has no end, or that PostgreSQL would not understand.
pub fn split(script: &str) -> Result<Vec<Statement<'_>>, SyntaxProblem> {
    let mut statements = Vec::new();
    let mut current = Progress::default();
    for token in tokens(script) {
        let token = token?;
        if token.kind == TokenKind::Semicolon && current.may_end() {
            statements.extend(current.finish(script)?);
            current = Progress::default();
        } else {
            current.take(&token, &script[token.start..token.end]);
        }
    }
    statements.extend(current.finish(script)?);
    Ok(statements)
}

/// Comments to the end of a line, without their `--`, and where they begin. A script that cannot be split has those
/// before the fault.
pub(crate) fn line_comments(script: &str) -> impl Iterator<Item = (usize, &str)> {
    tokens(script)
        .map_while(Result::ok)
        .filter(|token| token.kind == TokenKind::LineComment)
        .map(|token| (token.start, &script[token.start + 2..token.end]))
}

fn tokens(text: &str) -> impl Iterator<Item = Result<Token, SyntaxProblem>> {
    let mut at = 0;
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let found = token(text, at)?;
        match found {
            Ok(token) => at = token.end,
            Err(_) => failed = true,
        }
        Some(found.map_err(|fault| SyntaxProblem { at, fault }))
    })
}

/// What is known about a statement that has not ended yet.
#[derive(Default)]
struct Progress {
    /// From the first token that means something to the end of the last.
    range: Option<(usize, usize)>,
    /// Open parentheses and brackets; `CREATE RULE … DO (a; b)` has semicolons inside.
    parentheses: usize,
    /// `BEGIN ATOMIC`, and each `CASE` in it.
    bodies: usize,
    /// The last token was `BEGIN`.
    after_begin: bool,
}

impl Progress {
    fn may_end(&self) -> bool {
        self.parentheses == 0 && self.bodies == 0
    }

    fn take(&mut self, token: &Token, text: &str) {
        if matches!(token.kind, TokenKind::Space | TokenKind::LineComment | TokenKind::BlockComment) {
            return;
        }
        self.range = Some((self.range.map_or(token.start, |(start, _)| start), token.end));
        match token.kind {
            TokenKind::Open => self.parentheses += 1,
            TokenKind::Close => self.parentheses = self.parentheses.saturating_sub(1),
            TokenKind::Word => self.take_word(text),
            _ => {}
        }
        self.after_begin = token.kind == TokenKind::Word && text.eq_ignore_ascii_case("begin");
    }

    /// A function's body in standard SQL is the one place where statements stand inside a statement; `CASE` has an `END`
    /// too, and both words are reserved, so counting is enough (`psqlscan.l` does the same).
    fn take_word(&mut self, word: &str) {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        if (self.after_begin && is("atomic")) || (self.bodies > 0 && is("case")) {
            self.bodies += 1;
        } else if self.bodies > 0 && is("end") {
            self.bodies -= 1;
        }
    }

    fn finish(self, script: &str) -> Result<Option<Statement<'_>>, SyntaxProblem> {
        let Some((start, end)) = self.range else { return Ok(None) };
        let statement = Statement { text: &script[start..end], start };
        if self.bodies > 0 {
            return Err(SyntaxProblem { at: start, fault: SyntaxFault::OpenBody });
        }
        let words = statement.words();
        let reads_stdin = words.first().is_some_and(|word| word == "copy") && words.windows(2).any(|pair| pair == ["from", "stdin"]);
        if reads_stdin { Err(SyntaxProblem { at: start, fault: SyntaxFault::CopyFromStdin }) } else { Ok(Some(statement)) }
    }
}

#[cfg(test)]
mod tests;
