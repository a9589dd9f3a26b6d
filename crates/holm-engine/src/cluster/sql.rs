//! Text for SQL where PostgreSQL takes no parameters: utility statements.
//!
//! Names come from [`holm_core::role::SqlIdent`]; this is the other half, string constants.

use std::fmt;

/// A string constant, quoted; the only way for text to get into a utility statement.
pub(crate) struct SqlText<'a>(pub(crate) &'a str);

impl fmt::Display for SqlText<'_> {
    // The E form means the same whatever `standard_conforming_strings` is (PostgreSQL, 4.1.2.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E'{}'", self.0.replace('\\', "\\\\").replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_or_a_backslash_cannot_leave_its_quotes() {
        assert_eq!(SqlText("x'; DROP ROLE y; --").to_string(), "E'x''; DROP ROLE y; --'");
        assert_eq!(SqlText("x\\'; DROP ROLE y").to_string(), "E'x\\\\''; DROP ROLE y'");
    }
}
