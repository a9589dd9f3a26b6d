//! Changes how many of its cluster's connections a tenant may have, and its share against others'.
//!
//! Promises: when it is acknowledged, every node of the data plane that lives goes by it, without a session being closed for
//! it. The minimums of a cluster's tenants are together never raised above what they share.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::limits::LimitsChange;
use holm_core::slug::TenantSlug;
use holm_store::audit::record;
use holm_store::tenant::Tenant;
use holm_store::tenant::limits::{self, Limited};
use holm_store::tenant::version::TenantVersion;

use super::unchanged::{changed, unchanged};
use crate::control::{CONFIRM_PATIENCE, Control};
use crate::environment;

/// Changes a tenant's limits; what is not named stays, and the same again is the same as once.
///
/// # Errors
/// No such tenant, one that is being created or is deleted, limits that cannot be ([`ErrorCode::InvalidValue`]);
/// [`ErrorCode::MinimumsTooMany`] when the cluster has no room for the minimum; [`ErrorCode::DataPlaneSilent`] says that they
/// are changed, but not in use everywhere yet.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn limit(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    change: LimitsChange,
) -> Result<Tenant, Problem> {
    limit_at(control, by, environment, slug, change, None).await
}

/// As [`limit`], if the tenant is as the caller saw it.
///
/// # Errors
/// As with [`limit`]; [`ErrorCode::PreconditionFailed`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn limit_at(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    change: LimitsChange,
    seen: Option<TenantVersion>,
) -> Result<Tenant, Problem> {
    let act = begin(control.clone(), by.clone(), environment.clone(), slug.clone(), change, seen);
    let tenant = control.tasks().finish("limit a tenant", act).await?;
    control.confirmed(tenant.route_version, CONFIRM_PATIENCE).await?;
    Ok(tenant)
}

async fn begin(
    control: Control,
    by: Actor,
    environment: EnvironmentName,
    slug: TenantSlug,
    change: LimitsChange,
    seen: Option<TenantVersion>,
) -> Result<Tenant, Problem> {
    let mut tx = control.catalog().transaction().await?;
    let held = limits::hold(&mut tx, &environment, &slug).await?;
    unchanged(&mut tx, &environment, &slug, seen).await?;
    match limits::change(&mut tx, &environment, &slug, &change, held.as_ref()).await? {
        Limited::Changed(tenant, before) => {
            let entry = NewEntry::new(&by, AuditAction::TenantLimit, Some(&environment), Subject::Tenant(tenant.id));
            record(&mut tx, entry.with(Detail::Limits { before: before.to_string(), after: tenant.limits.to_string() }));
            let version = tx.commit().await?;
            control.nudge();
            Ok(Tenant { route_version: version.unwrap_or(tenant.route_version), ..tenant })
        }
        Limited::Unchanged(tenant) => Ok(tenant),
        Limited::Absent => Err(environment::why_no_tenant(&control, &environment, &slug).await?),
        Limited::Refused(state) => {
            let what = format!("tenant `{slug}` in `{environment}` cannot be given limits while it is {state}");
            Err(Problem::new(ErrorCode::TenantState, what)
                .next(format!("wait until it serves: `holm tenant show {slug} --env {environment}`")))
        }
        Limited::Moved => Err(changed(&environment, &slug)),
        Limited::Invalid(why) => {
            Err(Problem::new(ErrorCode::InvalidValue, format!("tenant `{slug}` cannot have these limits")).because(why))
        }
        Limited::NoRoom { cluster, minimums, shared } => Err(no_room(&slug, cluster.as_str(), minimums, shared)),
    }
}

fn no_room(slug: &TenantSlug, cluster: &str, minimums: u64, shared: u32) -> Problem {
    Problem::new(ErrorCode::MinimumsTooMany, format!("tenant `{slug}` cannot have that minimum on cluster `{cluster}`"))
        .because(format!("the minimums of the cluster's tenants would be {minimums} connections together, and its tenants share {shared}"))
        .next("lower another tenant's minimum: `holm tenant limits`")
        .next(format!("or have the cluster take more connections: `holm cluster show {cluster}`"))
}
