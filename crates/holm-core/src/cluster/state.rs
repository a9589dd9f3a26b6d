//! What a cluster's life is made of: its states and the legal steps between them.
//!
//! Promises: one transition function, used by every writer. A pair that is not listed is an error that names both parts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a cluster is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterState {
    /// Recorded; nothing is made on it yet.
    Joining,
    /// Its template and pool are being made; no tenant is placed on it yet.
    Filling,
    /// Tenants are placed on it.
    Open,
    /// No tenant and no pool member is placed on it any more; those that are there stay.
    Draining,
    /// Nothing of Holm's is on it any more.
    Drained,
    /// Forgotten; only the row is left, without its password.
    Removed,
}

/// What happens to a cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClusterEvent {
    /// Its pool may be made.
    Fill,
    /// Tenants may come.
    Open,
    /// An operator wants it empty.
    Drain,
    /// An operator does not want it empty after all.
    Reopen,
    /// Adding it is undone.
    Withdraw,
    /// Nothing of Holm's is left on it.
    Emptied,
    /// It is forgotten.
    Forget,
    /// It is forgotten without a look at it: the server is lost, or the database goes back to who brought it.
    LetGo,
}

/// An event that has no meaning in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cluster that is `{state}` cannot be told `{event:?}`")]
pub struct IllegalTransition {
    /// The state it was in.
    pub state: ClusterState,
    /// What was asked.
    pub event: ClusterEvent,
}

impl ClusterState {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::Joining, Self::Filling, Self::Open, Self::Draining, Self::Drained, Self::Removed];

    /// The word that the catalog, the API and people use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Filling => "filling",
            Self::Open => "open",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Removed => "removed",
        }
    }

    /// Whether a template and a pool are kept there.
    pub const fn keeps_pool(self) -> bool {
        matches!(self, Self::Filling | Self::Open)
    }

    /// The state after an event. What is so already may be told again.
    ///
    /// # Errors
    /// Every pair that is not listed.
    pub const fn after(self, event: ClusterEvent) -> Result<Self, IllegalTransition> {
        use ClusterEvent as E;
        match (self, event) {
            (Self::Joining | Self::Filling, E::Fill) => Ok(Self::Filling),
            (Self::Filling | Self::Open, E::Open) | (Self::Draining | Self::Open, E::Reopen) => Ok(Self::Open),
            (Self::Open | Self::Draining, E::Drain) => Ok(Self::Draining),
            (Self::Joining | Self::Filling | Self::Open | Self::Draining, E::Withdraw) => Ok(Self::Draining),
            (Self::Draining | Self::Drained, E::Emptied) => Ok(Self::Drained),
            (Self::Joining | Self::Draining | Self::Drained | Self::Removed, E::Forget) | (_, E::LetGo) => Ok(Self::Removed),
            (state, event) => Err(IllegalTransition { state, event }),
        }
    }
}

impl fmt::Display for ClusterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not a cluster state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cluster state")]
pub struct InvalidState(String);

impl FromStr for ClusterState {
    type Err = InvalidState;

    fn from_str(text: &str) -> Result<Self, InvalidState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| InvalidState(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_state_and_event_is_either_listed_or_refused_with_both_parts() {
        let mut table = String::new();
        for event in [
            ClusterEvent::Fill,
            ClusterEvent::Open,
            ClusterEvent::Drain,
            ClusterEvent::Reopen,
            ClusterEvent::Withdraw,
            ClusterEvent::Emptied,
            ClusterEvent::Forget,
            ClusterEvent::LetGo,
        ] {
            let after = ClusterState::ALL.map(|state| {
                state.after(event).map_or_else(
                    |illegal| {
                        assert_eq!((illegal.state, illegal.event), (state, event));
                        "-"
                    },
                    ClusterState::as_str,
                )
            });
            table += &format!("{event:?}: {}\n", after.join(" "));
        }
        insta::assert_snapshot!(table, @r"
        Fill: filling filling - - - -
        Open: - open open - - -
        Drain: - - draining draining - -
        Reopen: - - open open - -
        Withdraw: draining draining draining draining - -
        Emptied: - - - drained drained -
        Forget: removed - - removed removed removed
        LetGo: removed removed removed removed removed removed
        ");
    }
}
