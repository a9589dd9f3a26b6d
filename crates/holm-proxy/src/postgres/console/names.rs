//! What a tenant is called in the console, and which tenant a name means.
//!
//! Promises: what is shown is understood. A tenant is called as clients call it; where the node serves several environments,
//! `malmo@production`. A name that two tenants have means neither.

use std::sync::Arc;

use holm_core::error::{ErrorCode, Problem};
use holm_core::route::{Route, RouteTable};

use crate::postgres::refusal::shown;

/// How a tenant is shown.
pub(super) fn name_of(table: &RouteTable, route: &Route) -> String {
    if table.environments().nth(1).is_some() { with_environment(route) } else { route.slug.to_string() }
}

fn with_environment(route: &Route) -> String {
    format!("{}@{}", route.slug, route.environment)
}

/// The tenant that is meant.
///
/// # Errors
/// HOLM-5002: there is none, or more than one.
pub(super) fn tenant_of(table: &RouteTable, name: &str) -> Result<Arc<Route>, Problem> {
    let (slug, environment) = name.split_once('@').map_or((name, None), |(slug, environment)| (slug, Some(environment)));
    let slug = slug.parse().ok();
    let found = table.environments().filter(|known| environment.is_none_or(|environment| known.name.as_str() == environment));
    let found: Vec<&Arc<Route>> = found.filter_map(|known| table.route(&known.name, slug.as_ref()?)).collect();
    match found[..] {
        [one] => Ok(Arc::clone(one)),
        [] => Err(Problem::new(ErrorCode::UnknownTenant, format!("there is no tenant `{}` on this node", shown(name)))
            .because("the console goes by the names that clients use as database names")
            .next("check the spelling: `SHOW DATABASES` lists those in use, `holm tenant list` all of them")),
        ref several => {
            let mut names: Vec<String> = several.iter().map(|route| format!("`{}`", with_environment(route))).collect();
            names.sort();
            Err(Problem::new(ErrorCode::UnknownTenant, format!("more than one tenant is called `{}`", shown(name)))
                .because("this node serves several environments")
                .next(format!("say which: {}", names.join(" or "))))
        }
    }
}
