//! Gives the three roles of a tenant's database new passwords while it is in use (R59).
//!
//! Promises: no session fails for it: the data plane knows the next keys before a role has them, and the old ones until none
//! has. Open server connections go on, as PostgreSQL lets them. New passwords exist sealed in the catalog and as verifiers on
//! the cluster, and nowhere else.

use std::fmt::Write;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Subject};
use holm_core::credential::Level;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, DatabaseId, OperationId, TenantId};
use holm_core::key::KeyPurpose;
use holm_core::role::{DatabaseName, RoleName};
use holm_core::slug::TenantSlug;
use holm_store::data_key::KeyOwner;
use holm_store::database::{self, rotation};
use holm_store::sealed::Sealed;
use holm_store::tenant::Tenant;
use holm_store::tenant::version::TenantVersion;
use holm_store::tx::Tx;
use serde::{Deserialize, Serialize};

use crate::control::{CONFIRM_PATIENCE, Control};
use crate::environment;
use crate::operation::acting::Acting;
use crate::operation::definition::{Act, Flow, Operation, RETRY_FOR, Step, StepError, Stepped, Undo};
use crate::operation::request::{Request, request};
use crate::secret::logins::Logins;
use crate::secret::scram::PostgresVerifier;
use crate::tenant::unchanged::unchanged;

/// The operation.
pub(crate) struct RotateRoles;

/// What it knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    tenant: TenantId,
    database: DatabaseId,
    name: DatabaseName,
    cluster: ClusterId,
}

