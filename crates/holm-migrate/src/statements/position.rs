//! Where in a script something is, as an editor counts.

use std::fmt;

/// A line and a column, both from 1; a column is a character.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl Position {
    /// The position of a byte; past the end, and inside a character, that of what comes before.
    pub fn of_byte(text: &str, at: usize) -> Self {
        let before = text.get(..text.floor_char_boundary(at)).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: 1 + before.matches('\n').count(), column: 1 + before[line_start..].chars().count() }
    }

    /// The position of a character counted from 1, which is how PostgreSQL reports the place of an error (field `P`).
    pub fn of_character(text: &str, nth: usize) -> Self {
        let at = text.char_indices().nth(nth.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
        Self::of_byte(text, at)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters_and_not_bytes() {
        let text = "SELECT 'å';\nSELEC 1";
        assert_eq!(Position::of_byte(text, 0), Position { line: 1, column: 1 });
        assert_eq!(Position::of_byte(text, text.find("';").unwrap()), Position { line: 1, column: 10 });
        assert_eq!(Position::of_byte(text, 9), Position { line: 1, column: 9 }, "inside the letter");
        assert_eq!(Position::of_byte(text, 9_999), Position { line: 2, column: 8 });
        assert_eq!(Position::of_character(text, 13), Position { line: 2, column: 1 });
        assert_eq!(Position::of_character(text, 0), Position { line: 1, column: 1 });
    }
}
