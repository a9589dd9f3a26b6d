//! Operations, from what the catalog has to what the API shows.

use holm_core::operation::OperationState;
use holm_core::operation::event::{Because, Event};
use holm_core::operation::journal::Row;
use holm_engine::operation::show;
use holm_store::operation::{Children, Operation};
use serde_json::Value;

use crate::view::operation::{ChildrenView, EventView, OperationDetailView, OperationView, ProgressView, StepState, StepView};

impl From<Operation> for OperationView {
    fn from(operation: Operation) -> Self {
        let running = operation.lease_until.is_some_and(|until| until >= operation.read_at);
        let goes = matches!(operation.state, OperationState::Active | OperationState::Undoing);
        let next_run_at = (goes && !running).then_some(operation.next_run_at);
        let rests = operation.state == OperationState::Active && operation.problem.is_none();
        Self {
            known: show::is_known(&operation),
            id: operation.id,
            kind: operation.kind,
            subject: operation.subject,
            environment: operation.environment,
            cluster: operation.cluster,
            parent: operation.parent,
            state: operation.state,
            running,
            needs_person: operation.alerted,
            done: operation.step,
            steps: operation.steps,
            step: operation.step_name,
            progress: operation.progress.as_ref().and_then(progress),
            rests_until: next_run_at.filter(|at| rests && *at > operation.read_at),
            next_run_at,
            problem: operation.problem,
            requested_by: operation.requested_by,
            reason: operation.reason,
            deadline: operation.deadline,
            created_at: operation.created_at,
            finished_at: operation.finished_at,
            last_seq: operation.last_seq,
        }
    }
}

fn progress(value: &Value) -> Option<ProgressView> {
    let number = |name| value.get(name).and_then(Value::as_u64);
    Some(ProgressView { done: number("done")?, of: number("of")?, unit: value.get("unit")?.as_str()?.to_owned() })
}

/// An operation with the names of its steps, its children and the last rows of its journal.
pub(crate) fn detail(operation: Operation, names: Vec<String>, children: Children, last: &[Row]) -> OperationDetailView {
    let now = operation.read_at;
    let counted = children.unfinished + children.succeeded + children.failed > 0;
    let children = ChildrenView { unfinished: children.unfinished, succeeded: children.succeeded, failed: children.failed };
    let view = OperationView::from(operation);
    let plan = names.into_iter().zip(0..).map(|(name, step)| StepView { state: step_state(&view, step), name }).collect();
    let began = last.iter().rev().find(|row| begins_a_step(row)).map(|row| now.duration_since(row.at).as_secs_f64());
    let whole = now.duration_since(view.created_at).as_secs_f64();
    let seconds_left = match (&view.progress, began) {
        (Some(progress), Some(elapsed)) if view.running => left(elapsed, progress.done, progress.of),
        _ if counted && view.finished_at.is_none() => {
            left(whole, children.succeeded + children.failed, children.succeeded + children.failed + children.unfinished)
        }
        _ => None,
    };
    OperationDetailView { plan, children: counted.then_some(children), seconds_left, operation: view }
}

fn begins_a_step(row: &Row) -> bool {
    serde_json::from_str::<Event>(&row.text).is_ok_and(|event| {
        matches!(event, Event::Requested { .. } | Event::Claimed { .. } | Event::Done { .. } | Event::Undone { .. } | Event::Passed { .. })
    })
}

/// As long as what is done took, for what is left.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, clamped by `as`")]
fn left(elapsed: f64, done: u64, of: u64) -> Option<u64> {
    let rest = of.checked_sub(done)?;
    (done > 0).then(|| (elapsed / done as f64 * rest as f64).ceil() as u64)
}

