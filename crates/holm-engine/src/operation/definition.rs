//! What an operation of one kind is made of: steps over a typed state.
//!
//! Promises: a step in the catalog and its journal row are one transaction; the state is written with each step that is
//! done, and is what the next one is given, in this process or another. A step outside the catalog must observe before it
//! acts, bear being repeated, and touch only names that its state had before it began: they are chosen when the operation
//! is asked for, or by a step in the catalog.

use std::pin::Pin;
use std::time::Duration;

use holm_core::audit::AuditAction;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::operation::OperationKind;
use holm_core::operation::plan::{Plan, StepShape};
use holm_store::error::StoreError;
use holm_store::tx::Tx;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::acting::Acting;

/// Work that borrows what it works on.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flow {
    /// It is done.
    Done,
    /// There is nothing to do before this time; it is run again then.
    WaitUntil(Timestamp),
    /// There is nothing to do before the operation's children are over; it is run again then, and now and then.
    WaitForChildren,
}

/// Why a step did not end.
#[derive(Debug)]
pub(crate) enum StepError {
    /// It may work later.
    Retry(Problem),
    /// It will not, so that what was done is undone.
    Fatal(Problem),
    /// The lease is over: nothing may be written, not even this.
    Lost,
}

pub(crate) type Stepped = Result<Flow, StepError>;

impl From<Problem> for StepError {
    fn from(problem: Problem) -> Self {
        Self::Retry(problem)
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Retry(error.into())
    }
}

/// What a step does.
pub(crate) enum Act<S: 'static> {
    /// Changes the catalog, in the transaction that also records that it is done: exactly once.
    Catalog(for<'a> fn(&'a Acting, &'a mut Tx, &'a mut S) -> Work<'a, Stepped>),
    /// Does nothing before a time, or before a person does not want to wait.
    Wait(fn(&S) -> Timestamp),
    /// Observes and acts elsewhere: at least once.
    Outside(for<'a> fn(&'a Acting, &'a mut S) -> Work<'a, Stepped>),
}

/// How a step is undone; also when it was never begun, or half done.
pub(crate) enum Undo<S: 'static> {
    /// It leaves nothing behind.
    Nothing,
    /// In the catalog.
    Catalog(for<'a> fn(&'a Acting, &'a mut Tx, &'a S) -> Work<'a, Result<(), StepError>>),
    /// Elsewhere.
    Outside(for<'a> fn(&'a Acting, &'a S) -> Work<'a, Result<(), StepError>>),
}

/// A step.
pub(crate) struct Step<S: 'static> {
    pub(crate) name: &'static str,
    pub(crate) act: Act<S>,
    pub(crate) undo: Undo<S>,
    /// How long passing failures are retried before the operation gives up.
    pub(crate) retry_for: Duration,
    /// From here on there is only forward.
    pub(crate) no_return: bool,
}

/// One that is retried for ten minutes: long enough for a server to be restarted, short enough for a person to wait for.
pub(crate) const RETRY_FOR: Duration = Duration::from_secs(600);

/// An operation.
pub(crate) trait Operation: 'static {
    /// What it knows; no secrets but sealed ones.
    type State: Serialize + DeserializeOwned + Send + Sync;
    /// The name that people see: `tenant.delete`.
    const KIND: &'static str;
    /// Raised when the list of steps changes; the old list stays as long as operations may be under way with it.
    const VERSION: u32 = 1;
    /// What the audit log says when it is asked for.
    const ACTION: AuditAction;
    /// How many of it may work on one cluster at once.
    const AT_ONCE: u32 = 4;
    /// In order.
    const STEPS: &'static [Step<Self::State>];
}

/// An operation without its type.
pub(crate) struct Definition {
    pub(crate) kind: OperationKind,
    pub(crate) version: u32,
    pub(crate) at_once: u32,
    pub(crate) plan: Plan,
    steps: Box<[Box<dyn Run>]>,
}

