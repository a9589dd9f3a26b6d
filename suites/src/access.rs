//! The ways to a server that are compared.

use std::fmt;

use serde::Deserialize;

/// How a run comes to its server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// As if there were no Holm.
    Direct,
    /// Once more: what differs here is not Holm's.
    Again,
    /// Through Holm, pooling by session.
    Session,
    /// Through Holm, pooling by transaction.
    Transaction,
}

impl Way {
    /// All, in the order in which they are gone.
    pub(crate) const ALL: [Self; 4] = [Self::Direct, Self::Again, Self::Session, Self::Transaction];

    /// How the proxy pools that is started for it, used or not.
    pub(crate) const fn pooling(self) -> &'static str {
        match self {
            Self::Direct | Self::Again | Self::Session => "session",
            Self::Transaction => "transaction",
        }
    }

    /// Whether it leads through Holm.
    pub(crate) const fn is_through_holm(self) -> bool {
        matches!(self, Self::Session | Self::Transaction)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Again => "again",
            Self::Session => "session",
            Self::Transaction => "transaction",
        })
    }
}
