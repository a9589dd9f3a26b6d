//! Empties a cluster: no tenant and no pool member is placed there any more, the pool goes, and the tenants are waited for.
//!
//! Promises: from the first step on nothing new comes; what is there stays in use until it is deleted. Until the last step it
//! can be cancelled, and tenants come again. Refuses to move anybody: the tenants that remain are counted and waited for.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Reason, Subject};
use holm_core::cluster::ClusterName;
use holm_core::cluster::state::{ClusterEvent, ClusterState};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, OperationId};
use holm_store::cluster::{Cluster, life};
use holm_store::operation::journal::{self, Held};
use holm_store::state::Update;
use holm_store::tx::Tx;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{add, named};
use crate::control::Control;
use crate::operation::acting::{Acting, Progress};
use crate::operation::definition::{Act, Flow, Operation, RETRY_FOR, Step, StepError, Stepped, Undo};
use crate::operation::request::{Request, request};

/// Between looks at what remains: an eighth of the time that was waited already, so that the last tenant is noticed soon
/// and a month of waiting is some thousand rows of the journal.
const LOOK_MIN: SignedDuration = SignedDuration::from_secs(1);
const LOOK_MAX: SignedDuration = SignedDuration::from_secs(300);

/// The operation.
pub(crate) struct Drain;

/// What it knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    cluster: ClusterId,
    name: ClusterName,
    /// Since when nothing new comes.
    since: Option<Timestamp>,
    /// How many tenants there were then.
    tenants: u64,
}

