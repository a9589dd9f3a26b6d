//! Deletes a tenant: closed at once, kept whole for a grace period, then dropped with its database, roles and credentials.
//! A database that somebody brought is forgotten and left as it is.
//!
//! Promises: until the grace period is over [`undelete`] brings everything back; after it nothing of the tenant is left on
//! its cluster. Refuses a tenant that another operation is changing, and one that is still being created.

use std::time::Duration;

use holm_core::actor::Actor;
use holm_core::approval::guarded::Guarded;
use holm_core::audit::{AuditAction, Reason, Subject};
use holm_core::cluster::state::ClusterEvent;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, DatabaseId, OperationId, TenantId};
use holm_core::role::DatabaseName;
use holm_core::slug::TenantSlug;
use holm_core::tenant::{TenantEvent, TenantState};
use holm_store::cluster::life;
use holm_store::tenant::version::TenantVersion;
use holm_store::tenant::{self, Moved, Tenant};
use holm_store::tx::Tx;
use holm_store::{data_key, database, state::Update};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::approval::rule::{self, Act as Guard};
use crate::cluster::{condemn, lock};
use crate::control::{CONFIRM_PATIENCE, Control};
use crate::environment;
use crate::operation::acting::Acting;
use crate::operation::definition::{Act, Flow, Operation, RETRY_FOR, Step, StepError, Stepped, Undo};
use crate::operation::people::{self, Word};
use crate::operation::request::{Request, request};
use crate::operation::show;
use crate::tenant::unchanged::{changed, unchanged};

/// How long a deleted tenant can be brought back when nothing else was said: a month and what is left of a weekend.
pub const GRACE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A year. Whoever wants longer wants a suspended tenant.
const GRACE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// The operation.
pub(crate) struct Delete;

/// What it knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    tenant: TenantId,
    database: DatabaseId,
    name: DatabaseName,
    cluster: ClusterId,
    /// Whether somebody brought its database: then that is left as it is.
    #[serde(default)]
    adopted: bool,
    /// When it is dropped.
    until: Timestamp,
    /// In which state it was.
    was: Option<TenantState>,
}

