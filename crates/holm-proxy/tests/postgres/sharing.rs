//! Many tenants share a cluster's budget: each is served in its turn, and who is not hears why.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use holm_core::error::ErrorCode;
use holm_core::route::RouteChange;
use holm_proxy::postgres::{Pooling, ProxyConfig};
use tokio_postgres::Client;

use crate::raw::{Raw, startup};
use crate::support::{SECRET, Tenant, World, cluster, config, eventually};

/// A proxy with two workers that pools by transaction, and tenants that share a budget.
pub(crate) async fn world(connections_max: u32, wait: Duration, slugs: &[&str]) -> (World, Vec<Tenant>) {
    let config = ProxyConfig { pooling: Pooling::Transaction, workers: 2, wait, wait_for_session: wait, ..config() };
    let world = World::with(config, holm_testkit::server().await).await;
    let mut tenants = Vec::new();
    for some in slugs.chunks(5) {
        tenants.extend(join_all(some.iter().map(|slug| world.tenant(slug))).await);
    }
    set_budget(&world, connections_max).await;
    (world, tenants)
}

async fn set_budget(world: &World, connections_max: u32) {
    world.publish_and_wait([RouteChange::Cluster(cluster("production", &world.server.address, connections_max))]).await;
}

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Soon over.
pub(crate) const SHORT: Duration = Duration::from_secs(2);

pub(crate) async fn backends(admin: &Client, tenants: &[Tenant]) -> i64 {
    let names: Vec<&str> = tenants.iter().map(|tenant| tenant.route.database.as_str()).collect();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = ANY($1) AND backend_type = 'client backend'";
    admin.query_one(sql, &[&names]).await.unwrap().get(0)
}

