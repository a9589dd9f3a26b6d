//! What an environment can have done only when two agree, and the words that they agree to.
//!
//! Promises: the words are one line that a person can read and that a shell takes within single quotes; what is approved is
//! their hash, so that what was read is what is done.

use std::fmt;
use std::str::FromStr;

use super::{ApprovalKind, ContentHash};

/// An operation that an environment may demand an approval for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Guarded {
    /// The deletion of a tenant, and ending its grace period early.
    TenantDelete,
    /// The removal of a cluster, abandoning one included.
    ClusterRemove,
}

/// A word that is not such an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an operation that approvals can be demanded for: `tenant.delete` or `cluster.remove`", .0.escape_debug())]
pub struct NotGuarded(String);

impl Guarded {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::TenantDelete, Self::ClusterRemove];

    /// The operation's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantDelete => "tenant.delete",
            Self::ClusterRemove => "cluster.remove",
        }
    }

    /// The kind of approval that it needs.
    pub fn kind(self) -> ApprovalKind {
        self.as_str().parse().expect("a constant of letters and a dot")
    }
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Guarded {
    type Err = NotGuarded;

    fn from_str(text: &str) -> Result<Self, NotGuarded> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or_else(|| NotGuarded(text.chars().take(80).collect()))
    }
}

/// The words that are approved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovalContent(Box<str>);

/// A slug, two ids, an environment's name of 63 bytes and the words between them, twice over.
pub const CONTENT_LENGTH_MAX: usize = 600;

/// Text that cannot be approved as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what is approved is 1 to {CONTENT_LENGTH_MAX} characters on one line, without `'`")]
pub struct InvalidContent;

impl ApprovalContent {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is agreed to.
    pub fn hash(&self) -> ContentHash {
        ContentHash::of(self.0.as_bytes())
    }
}

impl FromStr for ApprovalContent {
    type Err = InvalidContent;

    fn from_str(text: &str) -> Result<Self, InvalidContent> {
        let fits = (1..=CONTENT_LENGTH_MAX).contains(&text.chars().count()) && !text.chars().any(|c| c.is_control() || c == '\'');
        if fits { Ok(Self(text.into())) } else { Err(InvalidContent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_reads_back_as_what_it_prints() {
        for guarded in Guarded::ALL {
            assert_eq!(guarded.to_string().parse(), Ok(guarded));
            assert_eq!(guarded.kind().as_str(), guarded.as_str());
        }
        assert!("tenant.create".parse::<Guarded>().is_err());
    }

    #[test]
    fn words_are_one_line_that_a_shell_takes_within_single_quotes() {
        let words: ApprovalContent = "delete tenant goteborg of production".parse().unwrap();
        assert_eq!(words.hash(), ContentHash::of(b"delete tenant goteborg of production"));
        for refused in ["", "a\nb", "it's", "a\u{1b}[2J", &"a".repeat(601)] {
            assert_eq!(refused.parse::<ApprovalContent>(), Err(InvalidContent));
        }
    }
}
