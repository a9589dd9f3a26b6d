//! `/metrics`: what Prometheus scrapes, in its text form 0.0.4.
//!
//! Promises: no tenant is a label, so that their number costs nothing; a scrape works without the catalog, since it reads
//! the table that the data plane serves from. Only what waits for webhooks and mails is asked of the catalog, every few
//! seconds at the most, and left out when that does not answer.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use holm_core::route::{RouteState, RouteTable};
use holm_engine::notices::{self, Counters, Waiting};
use jiff::Timestamp;

use crate::Api;
use crate::envelope::Refusal;
use crate::extract::{NoParams, Params};

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

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
    text.push_str(&told(api.control.notices()));
    if let Some(waiting) = notices::waiting(&api.control).await {
        text.push_str(&backlog(&waiting));
    }
    text.push_str(&(api.config.metrics)());
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}

pub(crate) fn own(table: &RouteTable) -> String {
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

/// What this process has told since it started.
fn told(counters: &Counters) -> String {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let mut text = String::new();
    family(
        &mut text,
        "holm_webhook_attempts_total",
        "counter",
        "Attempts to tell webhooks, of this process.",
        &[("{outcome=\"delivered\"}", read(&counters.webhook_delivered)), ("{outcome=\"failed\"}", read(&counters.webhook_failed))],
    );
    family(
        &mut text,
        "holm_webhook_died_total",
        "counter",
        "Webhooks that began to miss messages for good.",
        &[("", read(&counters.webhook_died))],
    );
    family(
        &mut text,
        "holm_mail_attempts_total",
        "counter",
        "Attempts to hand mails to their server, of this process.",
        &[("{outcome=\"delivered\"}", read(&counters.mail_sent)), ("{outcome=\"failed\"}", read(&counters.mail_failed))],
    );
    text
}

/// What waits, the same in every process.
fn backlog(waiting: &Waiting) -> String {
    let mut text = String::new();
    let Waiting { webhooks, mails } = waiting;
    family(
        &mut text,
        "holm_webhook_messages",
        "gauge",
        "Messages that webhooks were not told, by state.",
        &[("{state=\"waiting\"}", webhooks.waiting), ("{state=\"dead\"}", webhooks.dead)],
    );
    family(
        &mut text,
        "holm_webhook_oldest_waiting_seconds",
        "gauge",
        "How long the oldest waiting message has waited.",
        &[("", webhooks.oldest.as_secs())],
    );
    if let Some(mails) = mails {
        family(
            &mut text,
            "holm_mail_waiting_entries",
            "gauge",
            "Entries of the audit log that were not looked at for mails.",
            &[("", mails.waiting)],
        );
        family(
            &mut text,
            "holm_mail_oldest_waiting_seconds",
            "gauge",
            "How long the oldest of them has waited.",
            &[("", mails.oldest.as_secs())],
        );
        family(&mut text, "holm_mail_failures", "gauge", "Failures to send mail in a row.", &[("", mails.failures)]);
    }
    text
}

fn family(text: &mut String, name: &str, kind: &str, help: &str, samples: &[(&str, u64)]) {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("memory can be written");
    for (labels, value) in samples {
        writeln!(text, "{name}{labels} {value}").expect("memory can be written");
    }
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