fn step_state(view: &OperationView, step: u32) -> StepState {
    use StepState as S;
    match view.state {
        OperationState::Succeeded => S::Done,
        OperationState::Undone => S::Undone,
        OperationState::Abandoned => S::Unknown,
        OperationState::Broken if step < view.done => S::Done,
        OperationState::Broken => S::Unknown,
        OperationState::Undoing if step + 1 == view.done => S::Undoing,
        OperationState::Undoing if step >= view.done => S::Undone,
        OperationState::Undoing => S::Done,
        _ if step < view.done => S::Done,
        _ if step > view.done => S::Pending,
        OperationState::Paused => S::Waiting,
        OperationState::Active if view.problem.is_some() => S::Failing,
        OperationState::Active if view.rests_until.is_some() => S::Waiting,
        OperationState::Active => S::Running,
    }
}

/// The names of the steps, which the first row of a journal has.
pub(crate) fn names(first: Option<&Row>) -> Vec<String> {
    match first.and_then(|row| serde_json::from_str(&row.text).ok()) {
        Some(Event::Requested { steps, .. }) => steps,
        _ => Vec::new(),
    }
}

/// A row as people read it. One that this Holm does not understand is shown by its word alone.
pub(crate) fn event(row: &Row, names: &[String]) -> EventView {
    let shown = |event: &str, text: String| EventView {
        seq: row.seq,
        at: row.at,
        event: event.to_owned(),
        text,
        step: None,
        by: None,
        reason: None,
        problem: None,
    };
    let Ok(event) = serde_json::from_str::<Event>(&row.text) else {
        let value: Value = serde_json::from_str(&row.text).unwrap_or_default();
        let word = value.get("event").and_then(Value::as_str).unwrap_or("unknown");
        return shown(word, format!("`{word}`, which this Holm does not know"));
    };
    let name = |step: usize| names.get(step).cloned().unwrap_or_else(|| format!("step {}", step + 1));
    let plain = |text: &str| shown(event.word(), text.to_owned());
    let of_step = |step: usize, rest: &str| EventView { step: Some(name(step)), ..shown(event.word(), format!("`{}` {rest}", name(step))) };
    let said = |by: &Value, text: &str| EventView { by: Some(by.clone()), ..shown(event.word(), text.to_owned()) };
    match &event {
        Event::Requested { .. } => plain("it was asked for"),
        Event::Claimed { runner } => plain(&format!("taken up by {runner}")),
        Event::Done { step, .. } => of_step(*step, "is done"),
        Event::Waits { step, until: Some(until) } => of_step(*step, &format!("waits until {until}")),
        Event::Waits { step, until: None } => of_step(*step, "waits for the operations that it asked for"),
        Event::Failed { step, problem, fatal, retry_at } => EventView {
            problem: Some(problem.clone()),
            ..of_step(*step, &if *fatal { "failed for good".to_owned() } else { format!("failed, and is tried again at {retry_at}") })
        },
        Event::Passed { step } => of_step(*step, "is the point of no return, which is passed"),
        Event::UndoBegun { because: Because::Cancelled } => plain("it is being undone, because somebody asked for that"),
        Event::UndoBegun { because: Because::Deadline } => plain("it is being undone, because it was not done in time"),
        Event::UndoBegun { because: Because::Failed { problem } } => {
            EventView { problem: Some(problem.clone()), ..plain("it is being undone, because a step failed") }
        }
        Event::Undone { step } => of_step(*step, "is undone"),
        Event::UndoFailed { step, problem, retry_at } => EventView {
            problem: Some(problem.clone()),
            ..of_step(*step, &format!("could not be undone, and is tried again at {retry_at}"))
        },
        Event::Paused { by } => said(by, "paused"),
        Event::Resumed { by } => said(by, "resumed"),
        Event::CancelAsked { by, reason } => EventView { reason: reason.clone(), ..said(by, "cancelled") },
        Event::Proceeded { by } => said(by, "told not to wait any longer"),
        Event::Retried { by } => said(by, "told to try again now"),
        Event::Abandoned { by, reason } => EventView { reason: Some(reason.clone()), ..said(by, "given up") },
    }
}