impl Operation for Delete {
    type State = State;
    const KIND: &'static str = "tenant.delete";
    const ACTION: AuditAction = AuditAction::TenantDelete;
    const STEPS: &'static [Step<State>] = &[
        Step {
            name: "close",
            act: Act::Catalog(|_, tx, state| Box::pin(close(tx, state))),
            undo: Undo::Catalog(|_, tx, state| Box::pin(reopen(tx, state))),
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "end sessions",
            act: Act::Outside(|acting, _| Box::pin(confirm(acting))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step { name: "grace", act: Act::Wait(|state| state.until), undo: Undo::Nothing, retry_for: RETRY_FOR, no_return: false },
        Step {
            name: "give up",
            act: Act::Catalog(|_, tx, state| Box::pin(give_up(tx, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: true,
        },
        Step {
            name: "drop database",
            act: Act::Outside(|acting, state| Box::pin(drop_database(acting, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "forget",
            act: Act::Catalog(|_, tx, state| Box::pin(forget(tx, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
    ];
}

async fn close(tx: &mut Tx, state: &mut State) -> Stepped {
    match tenant::tell_one(tx, state.tenant, TenantEvent::Delete).await? {
        Moved::To { from, .. } => {
            state.was = Some(from);
            Ok(Flow::Done)
        }
        Moved::Absent => Err(StepError::Fatal(Problem::new(ErrorCode::TenantNotFound, format!("{} is gone", state.tenant)))),
        Moved::Refused(now) => {
            let what = format!("{} cannot be deleted while it is {now}", state.tenant);
            Err(StepError::Fatal(Problem::new(ErrorCode::TenantState, what)))
        }
    }
}

/// What it was before: suspended stays suspended, and paused waits again.
async fn reopen(tx: &mut Tx, state: &State) -> Result<(), StepError> {
    let Some(was) = state.was else { return Ok(()) };
    let _ = tenant::tell_one(tx, state.tenant, TenantEvent::Undelete).await?;
    if was != TenantState::Suspended {
        let _ = tenant::tell_one(tx, state.tenant, TenantEvent::Resume).await?;
    }
    if was == TenantState::Paused {
        let _ = tenant::tell_one(tx, state.tenant, TenantEvent::Pause).await?;
    }
    Ok(())
}

async fn confirm(acting: &Acting) -> Stepped {
    acting.control.confirmed_now(CONFIRM_PATIENCE).await?;
    Ok(Flow::Done)
}

async fn give_up(tx: &mut Tx, state: &mut State) -> Stepped {
    // What they sealed is shredded with them, in backups too (ADR-0008). First, while it is known whose they are.
    data_key::destroy_of_tenant(tx, state.tenant).await?;
    match tenant::drop_one(tx, state.tenant).await? {
        Update::Done | Update::Absent => Ok(Flow::Done),
        Update::Refused(now) => {
            let what = format!("{} cannot be dropped while it is {now}", state.tenant);
            Err(StepError::Retry(Problem::new(ErrorCode::TenantState, what)))
        }
    }
}

async fn drop_database(acting: &Acting, state: &mut State) -> Stepped {
    if state.adopted {
        return Ok(Flow::Done);
    }
    // The reconciler that removes condemned databases may have been here first.
    if database::by_id(acting.control.catalog(), state.database).await?.is_none() {
        return Ok(Flow::Done);
    }
    let site = acting.site(state.cluster).await?;
    lock::one_from_the_still(&site.admin, state.database.as_uuid()).await.map_err(|error| site.retry(&error))?;
    // Roles that others refer to are locked here, and removed by the reconciler when they can be.
    let _ = condemn::remove(&site.admin, &state.name).await.map_err(|error| site.retry(&error))?;
    site.leave().await;
    Ok(Flow::Done)
}

async fn forget(tx: &mut Tx, state: &mut State) -> Stepped {
    let _ = database::forget(tx, state.database).await?;
    if state.adopted {
        // It had room for this one.
        let _ = life::tell(tx, state.cluster, ClusterEvent::LetGo).await?;
    }
    Ok(Flow::Done)
}

/// Deletes a tenant, and returns the operation that does. When it is past its second step no session is open any more.
///
/// # Errors
/// No such tenant, one that is being created or changed by another operation, a grace period beyond a year, an approval that
/// is demanded and not there, trouble with the catalog.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn delete(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    grace: Duration,
    reason: Option<Reason>,
) -> Result<OperationId, Problem> {
    delete_at(control, by, environment, slug, grace, reason, None).await
}

/// As [`delete`], if the tenant is as the caller saw it.
///
/// # Errors
/// As with [`delete`]; [`ErrorCode::PreconditionFailed`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn delete_at(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    grace: Duration,
    reason: Option<Reason>,
    seen: Option<TenantVersion>,
) -> Result<OperationId, Problem> {
    let act = begin(control.clone(), by.clone(), environment.clone(), slug.clone(), grace, reason, seen);
    control.tasks().finish("delete a tenant", act).await
}

async fn begin(
    control: Control,
    by: Actor,
    environment: EnvironmentName,
    slug: TenantSlug,
    grace: Duration,
    reason: Option<Reason>,
    seen: Option<TenantVersion>,
) -> Result<OperationId, Problem> {
    if grace > GRACE_MAX {
        return Err(Problem::new(ErrorCode::InvalidValue, "a grace period is a year at the most")
            .next(format!("suspend it instead: `holm tenant suspend {slug} --env {environment}`")));
    }
    let tenant = environment::tenant(&control, &environment, &slug).await?;
    enqueue(&control, by, &tenant, Wish { grace, reason, seen }).await
}

/// How a tenant is to be deleted.
struct Wish {
    grace: Duration,
    reason: Option<Reason>,
    seen: Option<TenantVersion>,
}

/// Deletes a tenant without a grace period, if it is still as it was read.
///
/// # Errors
/// As with [`delete`]; [`ErrorCode::PreconditionFailed`].
///
/// # Cancel safety
/// Safe: one transaction.
pub(crate) async fn at_once(control: &Control, by: Actor, tenant: &Tenant, reason: Reason) -> Result<OperationId, Problem> {
    let seen = Some(TenantVersion::of(tenant));
    enqueue(control, by, tenant, Wish { grace: Duration::ZERO, reason: Some(reason), seen }).await
}

async fn enqueue(control: &Control, by: Actor, tenant: &Tenant, wish: Wish) -> Result<OperationId, Problem> {
    let (Tenant { slug, environment, .. }, Wish { grace, reason, seen }) = (tenant, wish);
    if !tenant.state.is_established() {
        return Err(refused(tenant));
    }
    let id = tenant.database_id.ok_or_else(|| refused(tenant))?;
    let database = database::by_id(control.catalog(), id).await?.ok_or_else(|| refused(tenant))?;
    let mut tx = control.catalog().transaction().await?;
    unchanged(&mut tx, environment, slug, seen).await?;
    let now = holm_store::operation::now(&mut tx).await?;
    let grace = SignedDuration::try_from(grace).expect("a year at the most");
    let until = now.saturating_add(grace).expect("a year from now");
    let adopted = database.is_adopted();
    let state = State { tenant: tenant.id, database: id, name: database.name, cluster: database.cluster, adopted, until, was: None };
    let content = words(tenant, adopted, grace);
    let wanted = Request {
        by: by.clone(),
        environment: Some((tenant.environment_id, environment.clone())),
        cluster: Some(database.cluster),
        subject: format!("tenant `{slug}` in `{environment}`"),
        audited: Subject::Tenant(tenant.id),
        holds: vec![tenant.id.as_uuid()],
        parent: None,
        reason,
        deadline: None,
        state,
    };
    let operation = request::<Delete>(&mut tx, wanted).await?;
    // Last, so that nobody is asked to agree to what is refused anyway.
    rule::heed(&mut tx, Guard { by: &by, environment, is: &[Guarded::TenantDelete], content, operation }).await?;
    tx.commit().await?;
    control.nudge_runner();
    Ok(operation)
}

/// What somebody agrees to, where an approval is demanded.
fn words(tenant: &Tenant, adopted: bool, grace: SignedDuration) -> String {
    let Tenant { slug, id, environment, .. } = tenant;
    let end = if adopted { "forgotten with its database left as it is" } else { "dropped with all its data" };
    match grace.as_secs() {
        0 => format!("delete tenant {slug} ({id}) of {environment}: {end} at once"),
        seconds if seconds % 86_400 == 0 => format!("delete tenant {slug} ({id}) of {environment}: {end} after {} d", seconds / 86_400),
        seconds => format!("delete tenant {slug} ({id}) of {environment}: {end} after {seconds} s"),
    }
}

fn refused(tenant: &Tenant) -> Problem {
    let Tenant { slug, environment, state, .. } = tenant;
    Problem::new(ErrorCode::TenantState, format!("tenant `{slug}` in `{environment}` cannot be deleted while it is {state}"))
        .next(format!("look at it: `holm tenant show {slug} --env {environment}`"))
}

/// Brings a deleted tenant back, as long as its grace period is not over.
///
/// # Errors
/// No such tenant, one that is not deleted, [`ErrorCode::OperationCannot`] when it is too late, trouble with the catalog
/// or the data plane.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn undelete(control: &Control, by: &Actor, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Tenant, Problem> {
    undelete_at(control, by, environment, slug, None).await
}

/// As [`undelete`], if the tenant is as the caller saw it.
///
/// # Errors
/// As with [`undelete`]; [`ErrorCode::PreconditionFailed`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn undelete_at(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    seen: Option<TenantVersion>,
) -> Result<Tenant, Problem> {
    let tenant = environment::tenant(control, environment, slug).await?;
    if seen.is_some_and(|seen| seen != TenantVersion::of(&tenant)) {
        return Err(changed(environment, slug));
    }
    let deleting = holm_store::operation::holding(control.catalog(), tenant.id.as_uuid()).await?;
    let Some(deleting) = deleting.filter(|operation| operation.kind.as_str() == Delete::KIND) else {
        return Err(Problem::new(ErrorCode::TenantState, format!("tenant `{slug}` in `{environment}` is not deleted"))
            .because(format!("it is {}", tenant.state)));
    };
    // Only this operation changes the tenant as long as it has it in hand: its journal is the version to go on from.
    let journal = seen.map(|_| deleting.last_seq);
    people::tell_at(control, by, deleting.id, Word::Cancel { reason: None }, journal).await?;
    let over = show::wait(control, deleting.id, None, CONFIRM_PATIENCE).await?;
    if over.state != holm_core::operation::OperationState::Undone {
        return Err(show::goes_on(&over));
    }
    control.confirmed_now(CONFIRM_PATIENCE).await?;
    environment::tenant(control, environment, slug).await
}
