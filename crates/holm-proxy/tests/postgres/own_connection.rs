//! What a client sees while it has a server connection of its own: nobody else has it, and it hears when the server goes.

use futures_util::future::join_all;
use holm_core::route::RouteChange;

use crate::raw::{Raw, startup};
use crate::support::{SECRET, World, cluster, eventually};

#[tokio::test]
async fn r86_r95_a_tenant_that_nobody_used_holds_no_connection_and_one_that_was_used_none_that_others_need() {
    let world = World::new().await;
    let (used, cold) = tokio::join!(world.tenant("malmo"), world.tenant("lund"));
    world.publish_and_wait([RouteChange::Cluster(cluster("production", &world.server.address, 5))]).await;
    let admin = world.server.connect("postgres").await;
    let clients: Vec<_> = join_all((0..5).map(|_| world.connect("app", "malmo"))).await;
    assert_eq!((world.backends(&admin, &used).await, world.backends(&admin, &cold).await), (5, 0));
    assert_eq!(world.proxy.counters().sessions_open(), 5);
    drop(clients);
    let others = join_all((0..5).map(|_| world.connect("app", "lund"))).await;
    assert_eq!((world.backends(&admin, &used).await, world.backends(&admin, &cold).await), (0, 5));
    drop(others);
    eventually("no session is left", async || match world.proxy.counters().sessions_open() {
        0 => Ok(()),
        left => Err(format!("{left} sessions")),
    })
    .await;
}

#[tokio::test]
async fn a_backend_that_is_killed_says_why_and_a_server_that_vanishes_is_reported() {
    let server: &'static _ = Box::leak(Box::new(holm_testkit::new_server(&[]).await));
    let world = World::with(crate::support::config(), server).await;
    let malmo = world.tenant("malmo").await;
    let admin = server.connect("postgres").await;
    let client = world.connect("app", "malmo").await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    admin.query_one(sql, &[&malmo.route.database.as_str()]).await.unwrap();
    let error = client.query_one("SELECT 1", &[]).await.unwrap_err();
    assert!(error.is_closed() || error.code().is_some_and(|code| code.code() == "57P01"), "{error:?}");

    let mut raw = Raw::connect(&world).await;
    raw.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
    raw.prove(SECRET).await;
    raw.until(b'Z').await;
    server.kill().await;
    let said = String::from_utf8_lossy(&raw.rest().await).into_owned();
    assert!(said.contains("C08006") && said.contains("HOLM-5007") || said.contains("C57P0"), "{said}");
    let error = world.try_connect("app", "malmo").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "08006");
    server.restart().await;
    let client = eventually("it serves again", async || world.try_connect("app", "malmo").await.map_err(|error| error.to_string())).await;
    assert!(client.query_one("SELECT 1", &[]).await.is_ok());
}
