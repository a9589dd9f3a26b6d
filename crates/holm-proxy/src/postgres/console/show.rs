//! What is shown: every table's rows, with the columns that `tables` has for them.
//!
//! Promises: a column that stands for something Holm does not have says nothing, 0 or NULL, and never something made up;
//! `docs/reference/admin-console.md` lists them. Rows of clients and server connections are made a slice at a time and sent on,
//! however many there are.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use holm_core::cluster::tls::ServerTls;
use holm_core::limits::shared_by_tenants;
use holm_core::route::{Route, RouteState, RouteTable};
use jiff::Timestamp;

use crate::postgres::Node;
use crate::postgres::pooling::Pooling;
use crate::postgres::sessions::Session;
use crate::postgres::survey::{self, Doing, Use, doing};
use crate::postgres::transaction::IDLE_MAX;
use crate::postgres::transaction::inventory::{IdleUse, PoolUse, Tallied};

use super::Console;
use super::answer::{Answer, Gone, Value, count, fixed, number, text, yes};
use super::grammar::PARAMETERS;
use super::in_use::{self, TenantUse};
use super::names::name_of;
use super::rights::{ConsoleRole, Verb};

const HELP: &str = "
\tSHOW HELP|CONFIG|DATABASES|POOLS|CLIENTS|SERVERS|USERS|VERSION
\tSHOW LISTS|STATE|STATS|STATS_TOTALS|TOTALS
\tPAUSE <tenant>
\tRESUME <tenant>
\tKILL <tenant>
\tKILL_CLIENT <id>
\tRECONNECT [<tenant>]
\tWAIT_CLOSE [<tenant>]";

/// Answers a SHOW.
pub(super) async fn show(node: &Node, verb: Verb, about: Option<&str>, answer: &mut Answer<'_>) -> Result<(), Gone> {
    match verb {
        Verb::ShowVersion => {
            answer.row(&[fixed(concat!("Holm ", env!("CARGO_PKG_VERSION"), ", with the columns of PgBouncer 1.25"))]).await?;
        }
        Verb::ShowConfig => config(node, answer).await?,
        Verb::ShowDatabases => databases(node, answer).await?,
        Verb::ShowPools => pools(node, answer).await?,
        Verb::ShowClients => clients(node, answer).await?,
        Verb::ShowServers => servers(node, answer).await?,
        Verb::ShowStats => stats(node, answer).await?,
        Verb::ShowStatsTotals => stats_totals(node, answer).await?,
        Verb::ShowTotals => totals(node, answer).await?,
        Verb::ShowLists => lists(node, answer).await?,
        Verb::ShowUsers => users(node, answer).await?,
        Verb::ShowState => {
            for (key, value) in [("active", "yes"), ("paused", "no"), ("suspended", "no")] {
                answer.row(&[fixed(key), fixed(value)]).await?;
            }
        }
        Verb::ShowParameter => {
            if let Some((_, _, value)) = PARAMETERS.iter().find(|(known, ..)| Some(*known) == about) {
                answer.row(&[fixed(value)]).await?;
            }
        }
        _ => answer.notice("what the console knows", Some(HELP), Some("see docs/reference/admin-console.md")),
    }
    answer.complete("SHOW");
    Ok(())
}

async fn config(node: &Node, answer: &mut Answer<'_>) -> Result<(), Gone> {
    let seconds = |duration: Duration| number(duration.as_secs());
    let mode = |pooling| match pooling {
        Pooling::Session => "session",
        Pooling::Transaction => "transaction",
    };
    let encryption = match (&node.tls, node.tls_required) {
        (None, _) => "disable",
        (Some(_), false) => "allow",
        (Some(_), true) => "require",
    };
    let rows: [(&'static str, Value, &'static str); 13] = [
        ("admin_users", text(node.console.names(ConsoleRole::Admin)), ""),
        ("client_login_timeout", seconds(node.login_timeout), "15"),
        ("client_tls_sslmode", fixed(encryption), "disable"),
        ("listen_addr", text(node.local_addr.ip().to_string()), "127.0.0.1"),
        ("listen_port", number(node.local_addr.port()), "6432"),
        ("max_client_conn", count(node.clients_max), "10000"),
        ("max_db_connections", fixed("0"), "0"),
        ("max_user_connections", fixed("0"), "0"),
        ("pool_mode", fixed(mode(node.pooling)), "transaction"),
        ("query_wait_timeout", seconds(node.wait), "30"),
        ("server_idle_timeout", seconds(IDLE_MAX), "600"),
        ("server_lifetime", fixed("0"), "0"),
        ("stats_users", text(node.console.names(ConsoleRole::Stats)), ""),
    ];
    for (key, value, default) in rows {
        answer.row(&[fixed(key), value, fixed(default), fixed("no")]).await?;
    }
    Ok(())
}

