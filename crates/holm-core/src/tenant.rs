//! What a tenant's life is made of: its states and the legal steps between them.
//!
//! Promises: one transition function, used by every writer. A pair that is not listed is an error that names both parts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a tenant is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantState {
    /// The name is taken; a database is awaited or being seeded. Not yet acknowledged to anyone, not routed.
    Creating,
    /// In use.
    Serving,
    /// In use, but no transaction is begun until an operator says so.
    Paused,
    /// Kept whole, but no session is let in.
    Suspended,
    /// Kept whole and closed until its grace period is over; it keeps its name and can be brought back.
    Deleted,
    /// Gone for good, the name is free again; only the row is left.
    Dropped,
    /// Creating failed for good; the name is free again and the database is being removed.
    Failed,
}

/// What happens to a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TenantEvent {
    /// It has a database and its seed has run.
    Ready,
    /// Its creation cannot be finished.
    GivenUp,
    /// An operator has its transactions wait.
    Pause,
    /// An operator stops its sessions.
    Suspend,
    /// An operator lets them in again, and has them go on.
    Resume,
    /// An operator wants it gone.
    Delete,
    /// An operator wants it back; it is suspended then.
    Undelete,
    /// Its grace period is over.
    Drop,
}

/// An event that has no meaning in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tenant that is `{state}` cannot be told `{event:?}`")]
pub struct IllegalTransition {
    /// The state it was in.
    pub state: TenantState,
    /// What was asked.
    pub event: TenantEvent,
}

impl TenantState {
    /// Every state.
    pub const ALL: [Self; 7] = [Self::Creating, Self::Serving, Self::Paused, Self::Suspended, Self::Deleted, Self::Dropped, Self::Failed];

    /// Whether it is in use, or can be again by a word: it has its database, its logins and its name.
    pub const fn is_established(self) -> bool {
        match self {
            Self::Serving | Self::Paused | Self::Suspended => true,
            Self::Creating | Self::Deleted | Self::Dropped | Self::Failed => false,
        }
    }

    /// The word that the catalog, the API and people use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Serving => "serving",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
            Self::Dropped => "dropped",
            Self::Failed => "failed",
        }
    }

    /// The state after an event. Pausing, suspending and resuming twice are the same as once. What is suspended is not paused:
    /// it has no session that could wait.
    ///
    /// # Errors
    /// Every pair that is not listed.
    pub const fn after(self, event: TenantEvent) -> Result<Self, IllegalTransition> {
        use TenantEvent as E;
        match (self, event) {
            (Self::Creating, E::Ready) => Ok(Self::Serving),
            (Self::Creating, E::GivenUp) => Ok(Self::Failed),
            (Self::Serving | Self::Paused, E::Pause) => Ok(Self::Paused),
            (Self::Serving | Self::Paused | Self::Suspended, E::Suspend) => Ok(Self::Suspended),
            (Self::Suspended | Self::Paused | Self::Serving, E::Resume) => Ok(Self::Serving),
            (Self::Serving | Self::Paused | Self::Suspended, E::Delete) => Ok(Self::Deleted),
            (Self::Deleted, E::Undelete) => Ok(Self::Suspended),
            (Self::Deleted | Self::Dropped, E::Drop) => Ok(Self::Dropped),
            (state, event) => Err(IllegalTransition { state, event }),
        }
    }
}

impl fmt::Display for TenantState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not a tenant state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a tenant state")]
pub struct InvalidState(String);

impl FromStr for TenantState {
    type Err = InvalidState;

    fn from_str(text: &str) -> Result<Self, InvalidState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| InvalidState(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table: a line for each pair")]
    fn every_pair_of_state_and_event_is_either_listed_or_refused_with_both_parts() {
        let mut table = String::new();
        for state in TenantState::ALL {
            for event in [
                TenantEvent::Ready,
                TenantEvent::GivenUp,
                TenantEvent::Pause,
                TenantEvent::Suspend,
                TenantEvent::Resume,
                TenantEvent::Delete,
                TenantEvent::Undelete,
                TenantEvent::Drop,
            ] {
                let after = match state.after(event) {
                    Ok(next) => next.as_str(),
                    Err(illegal) => {
                        assert_eq!((illegal.state, illegal.event), (state, event));
                        "-"
                    }
                };
                table += &format!("{state} {event:?} {after}\n");
            }
        }
        insta::assert_snapshot!(table, @r"
        creating Ready serving
        creating GivenUp failed
        creating Pause -
        creating Suspend -
        creating Resume -
        creating Delete -
        creating Undelete -
        creating Drop -
        serving Ready -
        serving GivenUp -
        serving Pause paused
        serving Suspend suspended
        serving Resume serving
        serving Delete deleted
        serving Undelete -
        serving Drop -
        paused Ready -
        paused GivenUp -
        paused Pause paused
        paused Suspend suspended
        paused Resume serving
        paused Delete deleted
        paused Undelete -
        paused Drop -
        suspended Ready -
        suspended GivenUp -
        suspended Pause -
        suspended Suspend suspended
        suspended Resume serving
        suspended Delete deleted
        suspended Undelete -
        suspended Drop -
        deleted Ready -
        deleted GivenUp -
        deleted Pause -
        deleted Suspend -
        deleted Resume -
        deleted Delete -
        deleted Undelete suspended
        deleted Drop dropped
        dropped Ready -
        dropped GivenUp -
        dropped Pause -
        dropped Suspend -
        dropped Resume -
        dropped Delete -
        dropped Undelete -
        dropped Drop dropped
        failed Ready -
        failed GivenUp -
        failed Pause -
        failed Suspend -
        failed Resume -
        failed Delete -
        failed Undelete -
        failed Drop -
        ");
    }
}