impl Operation for Drain {
    type State = State;
    const KIND: &'static str = "cluster.drain";
    const ACTION: AuditAction = AuditAction::ClusterDrain;
    const STEPS: &'static [Step<State>] = &[
        Step {
            name: "close",
            act: Act::Catalog(|acting, tx, state| Box::pin(close(acting, tx, state))),
            undo: Undo::Catalog(|_, tx, state| Box::pin(reopen(tx, state))),
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "empty pool",
            act: Act::Outside(|acting, state| Box::pin(empty_pool(acting, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "tenants",
            act: Act::Outside(|acting, state| Box::pin(await_tenants(acting, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "empty",
            act: Act::Outside(|acting, state| Box::pin(empty(acting, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "drained",
            act: Act::Catalog(|_, tx, state| Box::pin(drained(tx, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
    ];
}

async fn close(acting: &Acting, tx: &mut Tx, state: &mut State) -> Stepped {
    match life::tell(tx, state.cluster, ClusterEvent::Drain).await? {
        Update::Done => {}
        Update::Absent => {
            return Err(StepError::Fatal(Problem::new(ErrorCode::ClusterNotFound, format!("cluster `{}` is gone", state.name))));
        }
        Update::Refused(now) => return Err(StepError::Fatal(not_now(&state.name, now, "drained"))),
    }
    turn_away(tx, state).await?;
    state.tenants = life::residents_within(tx, state.cluster).await?.len() as u64;
    state.since = Some(acting.now());
    Ok(Flow::Done)
}

/// Those that wait for a database here, and may have none elsewhere. Those that Holm placed here it places again (`tenant::waiting`).
async fn turn_away(tx: &mut Tx, state: &State) -> Result<(), StepError> {
    let failure =
        Problem::new(ErrorCode::ClusterClosed, format!("cluster `{}` was drained before it had a database for this tenant", state.name))
            .next("create it again, on another cluster: its name is free");
    Ok(life::turn_away(tx, state.cluster, &failure).await?)
}

async fn reopen(tx: &mut Tx, state: &State) -> Result<(), StepError> {
    let _ = life::tell(tx, state.cluster, ClusterEvent::Reopen).await?;
    Ok(())
}

/// What is condemned and retired goes now; the reconciler would do the same a moment later.
async fn empty_pool(acting: &Acting, state: &mut State) -> Stepped {
    let site = acting.site(state.cluster).await?;
    add::empty(acting, &site).await?;
    site.leave().await;
    Ok(Flow::Done)
}

async fn await_tenants(acting: &Acting, state: &mut State) -> Stepped {
    let residents = life::residents(acting.control.catalog(), state.cluster).await?;
    if residents.iter().any(|resident| resident.asked_for) {
        turn_latecomers_away(acting, state).await?;
    }
    let left = residents.len() as u64;
    acting.progress(Progress { done: state.tenants.saturating_sub(left), of: state.tenants.max(left), unit: "tenants" }).await;
    if left == 0 { Ok(Flow::Done) } else { Ok(Flow::WaitUntil(next_look(acting, state))) }
}

/// Who named the cluster, found it open and was written down just after it was closed would wait for ever. Under the lease, since a
/// cluster that was opened again meanwhile is to be waited for.
async fn turn_latecomers_away(acting: &Acting, state: &State) -> Result<(), StepError> {
    let mut tx = acting.control.catalog().transaction().await?;
    if journal::hold(&mut tx, acting.id, acting.epoch).await? == Held::Lost {
        return Err(StepError::Lost);
    }
    turn_away(&mut tx, state).await?;
    tx.commit().await?;
    acting.control.nudge();
    Ok(())
}

/// What the last tenants left: their databases are dropped by their own deletion, roles that others referred to by now.
async fn empty(acting: &Acting, state: &mut State) -> Stepped {
    empty_pool(acting, state).await?;
    if life::is_empty(acting.control.catalog(), state.cluster).await? {
        return Ok(Flow::Done);
    }
    Ok(Flow::WaitUntil(next_look(acting, state)))
}

fn next_look(acting: &Acting, state: &State) -> Timestamp {
    let now = acting.now();
    let waited = state.since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
    now.saturating_add((waited / 8).clamp(LOOK_MIN, LOOK_MAX)).expect("minutes from now")
}

async fn drained(tx: &mut Tx, state: &mut State) -> Stepped {
    let _ = life::tell(tx, state.cluster, ClusterEvent::Emptied).await?;
    Ok(Flow::Done)
}

pub(super) fn not_now(name: &ClusterName, state: ClusterState, what: &str) -> Problem {
    Problem::new(ErrorCode::ClusterClosed, format!("cluster `{name}` cannot be {what} while it is {state}"))
        .next(format!("see how far it is: `holm cluster show {name}`"))
}

/// One that is there for a database that somebody brought goes with its tenant.
pub(super) fn refuse_adopted(cluster: &Cluster, what: &str) -> Result<(), Problem> {
    if cluster.adopted.is_none() {
        return Ok(());
    }
    let name = &cluster.name;
    Err(Problem::new(ErrorCode::ClusterClosed, format!("cluster `{name}` cannot be {what}"))
        .because("it has room for one database, which somebody brought, and goes with its tenant")
        .next(format!("delete the tenant, which leaves the database as it is; it is the one on it: `holm cluster show {name}`")))
}

/// Drains a cluster, and returns the operation that does.
///
/// # Errors
/// No such cluster, one that is not open or is changed by another operation, trouble with the catalog.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn drain(control: &Control, by: &Actor, name: &ClusterName, reason: Option<Reason>) -> Result<OperationId, Problem> {
    control.tasks().finish("drain a cluster", begin(control.clone(), by.clone(), name.clone(), reason)).await
}

async fn begin(control: Control, by: Actor, name: ClusterName, reason: Option<Reason>) -> Result<OperationId, Problem> {
    let cluster = named(&control, &name).await?;
    refuse_adopted(&cluster, "drained")?;
    if cluster.state != ClusterState::Open {
        return Err(not_now(&name, cluster.state, "drained"));
    }
    let state = State { cluster: cluster.id, name: name.clone(), since: None, tenants: 0 };
    let wanted = Request {
        by,
        environment: Some((cluster.environment_id, cluster.environment.clone())),
        cluster: Some(cluster.id),
        subject: format!("cluster `{name}` in `{}`", cluster.environment),
        audited: Subject::Cluster(cluster.id),
        holds: vec![cluster.id.as_uuid()],
        parent: None,
        reason,
        deadline: None,
        state,
    };
    let mut tx = control.catalog().transaction().await?;
    let operation = request::<Drain>(&mut tx, wanted).await?;
    tx.commit().await?;
    control.nudge_runner();
    Ok(operation)
}