impl Definition {
    pub(crate) fn of<O: Operation>() -> Self {
        let shape = |step: &Step<O::State>| StepShape { name: step.name, retry_for: step.retry_for, no_return: step.no_return };
        Self {
            kind: O::KIND.parse().expect("a constant of two words"),
            version: O::VERSION,
            at_once: O::AT_ONCE,
            plan: Plan::new(O::STEPS.iter().map(shape).collect::<Vec<_>>()),
            steps: O::STEPS.iter().map(|step| Box::new(step) as Box<dyn Run>).collect(),
        }
    }

    pub(crate) fn step(&self, step: usize) -> &dyn Run {
        &*self.steps[step]
    }
}

/// Where a piece of work happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Nowhere,
    Catalog,
    Outside,
    Wait,
}

/// A step without its type: states go in and out as JSON.
pub(crate) trait Run: Send + Sync {
    fn place(&self, undo: bool) -> Place;
    /// When a wait is over.
    fn until(&self, state: &Value) -> Result<Timestamp, StepError>;
    fn in_catalog<'a>(
        &'a self,
        acting: &'a Acting,
        tx: &'a mut Tx,
        state: &'a Value,
        undo: bool,
    ) -> Work<'a, Result<(Flow, Value), StepError>>;
    fn outside<'a>(&'a self, acting: &'a Acting, state: &'a Value, undo: bool) -> Work<'a, Result<(Flow, Value), StepError>>;
}

impl<S: Serialize + DeserializeOwned + Send + Sync> Run for &'static Step<S> {
    fn place(&self, undo: bool) -> Place {
        match (undo, &self.act, &self.undo) {
            (false, Act::Catalog(_), _) | (true, _, Undo::Catalog(_)) => Place::Catalog,
            (false, Act::Outside(_), _) | (true, _, Undo::Outside(_)) => Place::Outside,
            (false, Act::Wait(_), _) => Place::Wait,
            (true, _, Undo::Nothing) => Place::Nowhere,
        }
    }

    fn until(&self, state: &Value) -> Result<Timestamp, StepError> {
        match &self.act {
            Act::Wait(until) => Ok(until(&read(state)?)),
            Act::Catalog(_) | Act::Outside(_) => Ok(Timestamp::MIN),
        }
    }

    fn in_catalog<'a>(
        &'a self,
        acting: &'a Acting,
        tx: &'a mut Tx,
        state: &'a Value,
        undo: bool,
    ) -> Work<'a, Result<(Flow, Value), StepError>> {
        Box::pin(async move {
            let mut typed: S = read(state)?;
            let flow = match (undo, &self.act, &self.undo) {
                (false, Act::Catalog(work), _) => work(acting, tx, &mut typed).await?,
                (true, _, Undo::Catalog(work)) => work(acting, tx, &typed).await.map(|()| Flow::Done)?,
                _ => Flow::Done,
            };
            Ok((flow, write(&typed)))
        })
    }

    fn outside<'a>(&'a self, acting: &'a Acting, state: &'a Value, undo: bool) -> Work<'a, Result<(Flow, Value), StepError>> {
        Box::pin(async move {
            let mut typed: S = read(state)?;
            let flow = match (undo, &self.act, &self.undo) {
                (false, Act::Outside(work), _) => work(acting, &mut typed).await?,
                (true, _, Undo::Outside(work)) => work(acting, &typed).await.map(|()| Flow::Done)?,
                _ => Flow::Done,
            };
            Ok((flow, write(&typed)))
        })
    }
}

/// A state that this Holm cannot read was written by another version of the same list of steps: a fault of ours, which
/// must not be mistaken for a failure of the step.
fn read<S: DeserializeOwned>(state: &Value) -> Result<S, StepError> {
    serde_json::from_value(state.clone()).map_err(|error| {
        StepError::Retry(
            Problem::new(ErrorCode::OperationBroken, "the state of the operation cannot be read by this Holm")
                .because(error)
                .changed(Changed::Something)
                .next("run the version of Holm that began it"),
        )
    })
}

pub(crate) fn write<S: Serialize>(state: &S) -> Value {
    serde_json::to_value(state).expect("a state is JSON")
}
