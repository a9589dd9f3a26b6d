//! The data plane's counters as a page of Prometheus text, for the API's `/metrics`.

use std::fmt::Write as _;

use holm_proxy::gateway::counters::Counters as GatewayCounters;
use holm_proxy::postgres::counters::{Counters as ProxyCounters, Histogram};
use holm_proxy::postgres::{ClusterUse, Gauges};

/// Renders all; labels are codes, reasons and clusters, never tenants.
pub(super) fn render(proxy: &ProxyCounters, gauges: &Gauges, gateway: &GatewayCounters) -> String {
    let mut page = String::new();
    family(&mut page, "holm_proxy_sessions_open", "gauge", "Sessions that are open", [(String::new(), proxy.sessions_open())]);
    family(&mut page, "holm_proxy_sessions_total", "counter", "Sessions that were opened", [(String::new(), proxy.sessions_opened())]);
    let left = [("{outcome=\"handed_on\"}", proxy.sessions_handed_on()), ("{outcome=\"closed\"}", proxy.sessions_not_handed_on())];
    let left = left.map(|(outcome, count)| (outcome.to_owned(), count));
    let help = "Server connections of clients in session pooling that went, by what became of them";
    family(&mut page, "holm_proxy_session_connections_total", "counter", help, left);
    let cancels = [("{outcome=\"sent\"}".into(), proxy.cancels_sent()), ("{outcome=\"refused\"}".into(), proxy.cancels_refused())];
    family(&mut page, "holm_proxy_cancels_total", "counter", "Cancel requests", cancels);
    let refused = proxy.refusals().map(|(code, count)| (format!("{{code=\"{code}\"}}"), count));
    family(&mut page, "holm_proxy_refusals_total", "counter", "Sessions that were refused, by error code", refused);
    let unbound = [(String::new(), proxy.channel_bindings_refused())];
    family(
        &mut page,
        "holm_proxy_channel_bindings_refused_total",
        "counter",
        "Logins bound to another certificate, or told of none",
        unbound,
    );
    let throttled = proxy.throttled().map(|(rule, count)| (format!("{{rule=\"{}\"}}", rule.as_str()), count));
    family(&mut page, "holm_proxy_logins_throttled_total", "counter", "Logins not looked at because too many failed", throttled);
    let looks = [("{outcome=\"replaced\"}", proxy.certificates_replaced()), ("{outcome=\"refused\"}", proxy.certificates_refused())];
    let looks = looks.map(|(outcome, count)| (outcome.to_owned(), count));
    family(&mut page, "holm_proxy_certificates_total", "counter", "TLS files that had changed, by what came of it", looks);
    let stale = [(String::new(), u64::from(proxy.is_certificate_stale()))];
    family(
        &mut page,
        "holm_proxy_certificate_stale",
        "gauge",
        "1 while the TLS files cannot be used and what they said before is, or a revocation list is over",
        stale,
    );
    let handshakes = [(String::new(), proxy.handshakes_failed())];
    family(&mut page, "holm_proxy_tls_handshakes_failed_total", "counter", "TLS handshakes that failed", handshakes);
    let revoked = [(String::new(), proxy.client_certificates_revoked())];
    let help = "Certificates of clients that were not taken: revoked, or of an authority whose revocation list is over or not there";
    family(&mut page, "holm_proxy_client_certificates_revoked_total", "counter", help, revoked);
    let ended = proxy.disconnects().map(|(reason, count)| (format!("{{reason=\"{}\"}}", label(&format!("{reason:?}"))), count));
    family(&mut page, "holm_proxy_disconnects_total", "counter", "Sessions that ended, by reason", ended);
    let pinned = [(String::new(), proxy.pinned_now())];
    family(&mut page, "holm_proxy_pinned", "gauge", "Clients that keep their server connection in transaction pooling", pinned);
    let pins = proxy.pins().map(|(reason, count)| (format!("{{reason=\"{reason}\"}}"), count));
    family(&mut page, "holm_proxy_pins_total", "counter", "Clients that came to keep their server connection, by what they did", pins);
    let help = "Waits of clients that found no server connection at once, in transaction pooling";
    durations(&mut page, "holm_proxy_server_wait_seconds", help, &proxy.waits);
    let help = "Transactions, from the first message to the last answer, in transaction pooling";
    durations(&mut page, "holm_proxy_transaction_seconds", help, &proxy.transactions);
    durations(&mut page, "holm_proxy_server_connect_seconds", "Server connections that were opened, logins included", &proxy.connects);
    clusters(&mut page, gauges);
    for (name, count) in gateway.read() {
        let (suffix, kind) = if name.ends_with("_open") { ("", "gauge") } else { ("_total", "counter") };
        let name = format!("holm_gateway_{name}{suffix}");
        family(&mut page, &name, kind, "See the gateway's counters", [(String::new(), count)]);
    }
    page
}

fn durations<const N: usize>(page: &mut String, name: &str, help: &str, times: &Histogram<N>) {
    let line = |page: &mut String, name: &str, value: &dyn std::fmt::Display| {
        writeln!(page, "{name} {value}").expect("writing to a string does not fail");
    };
    writeln!(page, "# HELP {name} {help}\n# TYPE {name} histogram").expect("writing to a string does not fail");
    for (bound, count) in times.cumulative() {
        line(page, &format!("{name}_bucket{{le=\"{}\"}}", bound.as_secs_f64()), &count);
    }
    line(page, &format!("{name}_bucket{{le=\"+Inf\"}}"), &times.count());
    line(page, &format!("{name}_sum"), &times.sum().as_secs_f64());
    line(page, &format!("{name}_count"), &times.count());
}

fn clusters(page: &mut String, gauges: &Gauges) {
    let uses = gauges.clusters();
    let mut gauge = |name: &str, help: &str, of: &dyn Fn(&ClusterUse) -> u64| {
        let samples = uses.iter().map(|used| (format!("{{cluster=\"{}\"}}", used.cluster), of(used)));
        family(page, name, "gauge", help, samples);
    };
    gauge("holm_proxy_server_connections_max", "Server connections that tenants of a cluster may have", &|used| used.most.into());
    gauge("holm_proxy_server_connections", "Server connections that there are", &|used| used.used.into());
    gauge("holm_proxy_server_connections_opening", "Server connections that are being opened", &|used| used.opening.into());
    gauge("holm_proxy_server_connections_closing", "Server connections that are being closed", &|used| used.closing.into());
    gauge("holm_proxy_clients_waiting", "Clients that wait for a server connection", &|used| used.waiting as u64);
}

fn family(page: &mut String, name: &str, kind: &str, help: &str, samples: impl IntoIterator<Item = (String, u64)>) {
    let written = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
    written.expect("writing to a string does not fail");
    for (labels, value) in samples {
        writeln!(page, "{name}{labels} {value}").expect("writing to a string does not fail");
    }
}

/// `ClientLeft` as `client_left`.
fn label(variant: &str) -> String {
    let mut label = String::with_capacity(variant.len() + 4);
    for c in variant.chars() {
        if c.is_ascii_uppercase() && !label.is_empty() {
            label.push('_');
        }
        label.push(c.to_ascii_lowercase());
    }
    label
}