impl Console {
    fn names(&self, role: ConsoleRole) -> String {
        let names = self.users.iter().filter(|user| user.role == role).map(|user| user.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }
}

async fn databases(node: &Node, answer: &mut Answer<'_>) -> Result<(), Gone> {
    let tenants = in_use::tenants(node).await;
    let table = survey::table(node);
    let used = tenants.iter().map(|tenant| (tenant.name.clone(), &tenant.route, tenant.sum));
    // One that is paused here is not to be forgotten, even when nobody uses it.
    let held: Vec<_> = node.holds.all().into_iter().filter(|held| tenants.iter().all(|tenant| tenant.route.tenant != *held)).collect();
    let held = held.iter().filter_map(|held| table.route_of(*held)).map(|route| (name_of(&table, route), route, Use::default()));
    for (name, route, used) in used.chain(held) {
        answer.row(&database(node, &table, name, route, &used)).await?;
    }
    Ok(())
}

fn database(node: &Node, table: &RouteTable, name: String, route: &Route, used: &Use) -> [Value; 17] {
    let cluster = table.cluster(route.cluster);
    let all = cluster.map_or(0, |cluster| shared_by_tenants(cluster.connections_max));
    let most = route.limits.max().map_or(all, |max| max.min(all));
    let is_paused = route.state == RouteState::Paused || node.holds.has(route.tenant);
    [
        text(name),
        cluster.map(|cluster| cluster.address.host.to_string().into()),
        number(cluster.map_or(0, |cluster| cluster.address.port)),
        text(route.database.to_string()),
        None,
        number(most),
        number(route.limits.min()),
        fixed("0"),
        fixed("0"),
        pool_mode(node, used),
        None,
        number(most),
        count(used.servers()),
        fixed("0"),
        count(used.clients),
        yes(is_paused),
        yes(!route.state.lets_in()),
    ]
}

fn pool_mode(node: &Node, used: &Use) -> Value {
    let is_pooled = if used.clients + used.servers() > 0 { used.is_pooled } else { node.pooling == Pooling::Transaction };
    fixed(if is_pooled { "transaction" } else { "session" })
}

async fn pools(node: &Node, answer: &mut Answer<'_>) -> Result<(), Gone> {
    for TenantUse { name, levels, .. } in in_use::tenants(node).await {
        for (level, used) in levels {
            let row = [
                text(name.clone()),
                fixed(level.as_str()),
                count(used.clients - used.waiting),
                count(used.waiting),
                count(used.cancelling),
                fixed("0"),
                count(used.lent),
                fixed("0"),
                fixed("0"),
                count(used.idle),
                fixed("0"),
                count(used.cleaning),
                count(used.opening),
                number(used.longest_wait.as_secs()),
                number(used.longest_wait.subsec_micros()),
                pool_mode(node, &used),
                None,
            ];
            answer.row(&row).await?;
        }
    }
    Ok(())
}

async fn clients(node: &Node, answer: &mut Answer<'_>) -> Result<(), Gone> {
    let mut from = Some(0);
    while let Some(at) = from {
        let (some, next) = node.sessions.some(at);
        let table = survey::table(node);
        for session in some {
            answer.row(&client(node, &table, &session)).await?;
        }
        from = next;
    }
    Ok(())
}

fn client(node: &Node, table: &RouteTable, session: &Session) -> [Value; 21] {
    let doing = doing(session);
    let wait = if let Doing::Waiting(wait) = doing { wait } else { Duration::ZERO };
    [
        fixed("C"),
        text(session.credential.name.as_str()),
        text(tenant_name(table, &session.admission.route)),
        fixed("none"),
        fixed(match doing {
            Doing::Active => "active",
            Doing::Waiting(_) => "waiting",
            Doing::Idle => "idle",
        }),
        text(session.caller.peer.ip().to_string()),
        number(session.caller.peer.port()),
        text(node.local_addr.ip().to_string()),
        number(node.local_addr.port()),
        time(session.caller.since),
        None,
        number(wait.as_secs()),
        number(wait.subsec_micros()),
        fixed("0"),
        text(pointer_of_client(session)),
        text(session.server_key.load().map(|key| pointer_of_server(table, &session.admission.route, key.process)).unwrap_or_default()),
        fixed("0"),
        fixed(session.caller.tls.unwrap_or_default()),
        text(&*session.caller.application),
        fixed("0"),
        number(session.id.generation),
    ]
}

async fn servers(node: &Node, answer: &mut Answer<'_>) -> Result<(), Gone> {
    let mut from = Some(0);
    while let Some(at) = from {
        let (some, next) = node.sessions.some(at);
        let table = survey::table(node);
        for session in some {
            let Some(key) = session.server_key.load() else { continue };
            let user = session.admission.login.role.as_str().to_owned();
            let close_needed = key.close_needed.load(Ordering::Relaxed);
            let (route, process, since) = (&session.admission.route, Some(key.process), Some(key.since));
            answer.row(&server(&table, &ServerRow { route, user, process, since, close_needed, of: Some(&session) })).await?;
        }
        from = next;
        tokio::task::yield_now().await;
    }
    let table = survey::table(node);
    for PoolUse { tenant, level, idle, .. } in survey::pools(node).await {
        let Some(route) = table.route_of(tenant) else { continue };
        let user = route.login(level).map(|login| login.role.as_str().to_owned()).unwrap_or_default();
        for IdleUse { process, since } in idle {
            answer.row(&server(&table, &ServerRow { route, user: user.clone(), process, since, close_needed: false, of: None })).await?;
        }
    }
    Ok(())
}

/// A server connection, and the client that has it.
struct ServerRow<'r> {
    route: &'r Route,
    user: String,
    process: Option<u32>,
    since: Option<SystemTime>,
    close_needed: bool,
    of: Option<&'r Session>,
}

