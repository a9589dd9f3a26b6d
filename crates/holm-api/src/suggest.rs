//! What was probably meant, added to "not found": near names from the table that the data plane serves from, so that a
//! mistyped name costs no query.

use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::route::RouteTable;
use holm_core::slug::TenantSlug;

use crate::nearest::nearest;

/// Adds near tenants or near environments to a problem that says that one is not there; leaves others as they are.
pub(crate) fn add(problem: Problem, table: &RouteTable, environment: &EnvironmentName, slug: Option<&TenantSlug>) -> Problem {
    match (problem.code, slug) {
        (ErrorCode::EnvironmentNotFound, _) => {
            let known: Vec<&str> = table.environments().map(|environment| environment.name.as_str()).collect();
            meant(problem, &nearest(environment.as_str(), known)).next("list them: `holm env list`")
        }
        (ErrorCode::TenantNotFound, Some(slug)) => {
            let there = table.routes().filter(|route| route.environment == *environment).map(|route| route.slug.as_str());
            let near = nearest(slug.as_str(), there);
            meant(problem, &near).next(format!("list them: `holm tenant list --env {environment}`"))
        }
        _ => problem,
    }
}

fn meant(mut problem: Problem, near: &[&str]) -> Problem {
    let names: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    problem.next.clear();
    if names.is_empty() { problem } else { problem.next(format!("did you mean {}?", names.join(" or "))) }
}
