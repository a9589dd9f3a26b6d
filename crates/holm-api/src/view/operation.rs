//! How operations look on the wire: one in a list, one with its steps, a row of its journal, what people say to it.
//!
//! Promises: what a step works with (its state) is never shown, since it may hold sealed values.

use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::id::{ClusterId, OperationId};
use holm_core::operation::{OperationKind, OperationState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::envelope::ProblemView;

/// Work that takes longer than a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OperationView {
    /// Its identity.
    #[schema(value_type = String, example = "op_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: OperationId,
    /// What it does.
    #[schema(value_type = String, example = "tenant.delete")]
    pub kind: OperationKind,
    /// What it is about.
    #[schema(example = "tenant `goteborg` in `production`")]
    pub subject: String,
    /// The environment that is about; null when it is about none.
    #[schema(value_type = Option<String>, example = "production")]
    pub environment: Option<EnvironmentName>,
    /// The cluster that it works on; null when it works on none.
    #[schema(value_type = Option<String>, example = "clu_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub cluster: Option<ClusterId>,
    /// The operation that it is a part of; null when it is none.
    #[schema(value_type = Option<String>)]
    pub parent: Option<OperationId>,
    /// `active`, `paused`, `undoing`, `broken`, `succeeded`, `undone` or `abandoned`.
    #[schema(value_type = String, example = "active")]
    pub state: OperationState,
    /// Whether a process is at work on it right now.
    pub running: bool,
    /// Whether this Holm can run it; one of another version may.
    pub known: bool,
    /// Whether it cannot go on without a person.
    pub needs_person: bool,
    /// How many steps are done; while it is undone, how many are left to undo.
    pub done: u32,
    /// How many steps it has.
    pub steps: u32,
    /// The step under way or next; null when there is none.
    #[schema(example = "drop database")]
    pub step: Option<String>,
    /// How far the step under way is; null when it does not say.
    pub progress: Option<ProgressView>,
    /// Until when it rests, because a step says so; null when it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub rests_until: Option<Timestamp>,
    /// When it is looked at next, if nobody is at work on it; null when it is over or held.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run_at: Option<Timestamp>,
    /// What went wrong last and is not past; null when nothing did.
    #[schema(value_type = Option<ProblemView>)]
    pub problem: Option<Problem>,
    /// Who asked for it.
    #[schema(value_type = Value)]
    pub requested_by: Value,
    /// Why, as they say.
    pub reason: Option<String>,
    /// When it is undone if it is not past its point of no return; null for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deadline: Option<Timestamp>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was over.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// The number of the last row of its journal: what to give as `seen`.
    pub last_seq: u64,
}

/// How far a step is, in its own measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProgressView {
    /// How much is done.
    pub done: u64,
    /// Of how much.
    pub of: u64,
    /// Of what.
    #[schema(example = "bytes")]
    pub unit: String,
}

/// An operation with its parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OperationDetailView {
    /// The operation.
    #[serde(flatten)]
    pub operation: OperationView,
    /// Its steps, in order.
    pub plan: Vec<StepView>,
    /// The operations that it asked for; null when it asked for none.
    pub children: Option<ChildrenView>,
    /// How long the step under way still takes, if it goes on as it does; null when that is not known.
    pub seconds_left: Option<u64>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// Its name.
    #[schema(example = "drop database")]
    pub name: String,
    /// How it is.
    pub state: StepState,
}

/// How a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Under way, or about to be.
    Running,
    /// It waits for its time.
    Waiting,
    /// It did not get through and is tried again.
    Failing,
    /// Done.
    Done,
    /// Being undone, or about to be.
    Undoing,
    /// Undone, or never begun.
    Undone,
    /// Only the journal tells.
    Unknown,
}

impl StepState {
    /// The word that people read.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Failing => "failing",
            Self::Done => "done",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::Unknown => "unknown",
        }
    }
}

/// How an operation's children are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChildrenView {
    /// Not over.
    pub unfinished: u64,
    /// Done.
    pub succeeded: u64,
    /// Undone or abandoned.
    pub failed: u64,
}

/// A row of an operation's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its number, from 1.
    pub seq: u64,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What happened, in a word.
    #[schema(example = "done")]
    pub event: String,
    /// The same as people read it.
    #[schema(example = "`close` is done")]
    pub text: String,
    /// The step that it is about; null when it is about none.
    pub step: Option<String>,
    /// Who; null when it was Holm.
    #[schema(value_type = Value)]
    pub by: Option<Value>,
    /// Why, as they say.
    pub reason: Option<String>,
    /// What went wrong; null when nothing did.
    #[schema(value_type = Option<ProblemView>)]
    pub problem: Option<Problem>,
}

/// What to say with a cancellation.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelOperation {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

/// What to say when an operation is given up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AbandonOperation {
    /// Why; somebody will want to know.
    pub reason: String,
}
