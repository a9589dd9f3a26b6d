//! What people say to an operation: hold it, go on, undo it, do not wait, try again, give it up.
//!
//! Promises: what is said is a row of the journal, with who said it, and is heeded at the next safe point; what has no
//! meaning where the operation stands is refused with how it stands.

use holm_core::actor::Actor;
use holm_core::approval::guarded::Guarded;
use holm_core::audit::{AuditAction, NewEntry, Reason, Subject};
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_core::operation::event::Event;
use holm_core::operation::journal::replay;
use holm_store::audit::record;
use holm_store::operation::journal::{self, Appended, Writer};
use holm_store::operation::{self, Operation};
use holm_store::tx::Tx;
use serde_json::Value;

use super::definition::Operation as _;
use super::{digest, giving_up, registry, running};
use crate::approval::rule::{self, Act as Guard};
use crate::control::Control;
use crate::tenant::delete::Delete;

/// What is said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Word {
    /// Nothing more after the step that is under way.
    Pause,
    /// Go on.
    Resume,
    /// Undo what was done.
    Cancel {
        /// Why.
        reason: Option<Reason>,
    },
    /// Do not wait any longer.
    Proceed,
    /// Try again now.
    Retry,
    /// Leave it as it is, for good.
    Abandon {
        /// Why.
        reason: Reason,
    },
}

impl Word {
    fn event(self, by: Value) -> Event {
        match self {
            Self::Pause => Event::Paused { by },
            Self::Resume => Event::Resumed { by },
            Self::Cancel { reason } => Event::CancelAsked { by, reason: reason.map(String::from) },
            Self::Proceed => Event::Proceeded { by },
            Self::Retry => Event::Retried { by },
            Self::Abandon { reason } => Event::Abandoned { by, reason: reason.into() },
        }
    }

    const fn action(&self) -> AuditAction {
        match self {
            Self::Pause => AuditAction::OperationPause,
            Self::Resume => AuditAction::OperationResume,
            Self::Cancel { .. } => AuditAction::OperationCancel,
            Self::Proceed => AuditAction::OperationProceed,
            Self::Retry => AuditAction::OperationRetry,
            Self::Abandon { .. } => AuditAction::OperationAbandon,
        }
    }

    fn reason(&self) -> Option<Reason> {
        match self {
            Self::Cancel { reason } => reason.clone(),
            Self::Abandon { reason } => Some(reason.clone()),
            Self::Pause | Self::Resume | Self::Proceed | Self::Retry => None,
        }
    }

    const fn done(&self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Cancel { .. } => "cancelled",
            Self::Proceed => "hastened",
            Self::Retry => "retried",
            Self::Abandon { .. } => "abandoned",
        }
    }
}

/// Says it.
///
/// # Errors
/// [`ErrorCode::OperationNotFound`], [`ErrorCode::OperationCannot`] with how it stands, [`ErrorCode::OperationBroken`], an
/// approval that is demanded and not there, trouble with the catalog.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn tell(control: &Control, by: &Actor, id: OperationId, word: Word) -> Result<Operation, Problem> {
    tell_at(control, by, id, word, None).await
}

/// As [`tell`], if the journal still ends with the row that the caller saw last.
///
/// # Errors
/// As with [`tell`]; [`ErrorCode::PreconditionFailed`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn tell_at(control: &Control, by: &Actor, id: OperationId, word: Word, seen: Option<u64>) -> Result<Operation, Problem> {
    control.tasks().finish("tell an operation", act(control.clone(), by.clone(), id, word, seen)).await
}