fn server(table: &RouteTable, row: &ServerRow<'_>) -> [Value; 21] {
    let cluster = table.cluster(row.route.cluster);
    let is_encrypted = cluster.is_some_and(|cluster| cluster.tls != ServerTls::Disable);
    let process = row.process.unwrap_or_default();
    [
        fixed("S"),
        text(row.user.clone()),
        text(tenant_name(table, row.route)),
        fixed("none"),
        fixed(if row.of.is_some() { "active" } else { "idle" }),
        cluster.map(|cluster| cluster.address.host.to_string().into()),
        number(cluster.map_or(0, |cluster| cluster.address.port)),
        None,
        None,
        row.since.and_then(time),
        None,
        fixed("0"),
        fixed("0"),
        yes(row.close_needed),
        text(pointer_of_server(table, row.route, process)),
        text(row.of.map(pointer_of_client).unwrap_or_default()),
        number(process),
        fixed(if is_encrypted { "TLS" } else { "" }),
        fixed(""),
        fixed("0"),
        number(process),
    ]
}

fn tenant_name(table: &RouteTable, at_login: &Route) -> String {
    name_of(table, table.route_of(at_login.tenant).map_or(at_login, |now| now))
}

/// What `ptr` and `link` are for: to find the two ends of one connection.
fn pointer_of_client(session: &Session) -> String {
    format!("client-{}", session.id.generation)
}

fn pointer_of_server(table: &RouteTable, route: &Route, process: u32) -> String {
    let cluster = table.cluster(route.cluster).map(|cluster| cluster.name.to_string()).unwrap_or_default();
    format!("{cluster}-{process}")
}

