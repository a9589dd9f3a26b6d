//! `/metrics`: what Prometheus scrapes, in its text form 0.0.4.
//!
//! Promises: no tenant is a label, so that their number costs nothing; a scrape works without the catalog, since it reads
//! the table that the data plane serves from.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use holm_core::route::{RouteState, RouteTable};
use jiff::Timestamp;

use crate::Api;
use crate::envelope::Refusal;
use crate::extract::{NoParams, Params};

/// Metrics in Prometheus' text form
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "health",
    responses(
        (status = 200, description = "Metrics", body = String, content_type = "text/plain"),
        (status = 400, description = "There are no parameters", body = crate::envelope::Failure, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn show(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Result<impl IntoResponse, Refusal> {
    let mut text = own(&api.control.publisher().table());
    text.push_str(&master_key(api.control.master_key_rotated_at(), Timestamp::now()));
    text.push_str(&(api.config.metrics)());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

fn own(table: &RouteTable) -> String {
    let mut text = format!(
        "# HELP holm_build_info Which Holm this is.\n# TYPE holm_build_info gauge\nholm_build_info{{version=\"{}\"}} 1\n\
         # HELP holm_route_version The version of the route table.\n# TYPE holm_route_version gauge\nholm_route_version {}\n\
         # HELP holm_tenants Tenants that have a route, by environment and state.\n# TYPE holm_tenants gauge\n",
        env!("CARGO_PKG_VERSION"),
        table.version(),
    );
    for ((environment, state), count) in tenants(table) {
        // Neither name has a character that Prometheus would want escaped.
        writeln!(text, "holm_tenants{{environment=\"{environment}\",state=\"{state}\"}} {count}").expect("memory can be written");
    }
    text
}

/// How long ago the master key was last rotated (R59), as this process knows it.
fn master_key(rotated_at: Timestamp, now: Timestamp) -> String {
    let age = now.duration_since(rotated_at).as_secs().max(0);
    format!(
        "# HELP holm_master_key_age_seconds How long ago the master key was last rotated.\n\
         # TYPE holm_master_key_age_seconds gauge\nholm_master_key_age_seconds {age}\n"
    )
}

/// How many there are, with a zero for every state of every environment, so that a series does not vanish.
fn tenants(table: &RouteTable) -> BTreeMap<(&str, &'static str), u64> {
    let environments = table.environments().map(|environment| environment.name.as_str());
    let mut counts: BTreeMap<_, u64> = environments.flat_map(|name| RouteState::ALL.map(|state| ((name, state.as_str()), 0))).collect();
    for route in table.routes() {
        *counts.entry((route.environment.as_str(), route.state.as_str())).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r59_the_age_of_the_master_key_is_a_metric_and_never_negative() {
        let (then, later): (Timestamp, Timestamp) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2026-01-02T00:00:00Z".parse().unwrap());
        assert!(master_key(then, later).ends_with("\nholm_master_key_age_seconds 86400\n"));
        assert!(master_key(later, then).ends_with("\nholm_master_key_age_seconds 0\n"));
    }
}
