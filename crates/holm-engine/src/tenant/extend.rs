//! Tenants with an end (R35): for tests and pipelines, which forget to clean up.
//!
//! Promises: a tenant in a pipeline's environment always has an end; one in production never has. What is past its end is
//! deleted by whichever control process is there then (`reconcile/schedule`).

use std::time::Duration;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::{ErrorCode, Problem};
use holm_core::slug::TenantSlug;
use holm_store::audit::record;
use holm_store::tenant::version::TenantVersion;
use holm_store::tenant::{Tenant, expiry};

use crate::control::Control;
use crate::environment;
use crate::tenant::unchanged::unchanged;

/// What a tenant in a pipeline's environment lives for when nothing else was said: longer than a pipeline.
pub const TTL_DEFAULT: Duration = Duration::from_secs(3600);

/// A week: who wants longer wants a tenant without an end.
pub const TTL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Shorter than it takes to be made.
pub const TTL_MIN: Duration = Duration::from_secs(1);

/// How long a new tenant of an environment lives, if it has an end.
///
/// # Errors
/// [`ErrorCode::EndNotAllowed`] in production; [`ErrorCode::InvalidValue`] beyond a week; no such environment.
pub(super) async fn ttl(control: &Control, name: &EnvironmentName, asked: Option<Duration>) -> Result<Option<Duration>, Problem> {
    // In memory for all but an environment that was made just now.
    let known = control.publisher().table().environment(name).map(|environment| environment.kind);
    let kind = match known {
        Some(kind) => kind,
        None => environment::show(control, name).await?.kind,
    };
    match (kind, asked) {
        (EnvironmentKind::Ci, None) => Ok(Some(TTL_DEFAULT)),
        (_, None) => Ok(None),
        (EnvironmentKind::Production, Some(_)) => Err(not_in_production(name)),
        (_, Some(ttl)) => check(ttl).map(Some),
    }
}

fn check(ttl: Duration) -> Result<Duration, Problem> {
    if (TTL_MIN..=TTL_MAX).contains(&ttl) {
        return Ok(ttl);
    }
    Err(Problem::new(ErrorCode::InvalidValue, format!("a tenant with an end lives for a second to seven days, not {} s", ttl.as_secs()))
        .next("give it as `--ttl 1h`, or leave it out for a tenant without an end"))
}

fn not_in_production(environment: &EnvironmentName) -> Problem {
    Problem::new(ErrorCode::EndNotAllowed, format!("a tenant with an end cannot be in `{environment}`"))
        .because("it is an environment of the kind production, where nothing is deleted by a clock")
        .next("leave `--ttl` out, or use an environment of another kind: `holm env list`")
}

/// Lets a tenant with an end live for so long from now on; that may also be shorter.
///
/// # Errors
/// No such tenant, one without an end, more than a week, trouble with the catalog.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn extend(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    ttl: Duration,
) -> Result<Tenant, Problem> {
    extend_at(control, by, environment, slug, ttl, None).await
}

/// As [`extend`], if the tenant is as the caller saw it.
///
/// # Errors
/// As with [`extend`]; [`ErrorCode::PreconditionFailed`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn extend_at(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    ttl: Duration,
    seen: Option<TenantVersion>,
) -> Result<Tenant, Problem> {
    let act = begin(control.clone(), by.clone(), environment.clone(), slug.clone(), check(ttl)?, seen);
    control.tasks().finish("extend a tenant's life", act).await
}

async fn begin(
    control: Control,
    by: Actor,
    environment: EnvironmentName,
    slug: TenantSlug,
    ttl: Duration,
    seen: Option<TenantVersion>,
) -> Result<Tenant, Problem> {
    let tenant = environment::tenant(&control, &environment, &slug).await?;
    let mut tx = control.catalog().transaction().await?;
    unchanged(&mut tx, &environment, &slug, seen).await?;
    if !expiry::extend(&mut tx, tenant.id, ttl).await? {
        return Err(Problem::new(ErrorCode::TenantState, format!("tenant `{slug}` in `{environment}` has no end"))
            .because("it was created without `--ttl`, and is not deleted by itself"));
    }
    record(&mut tx, NewEntry::new(&by, AuditAction::TenantExtend, Some(&environment), Subject::Tenant(tenant.id)));
    tx.commit().await?;
    environment::tenant(&control, &environment, &slug).await
}
