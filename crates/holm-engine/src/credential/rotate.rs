//! Gives a credential a new secret while the old one stays good for a while (R59).
//!
//! Promises: when the new secret is told, every node of the data plane takes both; no login fails for the rotation until the
//! overlap is over, or is ended by a person. Until then it can be cancelled, and only the old secret is good again. What
//! the old secret opened ends with it.

use std::num::NonZeroU32;
use std::time::Duration;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Subject};
use holm_core::credential::CredentialName;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{CredentialId, OperationId};
use holm_core::scram::SecondKeys;
use holm_core::secret::Secret;
use holm_store::credential::{self, rotation};
use holm_store::state::Update;
use holm_store::tx::Tx;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::issue::checked;
use super::not_found;
use crate::control::{CONFIRM_PATIENCE, Control};
use crate::operation::acting::Acting;
use crate::operation::definition::{Act, Flow, Operation, RETRY_FOR, Step, StepError, Stepped, Undo};
use crate::operation::request::{Request, request};
use crate::operation::show;
use crate::secret::{random, scram};

/// A day is enough for every deployment of an app that reads its secret when it starts.
pub const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// A month. Two secrets that are good for ever are one too many.
const OVERLAP_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

/// The operation.
pub(crate) struct Rotate;

/// What it knows: the keys themselves are in the credential's row, and never in a journal.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    credential: CredentialId,
    /// When the old secret is good no longer.
    until: Timestamp,
}

/// The step whose end means that the new secret works everywhere.
const CONFIRMED: u32 = 2;

impl Operation for Rotate {
    type State = State;
    const KIND: &'static str = "credential.rotate";
    const ACTION: AuditAction = AuditAction::CredentialRotate;
    const STEPS: &'static [Step<State>] = &[
        Step {
            name: "take both",
            act: Act::Catalog(|_, tx, state| Box::pin(activate(tx, state))),
            undo: Undo::Catalog(|_, tx, state| Box::pin(put_back(tx, state))),
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "tell data plane",
            act: Act::Outside(|acting, _| Box::pin(confirm(acting))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step { name: "overlap", act: Act::Wait(|state| state.until), undo: Undo::Nothing, retry_for: RETRY_FOR, no_return: false },
        Step {
            name: "retire old",
            act: Act::Catalog(|_, tx, state| Box::pin(retire(tx, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: true,
        },
        Step {
            name: "tell data plane again",
            act: Act::Outside(|acting, _| Box::pin(confirm(acting))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
    ];
}

async fn activate(tx: &mut Tx, state: &mut State) -> Stepped {
    match rotation::activate(tx, state.credential).await? {
        Update::Done => Ok(Flow::Done),
        Update::Absent | Update::Refused(()) => {
            Err(StepError::Fatal(Problem::new(ErrorCode::CredentialNotFound, format!("{} was revoked", state.credential))))
        }
    }
}

async fn put_back(tx: &mut Tx, state: &State) -> Result<(), StepError> {
    Ok(rotation::put_back(tx, state.credential).await?)
}

async fn retire(tx: &mut Tx, state: &mut State) -> Stepped {
    rotation::retire(tx, state.credential).await?;
    Ok(Flow::Done)
}

async fn confirm(acting: &Acting) -> Stepped {
    acting.control.confirmed_now(CONFIRM_PATIENCE).await?;
    Ok(Flow::Done)
}

/// What was begun, and the secret: shown once.
#[derive(Debug)]
pub struct Rotation {
    /// Ends the overlap and the old secret.
    pub operation: OperationId,
    /// The new secret, which every node of the data plane takes.
    pub secret: Secret<String>,
}

/// Begins a rotation, and returns when both secrets are good everywhere.
///
/// # Errors
/// No such credential, one that is being rotated already, an overlap beyond a month, a secret that cannot be one; a data
/// plane that is silent is none, since the secret would be lost with the answer.
///
/// # Cancel safety
/// Safe, but for the secret: a rotation may be under way of which nobody knows the secret. Cancel it.
pub async fn rotate(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    name: &CredentialName,
    overlap: Duration,
    secret: Option<Secret<String>>,
) -> Result<Rotation, Problem> {
    let secret = match &secret {
        None => random::password(),
        Some(given) => checked(given)?,
    };
    let act = begin(control.clone(), by.clone(), environment.clone(), name.clone(), overlap, secret.clone());
    let operation = control.tasks().finish("rotate a credential", act).await?;
    // Two steps: the wait for each is a few milliseconds where nothing is wrong.
    let deadline = std::time::Instant::now() + CONFIRM_PATIENCE;
    let mut now = show::show(control, operation).await?;
    while now.step < CONFIRMED && now.finished_at.is_none() && std::time::Instant::now() < deadline {
        now = show::wait(control, operation, Some(now.last_seq), deadline.saturating_duration_since(std::time::Instant::now())).await?;
    }
    if now.step < CONFIRMED {
        tracing::warn!(op.id = %operation, "a new secret is not known everywhere yet");
    }
    Ok(Rotation { operation, secret })
}

async fn begin(
    control: Control,
    by: Actor,
    environment: EnvironmentName,
    name: CredentialName,
    overlap: Duration,
    secret: Secret<String>,
) -> Result<OperationId, Problem> {
    if overlap > OVERLAP_MAX {
        return Err(Problem::new(ErrorCode::InvalidValue, "two secrets overlap for a month at the most"));
    }
    let environment_id = crate::environment::show(&control, &environment).await?.id;
    let credential = credential::by_name(control.catalog(), &environment, &name).await?;
    let credential = credential.ok_or_else(|| not_found(&environment, &name))?.id;
    let salting = rotation::salting(control.catalog(), credential).await?.ok_or_else(|| not_found(&environment, &name))?;
    let rounds = NonZeroU32::new(salting.iterations)
        .ok_or_else(|| Problem::new(ErrorCode::Internal, format!("{credential} has no rounds of PBKDF2")))?;
    let keys = tokio::task::spawn_blocking(move || {
        let verifier = scram::verifier_with(&secret, &salting.salt, rounds);
        SecondKeys { stored_key: verifier.stored_key, server_key: verifier.server_key }
    })
    .await
    .expect("hashing does not panic");
    let mut tx = control.catalog().transaction().await?;
    let now = holm_store::operation::now(&mut tx).await?;
    let until = now.saturating_add(SignedDuration::try_from(overlap).expect("a month at the most")).expect("a month from now");
    let wanted = Request {
        by,
        environment: Some((environment_id, environment.clone())),
        cluster: None,
        subject: format!("credential `{name}` in `{environment}`"),
        audited: Subject::Credential(credential),
        holds: vec![credential.as_uuid()],
        parent: None,
        reason: None,
        deadline: None,
        state: State { credential, until },
    };
    // First the request, which finds a rotation that is under way.
    let operation = request::<Rotate>(&mut tx, wanted).await?;
    if rotation::propose(&mut tx, credential, &keys).await? != Update::Done {
        return Err(not_found(&environment, &name));
    }
    tx.commit().await?;
    control.nudge();
    control.nudge_runner();
    Ok(operation)
}
