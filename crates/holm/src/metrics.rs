//! The data plane's counters as a page of Prometheus text, for the API's `/metrics`.

use std::fmt::Write as _;

use holm_proxy::gateway::counters::Counters as GatewayCounters;
use holm_proxy::postgres::counters::Counters as ProxyCounters;

/// Renders both; labels are codes and reasons, never tenants.
pub(super) fn render(proxy: &ProxyCounters, gateway: &GatewayCounters) -> String {
    let mut page = String::new();
    family(&mut page, "holm_proxy_sessions_open", "gauge", "Sessions that are open", [(String::new(), proxy.sessions_open())]);
    family(&mut page, "holm_proxy_sessions_total", "counter", "Sessions that were opened", [(String::new(), proxy.sessions_opened())]);
    let cancels = [("{outcome=\"sent\"}".into(), proxy.cancels_sent()), ("{outcome=\"refused\"}".into(), proxy.cancels_refused())];
    family(&mut page, "holm_proxy_cancels_total", "counter", "Cancel requests", cancels);
    let refused = proxy.refusals().map(|(code, count)| (format!("{{code=\"{code}\"}}"), count));
    family(&mut page, "holm_proxy_refusals_total", "counter", "Sessions that were refused, by error code", refused);
    let ended = proxy.disconnects().map(|(reason, count)| (format!("{{reason=\"{}\"}}", label(&format!("{reason:?}"))), count));
    family(&mut page, "holm_proxy_disconnects_total", "counter", "Sessions that ended, by reason", ended);
    for (name, count) in gateway.read() {
        let (suffix, kind) = if name.ends_with("_open") { ("", "gauge") } else { ("_total", "counter") };
        let name = format!("holm_gateway_{name}{suffix}");
        family(&mut page, &name, kind, "See the gateway's counters", [(String::new(), count)]);
    }
    page
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
