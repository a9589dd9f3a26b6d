//! What rows with a state have in common: what a change of it met, and a word that is none.

use std::fmt;

/// What an UPDATE with a precondition met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Update<S> {
    /// It was done, or it was so already.
    Done,
    /// There is no such row.
    Absent,
    /// The row is in a state in which this may not be done.
    Refused(S),
}

/// A word in a state column that this Holm does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord(pub(crate) String);

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a known state", self.0.escape_debug())
    }
}

impl std::error::Error for UnknownWord {}
