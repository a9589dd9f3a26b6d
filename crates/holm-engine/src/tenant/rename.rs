//! Renames a tenant: a new slug, and with it a new subdomain; the old one is kept for it, and leads there, for a while.
//!
//! Promises: nobody else gets the old name before its time is over; sessions that are open stay open; when the operation
//! is over every node of the data plane knows both names. Refuses a name that is in use, or kept for another tenant.
//! Deliberately absent: a change of the database's name, which tells nothing of the slug.

use std::time::Duration;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Reason, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{OperationId, TenantId};
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use holm_store::tenant::Tenant;
use holm_store::tenant::name::{self, Alias, Renamed};
use holm_store::tenant::version::TenantVersion;
use holm_store::tx::Tx;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::control::{CONFIRM_PATIENCE, Control};
use crate::environment;
use crate::operation::acting::Acting;
use crate::operation::definition::{Act, Flow, Operation, RETRY_FOR, Step, StepError, Stepped, Undo};
use crate::operation::request::{Request, request};
use crate::tenant::unchanged::unchanged;

/// How long the old name is kept when nothing else was said: as long as a deleted tenant is.
pub const GRACE: Duration = super::delete::GRACE;

/// A year. Whoever wants longer wants two names, which a tenant does not have.
const GRACE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// The operation.
pub(crate) struct Rename;

/// What it knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    tenant: TenantId,
    environment: EnvironmentName,
    from: TenantSlug,
    to: TenantSlug,
    /// Until when the old name is kept.
    until: Timestamp,
    /// Until when the new one was kept for it already, if it was.
    kept: Option<Timestamp>,
    /// Who renamed it, as whoever wants the old name is told.
    by: Value,
}

impl State {
    const fn change(&self) -> name::Rename<'_> {
        let Self { tenant, from, to, until, kept, by, .. } = self;
        name::Rename { tenant: *tenant, from, to, until: *until, kept: *kept, by }
    }
}

impl Operation for Rename {
    type State = State;
    const KIND: &'static str = "tenant.rename";
    const ACTION: AuditAction = AuditAction::TenantRename;
    const STEPS: &'static [Step<State>] = &[
        Step {
            name: "rename",
            act: Act::Catalog(|_, tx, state| Box::pin(rename_one(tx, state))),
            undo: Undo::Catalog(|_, tx, state| Box::pin(rename_back(tx, state))),
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
    ];
}

async fn rename_one(tx: &mut Tx, state: &mut State) -> Stepped {
    let State { tenant, environment, from, to, .. } = &*state;
    let refused = match name::rename(tx, &state.change()).await? {
        Renamed::Done => return Ok(Flow::Done),
        Renamed::Absent => Problem::new(ErrorCode::TenantNotFound, format!("{tenant} is gone")),
        Renamed::Refused(now) => not_now(environment, from, now),
        Renamed::Taken => taken(environment, to),
        Renamed::Reserved(alias) => reserved(environment, &alias),
    };
    Err(StepError::Fatal(refused))
}

async fn rename_back(tx: &mut Tx, state: &State) -> Result<(), StepError> {
    Ok(name::rename_back(tx, &state.change()).await?)
}

async fn confirm(acting: &Acting) -> Stepped {
    acting.control.confirmed_now(CONFIRM_PATIENCE).await?;
    Ok(Flow::Done)
}

/// What a tenant is to be called.
#[derive(Clone, Debug)]
pub struct NewName {
    /// The name.
    pub to: TenantSlug,
    /// How long the old one is kept.
    pub grace: Duration,
    /// Why, as they say.
    pub reason: Option<Reason>,
}

/// Renames a tenant, and returns the operation that does. When it is past its first step the new name is the tenant's.
///
/// # Errors
/// No such tenant, one that is being created or changed by another operation, a name that is its own, in use or kept for
/// another tenant, a grace period beyond a year, trouble with the catalog.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn rename(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    new: NewName,
) -> Result<OperationId, Problem> {
    rename_at(control, by, environment, slug, new, None).await
}

/// As [`rename`], if the tenant is as the caller saw it.
///
/// # Errors
/// As with [`rename`]; [`ErrorCode::PreconditionFailed`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn rename_at(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    new: NewName,
    seen: Option<TenantVersion>,
) -> Result<OperationId, Problem> {
    let act = begin(control.clone(), by.clone(), environment.clone(), slug.clone(), new, seen);
    control.tasks().finish("rename a tenant", act).await
}

