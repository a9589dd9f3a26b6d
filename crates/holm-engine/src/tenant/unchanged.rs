//! Whether a tenant is still what its caller saw before deciding.

use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::slug::TenantSlug;
use holm_store::tenant::version::{self, TenantVersion};
use holm_store::tx::Tx;

/// Locks the tenant, so that it stays as it is until the transaction's end, and compares. Nothing to compare with is no
/// objection, nor is a tenant that is not there: that is said by whoever looks for it.
///
/// # Errors
/// [`ErrorCode::PreconditionFailed`]; trouble with the catalog.
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub(super) async fn unchanged(
    tx: &mut Tx,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    seen: Option<TenantVersion>,
) -> Result<(), Problem> {
    let Some(seen) = seen else { return Ok(()) };
    match version::lock(tx, environment, slug).await? {
        Some(now) if now != seen => Err(changed(environment, slug)),
        _ => Ok(()),
    }
}

/// What whoever saw another one is told.
pub(super) fn changed(environment: &EnvironmentName, slug: &TenantSlug) -> Problem {
    Problem::new(ErrorCode::PreconditionFailed, format!("tenant `{slug}` in `{environment}` was changed since you looked"))
        .next(format!("look again: `holm tenant show {slug} --env {environment}`"))
}
