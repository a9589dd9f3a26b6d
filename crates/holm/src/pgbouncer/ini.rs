//! One file in the syntax of PgBouncer's configuration: sections, settings, includes, each with its line.
//!
//! Promises: total, and linear in the text; what is read here PgBouncer reads too, and the same way. No refusal repeats text of
//! the file, which may hold passwords; a value prints as `[redacted]`. Refuses a quoted name that goes on over a line break,
//! which PgBouncer would read and nobody means. Refuses to open files: an include is told, not followed.

use holm_core::secret::Secret;

/// What stands at one place of a file.
#[derive(Debug)]
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: u32,
    pub(crate) item: Item,
}

/// What it is.
#[derive(Debug)]
pub(crate) enum Item {
    /// `[name]`: what follows belongs to it, in files that include this one as well.
    Section(String),
    /// `name = value`; the value without the space around it.
    Setting { name: String, value: Secret<String> },
    /// `%include path`
    Include(String),
}

/// Why a file cannot be read, and where that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub(crate) struct Malformed {
    pub(crate) line: u32,
    pub(crate) why: &'static str,
}

/// Reads a whole file.
///
/// # Errors
/// [`Malformed`], of the first line that cannot be read.
pub(crate) fn read(text: &str) -> Result<Vec<Line>, Malformed> {
    let mut reader = Reader { rest: text, line: 1 };
    let mut lines = Vec::new();
    while let Some(line) = reader.next()? {
        lines.push(line);
    }
    Ok(lines)
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
}

/// C's `isspace`.
const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

const fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '*')
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<Line>, Malformed> {
        loop {
            self.skip(is_space);
            let number = self.line;
            let Some(first) = self.rest.chars().next() else { return Ok(None) };
            let item = match first {
                '#' | ';' => {
                    self.rest_of_line();
                    continue;
                }
                '%' => self.include()?,
                '[' => self.section()?,
                _ => self.setting()?,
            };
            return Ok(Some(Line { number, item }));
        }
    }

    fn include(&mut self) -> Result<Item, Malformed> {
        let Some(rest) = self.rest.strip_prefix("%include").filter(|rest| rest.starts_with(is_blank)) else {
            return Err(self.malformed("`%` begins nothing but `%include FILE`"));
        };
        self.rest = rest;
        let path = self.rest_of_line();
        if path.is_empty() {
            return Err(self.malformed("`%include` names no file"));
        }
        Ok(Item::Include(path.to_owned()))
    }

    fn section(&mut self) -> Result<Item, Malformed> {
        let inside = &self.rest['['.len_utf8()..];
        let end = inside.find([']', '\n']).filter(|&end| inside[end..].starts_with(']'));
        let Some(end) = end else { return Err(self.malformed("the name of a section is not closed with `]`")) };
        self.rest = &inside[end + ']'.len_utf8()..];
        Ok(Item::Section(inside[..end].to_owned()))
    }

    fn setting(&mut self) -> Result<Item, Malformed> {
        let name = match self.rest.strip_prefix('\'') {
            Some(quoted) => self.quoted_name(quoted)?,
            None => self.take(is_of_a_name),
        };
        self.skip(is_blank);
        let Some(rest) = self.rest.strip_prefix('=') else {
            return Err(
                self.malformed("it is no section, no comment and no `name = value`; a name with other characters is quoted: 'name'")
            );
        };
        if name.is_empty() {
            return Err(self.malformed("there is no name before the `=`"));
        }
        self.rest = rest;
        let value = Secret::new(self.rest_of_line().to_owned());
        Ok(Item::Setting { name: name.to_owned(), value })
    }

    fn quoted_name(&mut self, quoted: &'a str) -> Result<&'a str, Malformed> {
        let end = quoted.find(['\'', '\n']).filter(|&end| quoted[end..].starts_with('\''));
        let Some(end) = end else { return Err(self.malformed("a quote is not closed on its line")) };
        self.rest = &quoted[end + '\''.len_utf8()..];
        Ok(&quoted[..end])
    }

    /// The rest of the line without the space around it.
    fn rest_of_line(&mut self) -> &'a str {
        let rest = self.rest;
        let end = rest.find('\n').unwrap_or(rest.len());
        self.rest = &rest[end..];
        rest[..end].trim_start_matches(is_blank).trim_end_matches(is_space)
    }

    fn take(&mut self, belongs: fn(char) -> bool) -> &'a str {
        let rest = self.rest;
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.rest = &rest[end..];
        &rest[..end]
    }

    fn skip(&mut self, belongs: fn(char) -> bool) {
        let breaks = self.take(belongs).bytes().filter(|&byte| byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
    }

    const fn malformed(&self, why: &'static str) -> Malformed {
        Malformed { line: self.line, why }
    }
}
