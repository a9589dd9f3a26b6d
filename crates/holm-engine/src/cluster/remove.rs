//! Forgets a cluster: what Holm closed there is opened again, then its password and everything about it are gone.
//!
//! Promises: a cluster with a tenant on it is refused, and so is one that was not drained; until the last step it can be
//! cancelled. Abandoned, a server is forgotten without a look at it, for one that is gone for good: its tenants are given
//! up, which nothing brings back, and who they are is said before. Those that wait for a database there by Holm's choice are placed
//! elsewhere.

use holm_core::actor::Actor;
use holm_core::approval::guarded::Guarded;
use holm_core::audit::{AuditAction, Reason, Subject};
use holm_core::cluster::ClusterName;
use holm_core::cluster::state::{ClusterEvent, ClusterState};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, OperationId};
use holm_core::tenant::TenantEvent;
use holm_store::cluster::Cluster;
use holm_store::cluster::life::{self, Resident};
use holm_store::state::Update;
use holm_store::tenant;
use holm_store::tx::Tx;
use serde::{Deserialize, Serialize};

use super::drain::{not_now, refuse_adopted};
use super::{add, guard, named};
use crate::approval::rule::{self, Act as Guard};
use crate::control::{CONFIRM_PATIENCE, Control};
use crate::doctor::names;
use crate::operation::acting::Acting;
use crate::operation::definition::{Act, Flow, Operation, RETRY_FOR, Step, StepError, Stepped, Undo};
use crate::operation::request::{Request, request};

/// The operation.
pub(crate) struct Remove;

/// What it knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    cluster: ClusterId,
    name: ClusterName,
    /// Whether the server is left alone, whatever is on it.
    abandon: bool,
}

