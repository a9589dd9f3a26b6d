//! Operations as people see them: lists, one, its journal, its end.

use std::time::Duration;

use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_core::operation::journal::Row;
use holm_store::operation::{self, Filter, Operation};
use holm_store::page::Page;
use tokio::time::{Instant, timeout_at};

use super::people::not_found;
use super::registry;
use crate::control::Control;

/// Whoever waits looks at least this often, for the case that a signal was lost.
const LOOK: Duration = Duration::from_secs(1);

/// A page of operations, newest first.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe.
pub async fn list(control: &Control, filter: &Filter, page: &Page<OperationId>) -> Result<Vec<Operation>, Problem> {
    Ok(operation::list(control.catalog(), filter, page).await?)
}

/// One operation.
///
/// # Errors
/// [`ErrorCode::OperationNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe.
pub async fn show(control: &Control, id: OperationId) -> Result<Operation, Problem> {
    operation::by_id(control.catalog(), id).await?.ok_or_else(|| not_found(id))
}

/// A page of its journal.
///
/// # Errors
/// As with [`show`].
///
/// # Cancel safety
/// Safe.
pub async fn journal(control: &Control, id: OperationId, page: &Page<u64>) -> Result<Vec<Row>, Problem> {
    show(control, id).await?;
    Ok(operation::journal::page(control.catalog(), id, page).await?)
}

/// Whether this Holm can run an operation; one that an upgrade left behind waits for a Holm that can.
pub fn is_known(operation: &Operation) -> bool {
    registry::find(&operation.kind, operation.version).is_some()
}

/// Waits until the journal is longer than `seen`, or the operation is over; returns it as it is then or at the end of
/// the patience.
///
/// # Errors
/// As with [`show`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn wait(control: &Control, id: OperationId, seen: Option<u64>, patience: Duration) -> Result<Operation, Problem> {
    let deadline = Instant::now() + patience;
    let mut told = control.told();
    loop {
        told.borrow_and_update();
        let operation = show(control, id).await?;
        let news = seen.is_some_and(|seen| operation.last_seq > seen);
        if news || operation.finished_at.is_some() || operation.state == OperationState::Broken || Instant::now() >= deadline {
            return Ok(operation);
        }
        let _ = timeout_at((Instant::now() + LOOK).min(deadline), told.changed()).await;
    }
}

/// Waits until it is over.
///
/// # Errors
/// [`ErrorCode::OperationUndone`] with the reason if it did not succeed; [`ErrorCode::OperationGoesOn`] if it is not over
/// in time.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn succeeded(control: &Control, id: OperationId, patience: Duration) -> Result<Operation, Problem> {
    let operation = wait(control, id, None, patience).await?;
    match operation.state {
        OperationState::Succeeded => Ok(operation),
        OperationState::Undone | OperationState::Abandoned | OperationState::Broken => Err(ended(&operation)),
        OperationState::Active | OperationState::Paused | OperationState::Undoing => Err(goes_on(&operation)),
    }
}

/// Why an operation that is over did not do what it was for.
pub fn ended(operation: &Operation) -> Problem {
    let what = format!("`{}` of {} was {}", operation.kind, operation.subject, operation.state);
    let changed = if operation.state == OperationState::Undone { Changed::Nothing } else { Changed::Unknown };
    let problem = Problem::new(ErrorCode::OperationUndone, what).changed(changed);
    let problem = match &operation.problem {
        Some(cause) => problem.because(match &cause.why {
            Some(why) => format!("{}: {why} ({})", cause.what, cause.code),
            None => format!("{} ({})", cause.what, cause.code),
        }),
        None => problem.because("it was cancelled"),
    };
    problem.next(format!("see what happened: `holm op show {}`", operation.id))
}

pub(crate) fn goes_on(operation: &Operation) -> Problem {
    Problem::new(ErrorCode::OperationGoesOn, format!("`{}` of {} is not over yet; it goes on", operation.kind, operation.subject))
        .changed(Changed::Something)
        .next(format!("watch it: `holm op watch {}`", operation.id))
}
