//! Shows one living tenant.

use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::slug::TenantSlug;
use holm_store::tenant::{self, Tenant};

use crate::control::Control;
use crate::environment;

/// The tenant of a name.
///
/// # Errors
/// No such environment, no such tenant in it, or the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn show(control: &Control, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Tenant, Problem> {
    match tenant::by_slug(control.catalog(), environment, slug).await? {
        Some(tenant) => Ok(tenant),
        None => Err(environment::why_no_tenant(control, environment, slug).await?),
    }
}
