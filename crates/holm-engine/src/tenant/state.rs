//! Suspends a tenant and lets it in again; a tenant that is paused is let go on by the same word.
//!
//! Promises: when suspending is acknowledged, every node of the data plane refuses new sessions and has closed the open
//! ones. Doing either twice is the same as once.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use holm_store::audit::record;
use holm_store::tenant::version::TenantVersion;
use holm_store::tenant::{self, Tenant, Told};

use crate::control::{CONFIRM_PATIENCE, Control};
use crate::environment;
use crate::tenant::unchanged;

/// What is asked of a tenant.
#[derive(Clone, Copy)]
pub(super) enum Wish {
    Pause,
    Suspend,
    Resume,
}

/// Stops a tenant's sessions; its data stays as it is.
///
/// # Errors
/// No such tenant, one that is still being created, a catalog that does not answer; [`ErrorCode::DataPlaneSilent`] says
/// that it is suspended, but not yet everywhere.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn suspend(control: &Control, by: &Actor, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Tenant, Problem> {
    suspend_at(control, by, environment, slug, None).await
}

/// As [`suspend`], if the tenant is as the caller saw it.
///
/// # Errors
/// As with [`suspend`]; [`ErrorCode::PreconditionFailed`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn suspend_at(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    seen: Option<TenantVersion>,
) -> Result<Tenant, Problem> {
    tell(control, by, environment, slug, Wish::Suspend, seen).await
}

/// Lets a suspended tenant's sessions in again, and a paused one's go on.
///
/// # Errors
/// As with [`suspend`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn resume(control: &Control, by: &Actor, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Tenant, Problem> {
    resume_at(control, by, environment, slug, None).await
}

/// As [`resume`], if the tenant is as the caller saw it.
///
/// # Errors
/// As with [`suspend_at`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn resume_at(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    seen: Option<TenantVersion>,
) -> Result<Tenant, Problem> {
    tell(control, by, environment, slug, Wish::Resume, seen).await
}

pub(super) async fn tell(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    wish: Wish,
    seen: Option<TenantVersion>,
) -> Result<Tenant, Problem> {
    let act = change(control.clone(), by.clone(), environment.clone(), slug.clone(), wish, seen);
    let tenant = control.tasks().finish("change a tenant", act).await?;
    match wish {
        Wish::Pause | Wish::Suspend => control.confirmed_everywhere(tenant.route_version, CONFIRM_PATIENCE).await?,
        Wish::Resume => control.confirmed(tenant.route_version, CONFIRM_PATIENCE).await?,
    }
    Ok(tenant)
}

async fn change(
    control: Control,
    by: Actor,
    environment: EnvironmentName,
    slug: TenantSlug,
    wish: Wish,
    seen: Option<TenantVersion>,
) -> Result<Tenant, Problem> {
    let mut tx = control.catalog().transaction().await?;
    unchanged(&mut tx, &environment, &slug, seen).await?;
    let told = match wish {
        Wish::Pause => tenant::pause(&mut tx, &environment, &slug).await?,
        Wish::Suspend => tenant::suspend(&mut tx, &environment, &slug).await?,
        Wish::Resume => tenant::resume(&mut tx, &environment, &slug).await?,
    };
    match told {
        Told::Changed(tenant) => {
            let action = match wish {
                Wish::Pause => AuditAction::TenantPause,
                Wish::Suspend => AuditAction::TenantSuspend,
                Wish::Resume => AuditAction::TenantResume,
            };
            record(&mut tx, NewEntry::new(&by, action, Some(&environment), Subject::Tenant(tenant.id)));
            let version = tx.commit().await?;
            control.nudge();
            Ok(Tenant { route_version: version.unwrap_or(tenant.route_version), ..tenant })
        }
        Told::Unchanged(tenant) => Ok(tenant),
        Told::Absent => Err(environment::why_no_tenant(&control, &environment, &slug).await?),
        Told::Refused(state) => Err(refused(&environment, &slug, state, wish)),
    }
}

fn refused(environment: &EnvironmentName, slug: &TenantSlug, state: TenantState, wish: Wish) -> Problem {
    let wish = match wish {
        Wish::Pause => "paused",
        Wish::Suspend => "suspended",
        Wish::Resume => "resumed",
    };
    Problem::new(ErrorCode::TenantState, format!("tenant `{slug}` in `{environment}` cannot be {wish} while it is {state}"))
        .next(format!("wait until it serves: `holm tenant show {slug} --env {environment}`"))
}
