//! Who does something: a person, a machine, or Holm itself.
//!
//! Promises: an actor can be shown, logged and kept for ever: it is a name that somebody chose for the purpose and never
//! an e-mail address, a secret, or anything else that would have to be erased from an audit log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::PrincipalId;

/// Who does something.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Actor {
    /// A person or a machine, by a token.
    Principal {
        /// Its identity.
        id: PrincipalId,
        /// Its name.
        name: PrincipalName,
    },
    /// Holm itself.
    System {
        /// Which part.
        part: SystemActor,
    },
}

/// The parts of Holm that do something without being asked by anybody in particular.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemActor {
    /// Brings what is to what should be.
    Reconciler,
    /// Carries operations out.
    Runner,
    /// Does what a clock says.
    Schedule,
    /// The development launcher, before its principal is there.
    Dev,
    /// Makes a catalog ready for use, or again after a restore.
    Init,
}

impl SystemActor {
    /// Every part.
    pub const ALL: [Self; 5] = [Self::Reconciler, Self::Runner, Self::Schedule, Self::Dev, Self::Init];

    /// The word that the audit log uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconciler => "reconciler",
            Self::Runner => "runner",
            Self::Schedule => "schedule",
            Self::Dev => "dev",
            Self::Init => "init",
        }
    }
}

impl Actor {
    /// Holm itself.
    pub const fn system(part: SystemActor) -> Self {
        Self::System { part }
    }

    /// The principal, if it is one.
    pub const fn principal(&self) -> Option<PrincipalId> {
        match self {
            Self::Principal { id, .. } => Some(*id),
            Self::System { .. } => None,
        }
    }

    /// The name that people read.
    pub fn name(&self) -> &str {
        match self {
            Self::Principal { name, .. } => name.as_str(),
            Self::System { part } => part.as_str(),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal { name, .. } => name.fmt(f),
            Self::System { part } => write!(f, "holm ({})", part.as_str()),
        }
    }
}

/// Whether somebody can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// Somebody.
    Person,
    /// A pipeline, an app, an agent.
    Machine,
}

impl PrincipalKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Person, Self::Machine];

    /// The word that people type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Machine => "machine",
        }
    }
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not a kind of principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a kind of principal: `person` or `machine`", .0.escape_debug())]
pub struct InvalidPrincipalKind(String);

impl FromStr for PrincipalKind {
    type Err = InvalidPrincipalKind;

    fn from_str(text: &str) -> Result<Self, InvalidPrincipalKind> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| InvalidPrincipalKind(text.chars().take(40).collect()))
    }
}

/// What a principal is called, for ever: it stands in the audit log, which nobody can edit.
///
/// An `@` is refused, so that nobody takes an e-mail address by habit: choose a handle.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PrincipalName(Box<str>);

/// As long as a DNS label, which is more than anybody types.
const NAME_LENGTH_MAX: usize = 63;

/// Text that cannot be a principal's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a principal's name: 1 to {NAME_LENGTH_MAX} of `a` to `z`, `0` to `9`, `.`, `_`, `-` and single blanks, beginning \
     with a letter and ending with a letter or digit; a handle, not an e-mail address", .0.escape_debug()
)]
pub struct InvalidPrincipalName(String);

impl PrincipalName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PrincipalName {
    type Err = InvalidPrincipalName;

    fn from_str(text: &str) -> Result<Self, InvalidPrincipalName> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._- ".contains(&byte);
        let fits = (1..=NAME_LENGTH_MAX).contains(&text.len())
            && text.bytes().all(inner)
            && !text.contains("  ")
            && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
            && text.bytes().last().is_some_and(|last| last.is_ascii_alphanumeric());
        if fits { Ok(Self(text.into())) } else { Err(InvalidPrincipalName(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<PrincipalName> for String {
    fn from(name: PrincipalName) -> String {
        name.0.into()
    }
}

impl TryFrom<String> for PrincipalName {
    type Error = InvalidPrincipalName;

    fn try_from(text: String) -> Result<Self, InvalidPrincipalName> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_name_is_a_handle_and_never_an_address() {
        for good in ["a", "holm dev", "ci", "anna.k", "deploy-bot_2", &"a".repeat(63)] {
            assert_eq!(good.parse::<PrincipalName>().unwrap().as_str(), good);
        }
        for bad in ["", " a", "a ", "a  b", "Anna", "anna@example.com", "1a", "a-", "a\nb", "å", "a/b", &"a".repeat(64)] {
            assert!(bad.parse::<PrincipalName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_actor_reads_back_what_it_wrote_and_its_shape_is_stable() {
        let id = PrincipalId::from_uuid(Uuid::from_u128(7));
        let person = Actor::Principal { id, name: "anna".parse().unwrap() };
        let text = serde_json::to_string(&person).unwrap();
        assert_eq!(text, r#"{"kind":"principal","id":"pri_00000000000000000000000000000007","name":"anna"}"#);
        assert_eq!(serde_json::from_str::<Actor>(&text).unwrap(), person);
        for part in SystemActor::ALL {
            let text = serde_json::to_string(&Actor::system(part)).unwrap();
            assert_eq!(text, format!(r#"{{"kind":"system","part":"{}"}}"#, part.as_str()));
            assert_eq!(serde_json::from_str::<Actor>(&text).unwrap(), Actor::system(part));
        }
        assert_eq!((person.to_string(), Actor::system(SystemActor::Dev).to_string()), ("anna".into(), "holm (dev)".into()));
    }
}
