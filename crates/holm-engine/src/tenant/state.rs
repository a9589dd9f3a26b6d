//! Suspends a tenant and lets it in again.
//!
//! Promises: when suspending is acknowledged, every node of the data plane refuses new sessions and has closed the open
//! ones. Doing either twice is the same as once.

use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use holm_store::tenant::{self, Tenant, Told};

use crate::control::{CONFIRM_PATIENCE, Control};
use crate::environment;

/// What is asked of a tenant.
#[derive(Clone, Copy)]
enum Wish {
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
pub async fn suspend(control: &Control, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Tenant, Problem> {
    tell(control, environment, slug, Wish::Suspend).await
}

/// Lets a suspended tenant's sessions in again.
///
/// # Errors
/// As with [`suspend`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn resume(control: &Control, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Tenant, Problem> {
    tell(control, environment, slug, Wish::Resume).await
}

async fn tell(control: &Control, environment: &EnvironmentName, slug: &TenantSlug, wish: Wish) -> Result<Tenant, Problem> {
    let act = change(control.clone(), environment.clone(), slug.clone(), wish);
    let tenant = control.tasks().finish("change a tenant", act).await?;
    control.confirmed(tenant.route_version, CONFIRM_PATIENCE).await?;
    Ok(tenant)
}

async fn change(control: Control, environment: EnvironmentName, slug: TenantSlug, wish: Wish) -> Result<Tenant, Problem> {
    let mut tx = control.catalog().transaction().await?;
    let told = match wish {
        Wish::Suspend => tenant::suspend(&mut tx, &environment, &slug).await?,
        Wish::Resume => tenant::resume(&mut tx, &environment, &slug).await?,
    };
    match told {
        Told::Changed(tenant) => {
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
        Wish::Suspend => "suspended",
        Wish::Resume => "resumed",
    };
    Problem::new(ErrorCode::TenantState, format!("tenant `{slug}` in `{environment}` cannot be {wish} while it is {state}"))
        .next(format!("wait until it serves: `holm tenant show {slug} --env {environment}`"))
}