impl Operation for RotateRoles {
    type State = State;
    const KIND: &'static str = "tenant.rotate-roles";
    const ACTION: AuditAction = AuditAction::TenantRotateRoles;
    const STEPS: &'static [Step<State>] = &[
        Step {
            name: "make keys",
            act: Act::Catalog(|acting, tx, state| Box::pin(make_keys(acting, tx, state))),
            undo: Undo::Catalog(|_, tx, state| Box::pin(forget_keys(tx, state))),
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
        Step {
            name: "set passwords",
            act: Act::Outside(|acting, state| Box::pin(set_passwords(acting, state))),
            undo: Undo::Outside(|acting, state| Box::pin(set_passwords_back(acting, state))),
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "forget old keys",
            act: Act::Catalog(|_, tx, state| Box::pin(promote(tx, state))),
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

async fn make_keys(acting: &Acting, tx: &mut Tx, state: &mut State) -> Stepped {
    let logins = tokio::task::spawn_blocking(Logins::generate).await.expect("hashing does not panic");
    let sealing = acting.control.keys().for_owner(KeyOwner::Database(state.database), KeyPurpose::Logins).await?;
    sealing.keep(tx).await?;
    let sealed = Sealed::new(logins.seal(&sealing.key, state.database));
    if rotation::propose(tx, state.database, state.tenant, &sealed).await? {
        return Ok(Flow::Done);
    }
    Err(StepError::Fatal(Problem::new(ErrorCode::TenantState, format!("the database of {} is not in use any more", state.tenant))))
}

async fn forget_keys(tx: &mut Tx, state: &State) -> Result<(), StepError> {
    Ok(rotation::put_back(tx, state.database, state.tenant).await?)
}

async fn confirm(acting: &Acting) -> Stepped {
    acting.control.confirmed_now(CONFIRM_PATIENCE).await?;
    Ok(Flow::Done)
}

async fn set_passwords(acting: &Acting, state: &mut State) -> Stepped {
    let database = database::by_id(acting.control.catalog(), state.database).await?;
    let Some(next) = database.and_then(|database| database.next_sealed_logins) else {
        return Err(StepError::Retry(Problem::new(ErrorCode::Internal, "the next logins of a database are not in the catalog")));
    };
    set(acting, state, &next).await?;
    Ok(Flow::Done)
}

/// What the catalog has as the logins is what the roles had.
async fn set_passwords_back(acting: &Acting, state: &State) -> Result<(), StepError> {
    match database::by_id(acting.control.catalog(), state.database).await? {
        Some(database) => set(acting, state, &database.sealed_logins).await,
        None => Ok(()),
    }
}

/// One statement list is one transaction: the three roles change together.
async fn set(acting: &Acting, state: &State, sealed: &Sealed) -> Result<(), StepError> {
    let ring = acting.control.keys().ring(Vec::new(), [sealed.as_bytes()]).await?;
    let logins = Logins::unseal(&ring, state.database, sealed.as_bytes()).map_err(Problem::from)?;
    let mut sql = String::new();
    for level in Level::ALL {
        let (role, verifier) = (RoleName::of(&state.name, level), logins.of(level).verifier());
        write!(sql, "ALTER ROLE {} PASSWORD '{}';", role.as_ident(), PostgresVerifier(&verifier)).expect("writing to a string");
    }
    let site = acting.site(state.cluster).await?;
    site.admin.run("set the passwords of a tenant's roles", &sql).await.map_err(|error| site.retry(&error))?;
    site.leave().await;
    Ok(())
}

async fn promote(tx: &mut Tx, state: &mut State) -> Stepped {
    rotation::promote(tx, state.database, state.tenant).await?;
    Ok(Flow::Done)
}

/// Begins a rotation, and returns the operation that does it.
///
/// # Errors
/// No such tenant, one that is not in use or is being changed by another operation, trouble with the catalog.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn rotate_roles(control: &Control, by: &Actor, environment: &EnvironmentName, slug: &TenantSlug) -> Result<OperationId, Problem> {
    rotate_roles_at(control, by, environment, slug, None).await
}

/// As [`rotate_roles`], if the tenant is as the caller saw it.
///
/// # Errors
/// As with [`rotate_roles`]; [`ErrorCode::PreconditionFailed`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn rotate_roles_at(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    seen: Option<TenantVersion>,
) -> Result<OperationId, Problem> {
    let act = begin(control.clone(), by.clone(), environment.clone(), slug.clone(), seen);
    control.tasks().finish("rotate a tenant's roles", act).await
}

async fn begin(
    control: Control,
    by: Actor,
    environment: EnvironmentName,
    slug: TenantSlug,
    seen: Option<TenantVersion>,
) -> Result<OperationId, Problem> {
    let tenant = environment::tenant(&control, &environment, &slug).await?;
    let mut tx = control.catalog().transaction().await?;
    unchanged(&mut tx, &environment, &slug, seen).await?;
    let operation = ask(&control, &mut tx, by, &tenant, None).await?;
    tx.commit().await?;
    control.nudge_runner();
    Ok(operation)
}

/// Asks for it in a transaction of the caller's, perhaps as part of a greater operation.
pub(crate) async fn ask(
    control: &Control,
    tx: &mut Tx,
    by: Actor,
    tenant: &Tenant,
    parent: Option<OperationId>,
) -> Result<OperationId, Problem> {
    let Tenant { environment, slug, state, .. } = tenant;
    let refused = || {
        Problem::new(
            ErrorCode::TenantState,
            format!("the roles of tenant `{slug}` in `{environment}` cannot be rotated while it is {state}"),
        )
        .next(format!("look at it: `holm tenant show {slug} --env {environment}`"))
    };
    if !state.is_established() {
        return Err(refused());
    }
    let id = tenant.database_id.ok_or_else(refused)?;
    let database = database::by_id(control.catalog(), id).await?.ok_or_else(refused)?;
    if database.is_adopted() {
        return Err(Problem::new(
            ErrorCode::TenantState,
            format!("the roles of tenant `{slug}` in `{environment}` are not Holm's to change"),
        )
        .because("its database was brought by URL")
        .next("have the password changed there, and say the new one: `holm cluster set-server <cluster> --env … --server …`"));
    }
    let wanted = Request {
        by,
        environment: Some((tenant.environment_id, environment.clone())),
        cluster: Some(database.cluster),
        subject: format!("tenant `{slug}` in `{environment}`"),
        audited: Subject::Tenant(tenant.id),
        holds: vec![tenant.id.as_uuid()],
        parent,
        reason: None,
        deadline: None,
        state: State { tenant: tenant.id, database: id, name: database.name, cluster: database.cluster },
    };
    request::<RotateRoles>(tx, wanted).await
}
