//! Environments: what an operator does with one.

mod ensure;
pub mod parity;
pub mod statistics;

use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::slug::TenantSlug;
use holm_store::environment::{self, Environment};
use holm_store::tenant::Tenant;

pub use ensure::{NewEnvironment, ensure};

use crate::control::Control;

/// Every environment, by name.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<Environment>, Problem> {
    Ok(environment::list(control.catalog()).await?)
}

/// The environment of a name.
///
/// # Errors
/// There is none, or the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn show(control: &Control, name: &EnvironmentName) -> Result<Environment, Problem> {
    environment::by_name(control.catalog(), name).await?.ok_or_else(|| not_found(name))
}

pub(crate) fn not_found(name: &EnvironmentName) -> Problem {
    Problem::new(ErrorCode::EnvironmentNotFound, format!("there is no environment called `{name}`"))
        .next("see which there are: `holm env list`")
}

pub(crate) fn tenant_not_found(environment: &EnvironmentName, slug: &TenantSlug) -> Problem {
    Problem::new(ErrorCode::TenantNotFound, format!("there is no tenant called `{slug}` in `{environment}`"))
        .next(format!("see which there are: `holm tenant list --env {environment}`"))
}

fn renamed(environment: &EnvironmentName, slug: &TenantSlug, now: &TenantSlug) -> Problem {
    Problem::new(ErrorCode::TenantNotFound, format!("there is no tenant called `{slug}` in `{environment}` any more"))
        .because(format!("it was renamed, and is called `{now}` now"))
        .next(format!("use its new name: `holm tenant show {now} --env {environment}`"))
}

/// The living tenant of a name.
pub(crate) async fn tenant(control: &Control, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Tenant, Problem> {
    match holm_store::tenant::by_slug(control.catalog(), environment, slug).await? {
        Some(tenant) => Ok(tenant),
        None => Err(why_no_tenant(control, environment, slug).await?),
    }
}

/// Which of the two does not exist.
pub(crate) async fn why_no_tenant(control: &Control, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Problem, Problem> {
    Ok(match show(control, environment).await {
        Ok(_) => match holm_store::tenant::name::alias(control.catalog(), environment, slug).await? {
            Some(alias) => renamed(environment, slug, &alias.now),
            None => tenant_not_found(environment, slug),
        },
        Err(problem) if problem.code == ErrorCode::EnvironmentNotFound => problem,
        Err(problem) => return Err(problem),
    })
}
