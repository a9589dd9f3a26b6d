//! What happens to an operation; one row of its journal each.
//!
//! Promises: the JSON of an event is stable, since journals outlive the Holm that wrote them. Refuses secrets: the state
//! of an operation holds ids, names and sealed bytes only.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Problem;

/// Why an operation goes back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Because {
    /// A person asked for it.
    Cancelled,
    /// It was not done in time.
    Deadline,
    /// A step failed for good.
    Failed {
        /// As people are told.
        problem: Problem,
    },
}

/// What happens to an operation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// It was asked for; always the first.
    Requested {
        /// The names of its steps, so that a Holm with another list notices.
        steps: Vec<String>,
        /// What the first step starts from.
        state: Value,
    },
    /// A runner took it up.
    Claimed {
        /// Which.
        runner: String,
    },
    /// A step is done.
    Done {
        /// Its number, from 0.
        step: usize,
        /// The operation's state after it.
        state: Value,
    },
    /// A step has nothing to do before a time, or before its children are over.
    Waits {
        /// Its number.
        step: usize,
        /// The time; none when it waits for children.
        until: Option<Timestamp>,
    },
    /// A step did not get through.
    Failed {
        /// Its number.
        step: usize,
        /// Why.
        problem: Problem,
        /// Whether trying again is of no use.
        fatal: bool,
        /// When it is tried again, if it is.
        retry_at: Timestamp,
    },
    /// The point of no return is passed.
    Passed {
        /// The step that is it.
        step: usize,
    },
    /// From here on it goes back.
    UndoBegun {
        /// Why.
        because: Because,
    },
    /// A step is undone.
    Undone {
        /// Its number.
        step: usize,
    },
    /// Undoing a step did not get through.
    UndoFailed {
        /// Its number.
        step: usize,
        /// Why.
        problem: Problem,
        /// When it is tried again.
        retry_at: Timestamp,
    },
    /// A person holds it.
    Paused {
        /// Who.
        by: Value,
    },
    /// A person lets it go on.
    Resumed {
        /// Who.
        by: Value,
    },
    /// A person wants it undone.
    CancelAsked {
        /// Who.
        by: Value,
        /// Why, as they say.
        reason: Option<String>,
    },
    /// A person ends a wait.
    Proceeded {
        /// Who.
        by: Value,
    },
    /// A person has it tried again now.
    Retried {
        /// Who.
        by: Value,
    },
    /// A person ends it where it stands.
    Abandoned {
        /// Who.
        by: Value,
        /// Why.
        reason: String,
    },
}

impl Event {
    /// The word of its tag.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "requested",
            Self::Claimed { .. } => "claimed",
            Self::Done { .. } => "done",
            Self::Waits { .. } => "waits",
            Self::Failed { .. } => "failed",
            Self::Passed { .. } => "passed",
            Self::UndoBegun { .. } => "undo_begun",
            Self::Undone { .. } => "undone",
            Self::UndoFailed { .. } => "undo_failed",
            Self::Paused { .. } => "paused",
            Self::Resumed { .. } => "resumed",
            Self::CancelAsked { .. } => "cancel_asked",
            Self::Proceeded { .. } => "proceeded",
            Self::Retried { .. } => "retried",
            Self::Abandoned { .. } => "abandoned",
        }
    }
}