impl Operation for Remove {
    type State = State;
    const KIND: &'static str = "cluster.remove";
    const ACTION: AuditAction = AuditAction::ClusterRemove;
    const STEPS: &'static [Step<State>] = &[
        Step {
            name: "give back",
            act: Act::Outside(|acting, state| Box::pin(give_back(acting, state))),
            undo: Undo::Outside(|acting, state| Box::pin(take_again(acting, state))),
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "forget",
            act: Act::Catalog(|_, tx, state| Box::pin(forget(tx, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: true,
        },
        Step {
            name: "routes",
            act: Act::Outside(|acting, _| Box::pin(confirm(acting))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
    ];
}

async fn give_back(acting: &Acting, state: &mut State) -> Stepped {
    if state.abandon {
        return Ok(Flow::Done);
    }
    let site = acting.site(state.cluster).await?;
    add::empty(acting, &site).await?;
    guard::reopen(&site.admin, &site.cluster.public_before).await.map_err(|error| site.retry(&error))?;
    site.leave().await;
    Ok(Flow::Done)
}

/// It is Holm's again, as it was while it was drained.
async fn take_again(acting: &Acting, state: &State) -> Result<(), StepError> {
    if state.abandon || holm_store::cluster::by_id(acting.control.catalog(), state.cluster).await?.is_none() {
        return Ok(());
    }
    let site = acting.site(state.cluster).await?;
    guard::close_to_public(&site.admin).await.map_err(|error| site.retry(&error))?;
    site.leave().await;
    Ok(())
}

async fn forget(tx: &mut Tx, state: &mut State) -> Stepped {
    if state.abandon {
        give_up_tenants(tx, state).await?;
        let _ = life::tell(tx, state.cluster, ClusterEvent::LetGo).await?;
        return Ok(Flow::Done);
    }
    match life::tell(tx, state.cluster, ClusterEvent::Forget).await? {
        Update::Done | Update::Absent => Ok(Flow::Done),
        Update::Refused(now) => Err(StepError::Retry(not_now(&state.name, now, "removed"))),
    }
}

/// Whatever state they are in: their data is where nobody gets at it any more. Who goes elsewhere is placed again (`tenant::waiting`).
async fn give_up_tenants(tx: &mut Tx, state: &State) -> Result<(), StepError> {
    let failure = Problem::new(ErrorCode::ClusterClosed, format!("cluster `{}` was abandoned", state.name));
    for resident in Residents::of(life::residents_within(tx, state.cluster).await?).stay {
        if let tenant::Moved::Refused(_) = tenant::tell_one(tx, resident.id, TenantEvent::Delete).await? {
            // Being created, or deleted already.
            let _ = tenant::fail(tx, resident.id, &failure).await?;
        }
        let _ = tenant::drop_one(tx, resident.id).await?;
    }
    Ok(())
}

async fn confirm(acting: &Acting) -> Stepped {
    acting.control.confirmed_now(CONFIRM_PATIENCE).await?;
    Ok(Flow::Done)
}

/// What becomes of a server that is removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// It is left in order; nothing of Holm's is on it.
    InOrder,
    /// It is left as it is, and so are the tenants on it.
    Abandoned,
}

/// Removes a cluster, and returns the operation that does.
///
/// # Errors
/// No such cluster; in order, [`ErrorCode::ClusterInUse`] with its tenants and [`ErrorCode::ClusterClosed`] if it is not
/// drained; one that another operation is changing; an approval that is demanded and not there; trouble with the catalog.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn remove(
    control: &Control,
    by: &Actor,
    name: &ClusterName,
    manner: Manner,
    reason: Option<Reason>,
) -> Result<OperationId, Problem> {
    control.tasks().finish("remove a cluster", begin(control.clone(), by.clone(), name.clone(), manner, reason)).await
}

/// Who is on a cluster, with a database or waiting for one.
struct Residents {
    /// Those that are given up with it.
    stay: Vec<Resident>,
    /// Those that wait, and for whom nobody named it.
    go: Vec<Resident>,
}

impl Residents {
    fn of(all: Vec<Resident>) -> Self {
        let (go, stay) = all.into_iter().partition(Resident::goes_elsewhere);
        Self { stay, go }
    }

    /// How many are given up, and which.
    fn staying(&self) -> String {
        let tenants = if self.stay.len() == 1 { "tenant" } else { "tenants" };
        format!("{} {tenants}: {}", self.stay.len(), listed(&self.stay))
    }
}

/// Some of their names, and how many have nothing there yet.
fn listed(residents: &[Resident]) -> String {
    let named = names(residents.iter().map(|resident| resident.slug.to_string()));
    match residents.iter().filter(|resident| resident.waits).count() {
        0 => named,
        waiting => format!("{named}, of which {waiting} without a database yet"),
    }
}

/// What goes with a cluster that is abandoned, for whoever is to say its name once more.
///
/// # Errors
/// No such cluster; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn goes_with(control: &Control, name: &ClusterName) -> Result<String, Problem> {
    let cluster = named(control, name).await?;
    let residents = Residents::of(life::residents(control.catalog(), cluster.id).await?);
    let given_up = match residents.stay.len() {
        0 => "no tenant is given up with it".to_owned(),
        _ => format!("given up with it, which nothing brings back: {}", residents.staying()),
    };
    Ok(match residents.go.len() {
        0 => given_up,
        waiting => {
            let named = names(residents.go.iter().map(|resident| resident.slug.to_string()));
            format!("{given_up}; {waiting} without a database yet, for which Holm chose it, are placed elsewhere: {named}")
        }
    })
}

async fn begin(control: Control, by: Actor, name: ClusterName, manner: Manner, reason: Option<Reason>) -> Result<OperationId, Problem> {
    let cluster = named(&control, &name).await?;
    if manner == Manner::InOrder {
        refuse(&control, &cluster).await?;
    }
    let state = State { cluster: cluster.id, name: name.clone(), abandon: manner == Manner::Abandoned };
    let mut tx = control.catalog().transaction().await?;
    let residents = Residents::of(life::residents_within(&mut tx, cluster.id).await?);
    let wanted = Request {
        by: by.clone(),
        environment: Some((cluster.environment_id, cluster.environment.clone())),
        // Nothing is done on a server that is abandoned, and nothing there may keep it.
        cluster: Some(cluster.id).filter(|_| manner == Manner::InOrder),
        subject: subject(&cluster, manner, &residents),
        audited: Subject::Cluster(cluster.id),
        holds: vec![cluster.id.as_uuid()],
        parent: None,
        reason,
        deadline: None,
        state,
    };
    let operation = request::<Remove>(&mut tx, wanted).await?;
    let (content, is) = words(&cluster, manner, &residents);
    rule::heed(&mut tx, Guard { by: &by, environment: &cluster.environment, is, content, operation }).await?;
    tx.commit().await?;
    control.nudge_runner();
    Ok(operation)
}

fn subject(cluster: &Cluster, manner: Manner, residents: &Residents) -> String {
    let cluster = format!("cluster `{}` in `{}`", cluster.name, cluster.environment);
    if manner == Manner::InOrder || residents.stay.is_empty() { cluster } else { format!("{cluster} with {}", residents.staying()) }
}

/// What somebody agrees to, where an approval is demanded. Abandoning ends tenants, which is not to be had for less than
/// deleting them.
fn words(cluster: &Cluster, manner: Manner, residents: &Residents) -> (String, &'static [Guarded]) {
    let Cluster { name, id, environment, .. } = cluster;
    match manner {
        Manner::InOrder => (format!("remove cluster {name} ({id}) of {environment}"), &[Guarded::ClusterRemove]),
        Manner::Abandoned => {
            let tenants = if residents.stay.is_empty() { "no tenant".to_owned() } else { residents.staying() };
            let words = format!("abandon cluster {name} ({id}) of {environment} and give up for good {tenants}");
            (words, &[Guarded::ClusterRemove, Guarded::TenantDelete])
        }
    }
}

async fn refuse(control: &Control, cluster: &Cluster) -> Result<(), Problem> {
    let (name, environment) = (&cluster.name, &cluster.environment);
    refuse_adopted(cluster, "removed")?;
    let residents = life::residents(control.catalog(), cluster.id).await?;
    let tenants = residents.len();
    if tenants > 0 {
        let are = if tenants == 1 { "tenant is" } else { "tenants are" };
        return Err(Problem::new(ErrorCode::ClusterInUse, format!("cluster `{name}` cannot be removed: {tenants} {are} on it"))
            .because(listed(&residents))
            .next(format!("drain it, which waits until they are gone: `holm cluster drain {name} --env {environment}`"))
            .next(format!(
                "if the server is gone for good, give them up with it: `holm cluster remove {name} --env {environment} --abandon`"
            )));
    }
    if cluster.state != ClusterState::Drained {
        return Err(
            not_now(name, cluster.state, "removed").next(format!("drain it first: `holm cluster drain {name} --env {environment}`"))
        );
    }
    Ok(())
}