pub(crate) async fn database(client: &Client) -> String {
    client.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_tenants_are_all_served_by_four_connections_and_nobody_gets_an_error() {
    let slugs: Vec<String> = (0..30).map(|n| format!("tenant-{n}")).collect();
    let slugs: Vec<&str> = slugs.iter().map(String::as_str).collect();
    let (world, tenants) = world(4, LONG, &slugs).await;
    let admin = world.server.connect("postgres").await;
    // What made the tenants is gone.
    eventually("nobody is there", async || {
        let left = backends(&admin, &tenants).await;
        if left == 0 { Ok(()) } else { Err(format!("{left} backends")) }
    })
    .await;
    let over = AtomicBool::new(false);
    let watch = async {
        let mut most = 0;
        while !over.load(Ordering::SeqCst) {
            most = most.max(backends(&admin, &tenants).await);
        }
        most
    };
    let ask = async |tenant: &Tenant| {
        let client = world.connect("churn", tenant.route.slug.as_str()).await;
        for _ in 0..3 {
            assert_eq!(database(&client).await, tenant.route.database.as_str());
        }
    };
    let clients = async {
        join_all(tenants.iter().map(ask)).await;
        over.store(true, Ordering::SeqCst);
    };
    let (most, ()) = tokio::join!(watch, clients);
    assert!((1..=4).contains(&most), "{most} backends");
    assert_eq!(world.proxy.counters().refused(ErrorCode::NoConnectionLeft), 0);
}

#[tokio::test]
async fn a_client_that_waited_in_vain_hears_who_holds_the_connections_if_it_is_its_own_tenant() {
    let (world, _) = world(2, SHORT, &["malmo", "lund"]).await;
    let (mut one, mut two, third) =
        (world.connect("app", "malmo").await, world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    let (one, two) = (one.transaction().await.unwrap(), two.transaction().await.unwrap());
    let own = third.query_one("SELECT 1", &[]).await.unwrap_err();
    let own = own.as_db_error().unwrap();
    assert_eq!((own.code().code(), own.severity()), ("53300", "FATAL"));
    assert!(own.detail().unwrap().contains("all 2 connections that cluster `production-1` may have"), "{own:?}");
    assert!(own.hint().unwrap().contains("the tenant `malmo` itself holds 2 of them"), "{own:?}");
    for user in ["app", "app_owner"] {
        let foreign = world.try_connect(user, "lund").await.err().unwrap();
        let foreign = foreign.as_db_error().unwrap();
        assert_eq!(foreign.code().code(), "53300");
        assert!(!format!("{foreign:?}").contains("malmo"), "{foreign:?}");
        assert!(foreign.hint().unwrap().contains("another tenant holds 2 of them"), "{foreign:?}");
    }
    one.commit().await.unwrap();
    two.commit().await.unwrap();
    world.connect("app", "lund").await;
}

#[tokio::test]
async fn idle_connections_of_any_worker_are_closed_to_make_room() {
    let (world, tenants) = world(1, LONG, &["a", "b", "c", "d", "e", "f"]).await;
    let admin = world.server.connect("postgres").await;
    let mut clients = Vec::new();
    for round in 0..2 {
        for (n, tenant) in tenants.iter().enumerate() {
            if round == 0 {
                clients.push(world.connect("app", tenant.route.slug.as_str()).await);
            }
            assert_eq!(database(&clients[n]).await, tenant.route.database.as_str());
        }
    }
    assert_eq!(backends(&admin, &tenants).await, 1);
}

#[tokio::test]
async fn a_budget_that_shrinks_is_obeyed_as_soon_as_transactions_end() {
    let (world, tenants) = world(4, LONG, &["malmo"]).await;
    let admin = world.server.connect("postgres").await;
    let mut clients = join_all((0..4).map(|_| world.connect("app", "malmo"))).await;
    let mut open = Vec::new();
    for client in &mut clients {
        open.push(client.transaction().await.unwrap());
    }
    assert_eq!(backends(&admin, &tenants).await, 4);
    set_budget(&world, 1).await;
    let last = open.pop();
    for transaction in open {
        transaction.commit().await.unwrap();
    }
    eventually("only the one that is in use is left", async || match backends(&admin, &tenants).await {
        1 => Ok(()),
        left => Err(format!("{left} backends")),
    })
    .await;
    last.unwrap().commit().await.unwrap();
    for client in &clients {
        assert_eq!(database(client).await, tenants[0].route.database.as_str());
    }
    assert_eq!(backends(&admin, &tenants).await, 1);
}

#[tokio::test]
async fn sessions_and_transactions_share_one_budget_exactly() {
    let (world, tenants) = world(2, SHORT, &["malmo", "lund"]).await;
    let admin = world.server.connect("postgres").await;
    let session = world.connect("app_owner", "malmo").await;
    let mut pooled = world.connect("app", "malmo").await;
    let transaction = pooled.transaction().await.unwrap();
    let refused = world.try_connect("app", "lund").await.err().unwrap();
    assert_eq!(refused.code().unwrap().code(), "53300");
    let refused = world.try_connect("app_owner", "lund").await.err().unwrap();
    assert_eq!(refused.code().unwrap().code(), "53300");
    assert_eq!(backends(&admin, &tenants).await, 2);
    drop(session);
    let next = eventually("its place is free", async || world.try_connect("app", "lund").await.map_err(|e| e.to_string())).await;
    assert_eq!(database(&next).await, tenants[1].route.database.as_str());
    transaction.commit().await.unwrap();
    assert_eq!(backends(&admin, &tenants).await, 2);
}

#[tokio::test]
async fn a_session_has_an_idle_connection_of_another_tenant_closed() {
    let (world, tenants) = world(1, LONG, &["malmo", "lund"]).await;
    let admin = world.server.connect("postgres").await;
    let pooled = world.connect("app", "malmo").await;
    let session = world.connect("app_owner", "lund").await;
    assert_eq!(backends(&admin, &tenants).await, 1);
    drop(session);
    assert_eq!(database(&pooled).await, tenants[0].route.database.as_str());
    assert_eq!(backends(&admin, &tenants).await, 1);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_leaves_no_waiter_behind() {
    let (world, _) = world(1, LONG, &["malmo"]).await;
    let mut holder = world.connect("app", "malmo").await;
    holder.batch_execute("CREATE TABLE t (n int)").await.unwrap();
    let mut leaver = Raw::connect(&world).await;
    leaver.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
    leaver.prove(SECRET).await;
    leaver.until(b'Z').await;
    let transaction = holder.transaction().await.unwrap();
    leaver.send(b"Q\0\0\0\x1dINSERT INTO t VALUES (1)\0").await;
    drop(leaver);
    eventually("it is gone, though nothing came free", async || match world.proxy.counters().sessions_open() {
        1 => Ok(()),
        open => Err(format!("{open} sessions")),
    })
    .await;
    transaction.commit().await.unwrap();
    let next = world.connect("app", "malmo").await;
    let rows: i64 = next.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(rows, 0);
}
