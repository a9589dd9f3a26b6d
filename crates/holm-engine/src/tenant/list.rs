//! Lists living tenants, a page at a time.

use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::slug::TenantSlug;
use holm_store::page::Page;
use holm_store::tenant::{self, Tenant};

use crate::control::Control;
use crate::environment;

/// A page of the tenants of one environment, or of all, by environment and slug; `after` is the last of the page before.
///
/// # Errors
/// No such environment, or the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(
    control: &Control,
    environment: Option<&EnvironmentName>,
    page: Page<(EnvironmentName, TenantSlug)>,
) -> Result<Vec<Tenant>, Problem> {
    let Some(name) = environment else { return Ok(tenant::list_all(control.catalog(), &page).await?) };
    environment::show(control, name).await?;
    let page = Page { after: page.after.map(|(_, slug)| slug), limit: page.limit };
    Ok(tenant::list(control.catalog(), name, &page).await?)
}
