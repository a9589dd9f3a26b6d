//! Durable operations as a machine: what is planned, what happened, how it stands, what is next.
//!
//! Promises: one transition function, [`standing::Standing::after`], used by the runner, in replay and in tests; an event that has no
//! meaning is an error that names both parts; the next act follows from the standing and the time alone.
//! Refuses to act, and to know what a step does: that is the engine's.

pub mod event;
pub mod journal;
pub mod plan;
pub mod standing;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What kind of operation, `tenant.delete`: text, because a catalog may hold kinds that this Holm does not know.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct OperationKind(Box<str>);

/// A kind that is not two lower-case words with a dot between them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of operation, such as `tenant.delete`")]
pub struct InvalidKind(String);

/// Longer than any; keeps listings readable.
const KIND_BYTES_MAX: usize = 60;

impl OperationKind {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OperationKind {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, InvalidKind> {
        let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let valid = text.len() <= KIND_BYTES_MAX && text.split_once('.').is_some_and(|(noun, verb)| word(noun) && word(verb));
        if valid { Ok(Self(text.into())) } else { Err(InvalidKind(text.chars().take(KIND_BYTES_MAX).collect())) }
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<OperationKind> for String {
    fn from(kind: OperationKind) -> Self {
        kind.0.into()
    }
}

impl TryFrom<String> for OperationKind {
    type Error = InvalidKind;

    fn try_from(text: String) -> Result<Self, InvalidKind> {
        text.parse()
    }
}

/// How an operation is doing, in one word: what lists show and what the catalog is asked by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// Going forward: queued, running or waiting for a time.
    Active,
    /// Held by a person.
    Paused,
    /// Going back.
    Undoing,
    /// Its journal cannot be believed; nothing acts on it.
    Broken,
    /// All steps are done.
    Succeeded,
    /// All that was done is undone.
    Undone,
    /// A person ended it where it stood.
    Abandoned,
}

impl OperationState {
    /// Every state.
    pub const ALL: [Self; 7] = [Self::Active, Self::Paused, Self::Undoing, Self::Broken, Self::Succeeded, Self::Undone, Self::Abandoned];

    /// The word that the catalog, the API and people use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Undoing => "undoing",
            Self::Broken => "broken",
            Self::Succeeded => "succeeded",
            Self::Undone => "undone",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether nothing more will happen.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Undone | Self::Abandoned)
    }
}

impl fmt::Display for OperationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not a state of operations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a state of an operation")]
pub struct InvalidState(String);

impl FromStr for OperationState {
    type Err = InvalidState;

    fn from_str(text: &str) -> Result<Self, InvalidState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| InvalidState(text.to_owned()))
    }
}

#[cfg(test)]
mod tests;