fn time(at: SystemTime) -> Value {
    let at = Timestamp::try_from(at).ok()?;
    text(at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

async fn stats(node: &Node, answer: &mut Answer<'_>) -> Result<(), Gone> {
    for tenant in in_use::tenants(node).await {
        let Tallied { transactions, transactions_us, .. } = tenant.sum.tallied;
        let [name, totals @ ..] = totals_of(&tenant);
        let mean = transactions_us.checked_div(transactions).unwrap_or_default();
        // Per second, all of them but this: whoever keeps the totals over time knows them better.
        let averages = [0, 0, 0, 0, 0, mean, 0, 0, 0, 0, 0].map(|average: u64| number(average));
        let row: Vec<Value> = [name].into_iter().chain(totals).chain(averages).collect();
        answer.row(&row).await?;
    }
    Ok(())
}

async fn stats_totals(node: &Node, answer: &mut Answer<'_>) -> Result<(), Gone> {
    for tenant in in_use::tenants(node).await {
        answer.row(&totals_of(&tenant)).await?;
    }
    Ok(())
}

/// Name, assignments, transactions, and so on in the order of the columns.
fn totals_of(tenant: &TenantUse) -> [Value; 12] {
    let Tallied { lendings, transactions, transactions_us, waits_us } = tenant.sum.tallied;
    let zero = || fixed("0");
    let (lendings, transactions, took, waited) = (number(lendings), number(transactions), number(transactions_us), number(waits_us));
    [text(tenant.name.clone()), lendings, transactions, zero(), zero(), zero(), took, zero(), waited, zero(), zero(), zero()]
}

async fn totals(node: &Node, answer: &mut Answer<'_>) -> Result<(), Gone> {
    let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let (transactions, waits) = (&node.counters.transactions, &node.counters.waits);
    let rows = [
        ("total_xact_count", transactions.count()),
        ("total_xact_time", us(transactions.sum())),
        ("total_wait_time", us(waits.sum())),
        ("total_login_count", node.counters.sessions_opened()),
        ("total_server_connect_count", node.counters.connects.count()),
    ];
    for (name, value) in rows {
        answer.row(&[fixed(name), number(value)]).await?;
    }
    Ok(())
}

async fn lists(node: &Node, answer: &mut Answer<'_>) -> Result<(), Gone> {
    let found = survey::pools(node).await;
    let sum = in_use::tenants(node).await.iter().fold((0, 0), |(idle, lent), TenantUse { sum, .. }| (idle + sum.idle, lent + sum.lent));
    let (table, used) = (survey::table(node), node.sessions.count());
    let rows = [
        ("databases", table.tenant_count()),
        ("users", table.credentials().count()),
        ("peers", 0),
        ("pools", found.len()),
        ("peer_pools", 0),
        ("free_clients", node.clients_max.saturating_sub(used)),
        ("used_clients", used),
        ("login_clients", node.half_open.count()),
        ("free_servers", sum.0),
        ("used_servers", sum.1),
        ("dns_names", 0),
        ("dns_zones", 0),
        ("dns_queries", 0),
        ("dns_pending", 0),
    ];
    for (list, items) in rows {
        answer.row(&[fixed(list), count(items)]).await?;
    }
    Ok(())
}

async fn users(node: &Node, answer: &mut Answer<'_>) -> Result<(), Gone> {
    let mut users = std::collections::BTreeMap::<String, (usize, usize)>::new();
    let mut from = Some(0);
    while let Some(at) = from {
        let (some, next) = node.sessions.some(at);
        for session in some {
            let (servers, clients) = users.entry(session.credential.name.as_str().to_owned()).or_default();
            *servers += usize::from(session.server_key.load().is_some());
            *clients += 1;
        }
        from = next;
        tokio::task::yield_now().await;
    }
    for (name, (servers, clients)) in users {
        answer.row(&[text(name), None, None, None, fixed("0"), count(servers), fixed("0"), count(clients)]).await?;
    }
    Ok(())
}
