//! A cluster never sees more connections than its budget, and a client beyond it is told which limit it met.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use holm_core::error::ErrorCode;
use holm_core::route::RouteChange;
use holm_proxy::postgres::ProxyConfig;

use crate::support::{World, cluster, config, eventually};

const LIMIT: u32 = 4;

/// A proxy that refuses at once what it has no connection for.
async fn impatient() -> World {
    let config = ProxyConfig { wait_for_session: Duration::ZERO, ..config() };
    World::with(config, holm_testkit::server().await).await
}

#[tokio::test]
async fn one_client_too_many_is_refused_with_the_limit_and_let_in_when_another_has_gone() {
    let world = impatient().await;
    tokio::join!(world.tenant("malmo"), world.tenant("lund"));
    world.publish([RouteChange::Cluster(cluster("production", &world.server.address, LIMIT))]);
    let mut clients = vec![world.connect("app", "malmo").await, world.connect("app", "malmo").await];
    clients.extend([world.connect("app", "lund").await, world.connect("app", "lund").await]);
    let error = world.try_connect("app", "lund").await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!((error.code().code(), error.severity()), ("53300", "FATAL"));
    assert!(error.message().contains("HOLM-5004"), "{error:?}");
    assert!(error.detail().unwrap().contains("all 4 connections that cluster `production-1` may have"), "{error:?}");
    assert!(error.hint().unwrap().contains("connections_max"), "{error:?}");
    assert_eq!(world.proxy.counters().refused(ErrorCode::NoConnectionLeft), 1);
    clients.pop();
    eventually("the place is free again", async || world.try_connect("app", "malmo").await.map_err(|error| error.to_string())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_holds_while_clients_come_and_go_in_every_way() {
    let world = impatient().await;
    let tenants = [world.tenant("malmo").await, world.tenant("lund").await];
    world.publish([RouteChange::Cluster(cluster("production", &world.server.address, LIMIT))]);
    let admin = world.server.connect("postgres").await;
    let names: Vec<&str> = tenants.iter().map(|tenant| tenant.route.database.as_str()).collect();
    let over = AtomicBool::new(false);
    let churn = async |tenant: &str| {
        let mut sessions = 0_u32;
        for round in 0..60 {
            if let Ok(client) = world.try_connect("churn", tenant).await {
                sessions += 1;
                match round % 3 {
                    0 => drop(client.query_one("SELECT 1", &[]).await),
                    // Gone in the middle of a statement.
                    1 => {
                        drop(tokio::time::timeout(Duration::from_millis(3), client.batch_execute("SELECT pg_sleep(0.02)")).await);
                    }
                    _ => {}
                }
            }
        }
        sessions
    };
    let watch = async {
        let mut most = 0;
        while !over.load(Ordering::SeqCst) {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = ANY($1) AND backend_type = 'client backend'";
            most = most.max(admin.query_one(sql, &[&names]).await.unwrap().get::<_, i64>(0));
        }
        most
    };
    let clients = async {
        let sessions = tokio::join!(churn("malmo"), churn("malmo"), churn("malmo"), churn("lund"), churn("lund"), churn("lund"));
        over.store(true, Ordering::SeqCst);
        [sessions.0, sessions.1, sessions.2, sessions.3, sessions.4, sessions.5]
    };
    let (most, sessions) = tokio::join!(watch, clients);
    assert!(most <= i64::from(LIMIT), "{most} backends");
    assert!(sessions.iter().sum::<u32>() > 20, "{sessions:?}");
    assert!(world.proxy.counters().refused(ErrorCode::NoConnectionLeft) > 0, "the limit was met");
}

#[tokio::test]
async fn a_proxy_that_is_full_says_so_and_has_room_again_later() {
    let mut small = config();
    small.clients_max = 2;
    let world = World::with(small, holm_testkit::server().await).await;
    world.tenant("malmo").await;
    let mut clients = vec![world.connect("app", "malmo").await, world.connect("app", "malmo").await];
    let error = world.try_connect("app", "malmo").await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "53300");
    assert!(error.message().contains("HOLM-5012") && error.hint().is_some(), "{error:?}");
    clients.pop();
    eventually("there is room again", async || world.try_connect("app", "malmo").await.map_err(|error| error.to_string())).await;
}
