//! Who uses the data plane of this process, as the API shows it.

use std::sync::Arc;

use holm_api::UsageOf;
use holm_api::view::usage::{CarriedView, ClusterUseView, CountedView, TenantUseView};
use holm_proxy::postgres::counters::Counters;
use holm_proxy::postgres::{ClusterUse, Counted, Gauges, TenantUse, Usage};

/// Asks the proxy, each time that somebody looks.
pub(super) fn of(counters: Arc<Counters>, gauges: Gauges) -> UsageOf {
    Arc::new(move |environment, tenants_max| {
        let (counters, gauges) = (Arc::clone(&counters), gauges.clone());
        Box::pin(async move { gauges.usage(&environment, tenants_max).await.map(|usage| carried(usage, &counters)) })
    })
}

fn carried(usage: Usage, counters: &Counters) -> CarriedView {
    CarriedView {
        sessions: usage.sessions as u64,
        transactions: counters.transactions.count(),
        pinned: counters.pinned_now(),
        clusters: usage.clusters.into_iter().map(cluster).collect(),
        tenants: usage.tenants.into_iter().map(tenant).collect(),
        others: usage.others as u64,
    }
}

fn cluster(used: ClusterUse) -> ClusterUseView {
    let ClusterUse { cluster, most, used, opening, closing, waiting } = used;
    ClusterUseView { cluster, max: most, used, opening, closing, waiting: waiting as u64 }
}

fn tenant(used: TenantUse) -> TenantUseView {
    let TenantUse { slug, cluster, sessions, pinned, waiting, connections, opening, closing, most, counted } = used;
    let counted = counted.map(|Counted { tallies, transactions, transactions_us, lendings, waits_us }| CountedView {
        series: tallies.to_string(),
        transactions,
        transactions_us,
        lendings,
        waits_us,
    });
    TenantUseView { tenant: slug, cluster, sessions, pinned, waiting, connections, opening, closing, max: most, counted }
}
