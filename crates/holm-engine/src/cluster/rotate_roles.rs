//! Gives the roles of every tenant of a cluster new passwords: an operation of its own for each tenant, as its children.
//!
//! Promises: a tenant that is being changed by another operation is left out and counted; one that fails keeps nobody else
//! from being done. Cancelled, the children that are not past their point of no return are undone.

use std::time::Duration;

use holm_core::actor::{Actor, SystemActor};
use holm_core::audit::{AuditAction, Subject};
use holm_core::cluster::ClusterName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, OperationId};
use holm_store::cluster::{self, Cluster};
use holm_store::operation;
use holm_store::tenant;
use holm_store::tx::Tx;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use crate::control::Control;
use crate::operation::acting::Acting;
use crate::operation::definition::{Act, Flow, Operation, RETRY_FOR, Step, StepError, Stepped, Undo};
use crate::operation::people::{self, Word};
use crate::operation::request::{Request, request};
use crate::tenant::rotate_roles;

/// For children that are being undone, before the step is put down and tried again.
const CHILDREN_PATIENCE: Duration = Duration::from_secs(20);

/// For the case that a signal was lost.
const LOOK: Duration = Duration::from_millis(500);

/// The operation.
pub(crate) struct RotateRoles;

/// What it knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    cluster: ClusterId,
    by: Actor,
    /// Tenants whose rotation was begun.
    begun: u64,
    /// Tenants that were being changed by something else.
    left_out: u64,
    /// Those that were begun and undone.
    failed: u64,
}

impl Operation for RotateRoles {
    type State = State;
    const KIND: &'static str = "cluster.rotate-roles";
    const ACTION: AuditAction = AuditAction::ClusterRotateRoles;
    const STEPS: &'static [Step<State>] = &[
        Step {
            name: "begin each tenant",
            act: Act::Catalog(|acting, tx, state| Box::pin(begin_each(acting, tx, state))),
            undo: Undo::Outside(|acting, _| Box::pin(cancel_each(acting))),
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "wait for tenants",
            act: Act::Outside(|acting, state| Box::pin(wait(acting, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
    ];
}

async fn begin_each(acting: &Acting, tx: &mut Tx, state: &mut State) -> Stepped {
    (state.begun, state.left_out) = (0, 0);
    for tenant in tenant::of_cluster(tx, state.cluster).await? {
        if !tenant.state.is_established() {
            continue;
        }
        match rotate_roles::ask(&acting.control, tx, state.by.clone(), &tenant, Some(acting.id)).await {
            Ok(_) => state.begun += 1,
            Err(problem) if problem.code == ErrorCode::OperationInProgress => state.left_out += 1,
            Err(problem) => return Err(problem.into()),
        }
    }
    Ok(Flow::Done)
}

async fn cancel_each(acting: &Acting) -> Result<(), StepError> {
    let by = Actor::system(SystemActor::Runner);
    for child in operation::unfinished_children(acting.control.catalog(), acting.id).await? {
        // One that is past its point of no return, or over by now, goes its way.
        match people::tell(&acting.control, &by, child, Word::Cancel { reason: None }).await {
            Err(problem) if problem.code != ErrorCode::OperationCannot => return Err(problem.into()),
            _ => {}
        }
    }
    // Most of them are undone at once; what takes longer is looked at again later.
    let (mut told, deadline) = (acting.control.told(), Instant::now() + CHILDREN_PATIENCE);
    loop {
        told.borrow_and_update();
        let left = acting.children().await?.unfinished;
        if left == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(StepError::Retry(Problem::new(ErrorCode::OperationGoesOn, format!("{left} tenants are not undone yet"))));
        }
        let _ = timeout(LOOK, told.changed()).await;
    }
}

async fn wait(acting: &Acting, state: &mut State) -> Stepped {
    let children = acting.children().await?;
    if children.unfinished > 0 {
        return Ok(Flow::WaitForChildren);
    }
    state.failed = children.failed;
    Ok(Flow::Done)
}

/// Begins a rotation, and returns the operation that does it.
///
/// # Errors
/// No such cluster, one that another operation works on as a whole, trouble with the catalog.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn rotate_roles(control: &Control, by: &Actor, name: &ClusterName) -> Result<OperationId, Problem> {
    control.tasks().finish("rotate a cluster's roles", begin(control.clone(), by.clone(), name.clone())).await
}

async fn begin(control: Control, by: Actor, name: ClusterName) -> Result<OperationId, Problem> {
    let found: Option<Cluster> = cluster::by_name(control.catalog(), &name).await?;
    let found = found.ok_or_else(|| {
        Problem::new(ErrorCode::ClusterNotFound, format!("there is no cluster called `{name}`"))
            .next("see which there are: `holm cluster list`")
    })?;
    if found.adopted.is_some() {
        return Err(Problem::new(ErrorCode::ClusterRefused, format!("the roles on cluster `{name}` are not Holm's to change"))
            .because("its database was brought by URL"));
    }
    let environment = crate::environment::show(&control, &found.environment).await?;
    let mut tx = control.catalog().transaction().await?;
    let wanted = Request {
        by: by.clone(),
        environment: Some((environment.id, environment.name)),
        // Its children work there; it only waits.
        cluster: None,
        subject: format!("cluster `{name}`"),
        audited: Subject::Cluster(found.id),
        holds: vec![found.id.as_uuid()],
        parent: None,
        reason: None,
        deadline: None,
        state: State { cluster: found.id, by, begun: 0, left_out: 0, failed: 0 },
    };
    let operation = request::<RotateRoles>(&mut tx, wanted).await?;
    tx.commit().await?;
    control.nudge_runner();
    Ok(operation)
}