async fn begin(
    control: Control,
    by: Actor,
    environment: EnvironmentName,
    slug: TenantSlug,
    new: NewName,
    seen: Option<TenantVersion>,
) -> Result<OperationId, Problem> {
    if new.grace > GRACE_MAX {
        return Err(Problem::new(ErrorCode::InvalidValue, "an old name is kept for a year at the most"));
    }
    let tenant = environment::tenant(&control, &environment, &slug).await?;
    if new.to == slug {
        return Err(Problem::new(ErrorCode::InvalidValue, format!("tenant `{slug}` in `{environment}` is called that already")));
    }
    let mut tx = control.catalog().transaction().await?;
    unchanged(&mut tx, &environment, &slug, seen).await?;
    if let Some(other) = holm_store::operation::holder(&mut tx, &[tenant.id.as_uuid()]).await? {
        return Err(crate::operation::request::busy(&subject_of(&environment, &slug), &other));
    }
    if !tenant.state.is_established() {
        return Err(not_now(&environment, &slug, tenant.state));
    }
    let kept = free(&mut tx, &tenant, &new.to).await?;
    let now = holm_store::operation::now(&mut tx).await?;
    let grace = SignedDuration::try_from(new.grace).expect("a year at the most");
    let until = now.saturating_add(grace).expect("a year from now");
    let recorded = serde_json::to_value(&by).expect("an actor is JSON");
    let wanted = Request {
        by,
        environment: Some((tenant.environment_id, environment.clone())),
        cluster: None,
        subject: subject_of(&environment, &slug),
        audited: Subject::Tenant(tenant.id),
        holds: vec![tenant.id.as_uuid()],
        parent: None,
        reason: new.reason,
        deadline: None,
        state: State { tenant: tenant.id, environment, from: slug, to: new.to, until, kept, by: recorded },
    };
    let operation = request::<Rename>(&mut tx, wanted).await?;
    tx.commit().await?;
    control.nudge_runner();
    Ok(operation)
}

/// Asked again when it is taken; here so that whoever asks hears it at once. Returns until when the name is kept for this
/// very tenant, if it is.
async fn free(tx: &mut Tx, tenant: &Tenant, to: &TenantSlug) -> Result<Option<Timestamp>, Problem> {
    if name::is_taken(tx, tenant.environment_id, to, tenant.id).await? {
        return Err(taken(&tenant.environment, to));
    }
    match name::alias_within(tx, tenant.environment_id, to).await? {
        Some(alias) if alias.tenant != tenant.id => Err(reserved(&tenant.environment, &alias)),
        own => Ok(own.map(|alias| alias.until)),
    }
}

fn subject_of(environment: &EnvironmentName, slug: &TenantSlug) -> String {
    format!("tenant `{slug}` in `{environment}`")
}

fn not_now(environment: &EnvironmentName, slug: &TenantSlug, state: TenantState) -> Problem {
    Problem::new(ErrorCode::TenantState, format!("{} cannot be renamed while it is {state}", subject_of(environment, slug)))
        .next(format!("look at it: `holm tenant show {slug} --env {environment}`"))
}

pub(super) fn taken(environment: &EnvironmentName, slug: &TenantSlug) -> Problem {
    Problem::new(ErrorCode::SlugTaken, format!("a tenant called `{slug}` exists in `{environment}` already"))
        .next(format!("choose another name, or look at it: `holm tenant show {slug} --env {environment}`"))
}

/// Says until when, and whose rename it was: not what the tenant is called now, which is nobody's business here.
pub(super) fn reserved(environment: &EnvironmentName, alias: &Alias) -> Problem {
    let Alias { slug, until, renamed_by, .. } = alias;
    Problem::new(ErrorCode::SlugReserved, format!("the name `{slug}` in `{environment}` is kept until {until:.0}"))
        .because(format!("a tenant was called so until {} renamed it, and its old address still leads to it", who(renamed_by)))
        .next("choose another name, or wait until then")
}

/// An actor as it was recorded.
fn who(by: &Value) -> String {
    serde_json::from_value::<Actor>(by.clone()).map_or_else(|_| "somebody".to_owned(), |actor| format!("`{actor}`"))
}
