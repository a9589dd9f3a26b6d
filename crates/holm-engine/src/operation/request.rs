//! Asking for an operation: in the transaction of whoever asks.

use holm_core::actor::Actor;
use holm_core::audit::{NewEntry, Reason, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, EnvironmentId, OperationId};
use holm_core::operation::event::Event;
use holm_core::operation::journal::Digest;
use holm_store::audit::record;
use holm_store::operation::{self, NewOperation, Requested};
use holm_store::tx::Tx;
use jiff::Timestamp;
use uuid::Uuid;

use super::definition::{Definition, Operation, write};
use super::digest;

/// What is asked for.
pub(crate) struct Request<S> {
    pub(crate) by: Actor,
    pub(crate) environment: Option<(EnvironmentId, EnvironmentName)>,
    pub(crate) cluster: Option<ClusterId>,
    /// As people know it: ``tenant `goteborg` in `production` ``.
    pub(crate) subject: String,
    /// The same for the audit log.
    pub(crate) audited: Subject,
    /// What nobody else may change meanwhile.
    pub(crate) holds: Vec<Uuid>,
    pub(crate) parent: Option<OperationId>,
    pub(crate) reason: Option<Reason>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) state: S,
}

/// Queues an operation, and has the audit log say so; it is begun as soon as the transaction is committed.
///
/// # Errors
/// [`ErrorCode::OperationInProgress`]: another one holds the subject; trouble with the catalog.
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub(crate) async fn request<O: Operation>(tx: &mut Tx, request: Request<O::State>) -> Result<OperationId, Problem> {
    let definition = Definition::of::<O>();
    let id = OperationId::from_uuid(Uuid::now_v7());
    let event = Event::Requested { steps: definition.plan.names(), state: write(&request.state) };
    let now = operation::now(tx).await?;
    let new = NewOperation {
        id,
        kind: definition.kind.clone(),
        version: definition.version,
        environment: request.environment.as_ref().map(|(id, _)| *id),
        cluster: request.cluster,
        subject: request.subject,
        holds: request.holds,
        parent: request.parent,
        requested_by: serde_json::to_value(&request.by).expect("an actor is JSON"),
        reason: request.reason.as_ref().map(Reason::to_string),
        deadline: request.deadline,
        first: digest::row(&Digest::default(), 0, 0, digest::kept(now), &event),
        steps: u32::try_from(definition.plan.len()).expect("a handful of steps"),
        step_name: definition.plan.steps()[0].name.to_owned(),
    };
    match operation::request(tx, &new).await? {
        Requested::Done => {
            let environment = request.environment.as_ref().map(|(_, name)| name);
            let mut entry = NewEntry::new(&request.by, O::ACTION, environment, request.audited);
            entry.reason = request.reason;
            record(tx, entry);
            Ok(id)
        }
        Requested::Busy(other) => Err(busy(&new.subject, &other)),
    }
}

/// What whoever comes second is told.
pub(crate) fn busy(subject: &str, other: &operation::Operation) -> Problem {
    Problem::new(ErrorCode::OperationInProgress, format!("{subject} is being changed by another operation"))
        .because(format!("`{}` ({}) is {} there", other.kind, other.id, other.state))
        .next(format!("wait until it is over: `holm op watch {}`", other.id))
        .next(format!("or have it undone: `holm op cancel {}`", other.id))
}