async fn act(control: Control, by: Actor, id: OperationId, word: Word, seen: Option<u64>) -> Result<Operation, Problem> {
    if matches!(word, Word::Abandon { .. }) {
        let operation = operation::by_id(control.catalog(), id).await?.ok_or_else(|| not_found(id))?;
        if seen.is_none_or(|seen| seen == operation.last_seq) {
            giving_up::fence(&control, &operation).await?;
        }
    }
    let mut tx = control.catalog().transaction().await?;
    let operation = operation::lock(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    if let Some(seen) = seen.filter(|seen| *seen != operation.last_seq) {
        return Err(moved_on(&operation, seen));
    }
    let (done, proceed) = (word.done(), word == Word::Proceed);
    let abandon = matches!(word, Word::Abandon { .. });
    if operation.state == OperationState::Broken && !abandon {
        return Err(cannot(&operation, done, &operation.problem.as_ref().map_or_else(String::new, |problem| problem.what.clone())));
    }
    let rows = journal::within(&mut tx, id).await?;
    let now = digest::kept(operation::now(&mut tx).await?);
    let mut entry = NewEntry::new(&by, word.action(), operation.environment.as_ref(), Subject::Operation(id));
    entry.reason = word.reason();
    let event = word.event(serde_json::to_value(&by).expect("an actor is JSON"));
    let row = digest::row(&operation.head, operation.last_seq, 0, now, &event);
    let summary = match replay(&rows, operation.last_seq, &operation.head, digest::hash) {
        Ok(standing) => {
            let next = standing.after(&event, now).map_err(|illegal| cannot(&operation, done, &illegal.standing))?;
            running::summary(&next, Some(now), false)
        }
        // What cannot be believed can still be given up.
        Err(_) if abandon => journal::Summary {
            state: OperationState::Abandoned,
            step: 0,
            step_name: None,
            problem: operation.problem.clone(),
            alerted: false,
            run_at: None,
        },
        Err(broken) => return Err(cannot(&operation, done, &broken.to_string())),
    };
    match journal::append(&mut tx, id, Writer::Person, std::slice::from_ref(&row), &summary).await? {
        Appended::Done => {}
        Appended::Refused => return Err(cannot(&operation, done, operation.state.as_str())),
    }
    record(&mut tx, entry);
    if proceed {
        heed(&mut tx, &by, &operation).await?;
    }
    tx.commit().await?;
    control.nudge_runner();
    control.nudge_watchers();
    operation::by_id(control.catalog(), id).await?.ok_or_else(|| not_found(id))
}

/// Who agreed to a grace period has not agreed to its end now.
async fn heed(tx: &mut Tx, by: &Actor, operation: &Operation) -> Result<(), Problem> {
    let Some(name) = operation.environment.as_ref().filter(|_| operation.kind.as_str() == Delete::KIND) else { return Ok(()) };
    let content = format!("end the grace period of {} now ({})", operation.subject, operation.id);
    let act = Guard { by, environment: name, is: &[Guarded::TenantDelete], content, operation: operation.id };
    rule::heed(tx, act).await
}

fn cannot(operation: &Operation, done: &str, standing: &str) -> Problem {
    let problem = Problem::new(ErrorCode::OperationCannot, format!("`{}` ({}) cannot be {done}", operation.kind, operation.id))
        .because(format!("it is {standing}"))
        .changed(Changed::Nothing);
    if registry::find(&operation.kind, operation.version).is_none() && !operation.state.is_over() {
        return problem.next("run a Holm that knows this kind of operation, or give it up: `holm op abandon`");
    }
    problem.next(format!("see how far it is: `holm op show {}`", operation.id))
}

fn moved_on(operation: &Operation, seen: u64) -> Problem {
    Problem::new(ErrorCode::PreconditionFailed, format!("`{}` ({}) went on since you looked", operation.kind, operation.id))
        .because(format_args!("you saw its journal up to row {seen}, and it ends with row {}", operation.last_seq))
        .next(format!("look again: `holm op show {}`", operation.id))
}

pub(super) fn not_found(id: OperationId) -> Problem {
    Problem::new(ErrorCode::OperationNotFound, format!("there is no operation `{id}`")).next("see which there are: `holm op list`")
}
