//! In session pooling: who gets a server connection that a client has left, who never does, and when nobody may.

use futures_util::future::join_all;
use holm_core::route::{Route, RouteChange, RouteState};
use holm_proxy::postgres::ProxyConfig;
use tokio_postgres::{Client, NoTls};

use crate::console::{console, show, world as with_console};
use crate::handed_on::{left, pid, until_all_have_left};
use crate::support::{Tenant, World, cluster, config, eventually};

/// A client whose URL says more.
async fn connect_with(world: &World, user: &str, tenant: &str, more: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&format!("{}{more}", world.url(user, tenant)), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Has a tenant's session come and go, and leave its connection.
async fn come_and_go(world: &World, user: &str, tenant: &str) -> i32 {
    let client = world.connect(user, tenant).await;
    let server = pid(&client).await;
    drop(client);
    until_all_have_left(world).await;
    server
}

async fn until_backends(world: &World, tenant: &Tenant, expected: i64) {
    let admin = world.server.connect("postgres").await;
    eventually("as many backends", async || match world.backends(&admin, tenant).await {
        found if found == expected => Ok(()),
        found => Err(format!("{found}, not {expected}")),
    })
    .await;
}

#[tokio::test]
async fn only_who_asks_for_the_same_of_the_same_tenant_gets_what_another_left() {
    let world = World::new().await;
    tokio::join!(world.tenant("malmo"), world.tenant("lund"), world.tenant_in("staging", "malmo", &[]));
    let server = come_and_go(&world, "app", "malmo").await;
    let mut seen = vec![server];
    for (user, tenant, more) in [
        ("app", "lund", ""),
        ("staging_app", "malmo", ""),
        ("app_owner", "malmo", ""),
        ("app_ro", "malmo", ""),
        ("app", "malmo", "?options=-c%20work_mem%3D1MB"),
        ("app", "malmo", "?application_name=another"),
        ("app", "malmo", "?options=-c%20holm.pooling%3Dtransaction"),
    ] {
        let other = pid(&connect_with(&world, user, tenant, more).await).await;
        assert!(!seen.contains(&other), "{user} {tenant} {more}");
        seen.push(other);
        until_all_have_left(&world).await;
    }
    // Another credential of the same level is the same role.
    assert_eq!(come_and_go(&world, "churn", "malmo").await, server);
    assert_eq!(world.proxy.counters().connects.count(), 8);
}

#[tokio::test]
async fn who_waits_gets_the_connection_of_the_session_that_leaves() {
    let world = World::new().await;
    world.tenant("malmo").await;
    world.publish_and_wait([RouteChange::Cluster(cluster("production", &world.server.address, 1))]).await;
    let one = world.connect("app", "malmo").await;
    let server = pid(&one).await;
    let waiting = async {
        let next = world.connect("app", "malmo").await;
        (pid(&next).await, next)
    };
    let leaving = async {
        let gauges = world.proxy.gauges();
        eventually("somebody waits", async || match gauges.clusters().iter().map(|used| used.waiting).sum() {
            1_usize => Ok(()),
            waiting => Err(format!("{waiting} wait")),
        })
        .await;
        drop(one);
    };
    let ((now, _next), ()) = tokio::join!(waiting, leaving);
    assert_eq!((now, world.proxy.counters().connects.count()), (server, 1));
}

#[tokio::test]
async fn what_nobody_uses_makes_room_for_another_tenant_that_waits() {
    let world = World::new().await;
    let (malmo, lund) = tokio::join!(world.tenant("malmo"), world.tenant("lund"));
    world.publish_and_wait([RouteChange::Cluster(cluster("production", &world.server.address, 2))]).await;
    let clients = join_all((0..2).map(|_| world.connect("app", "malmo"))).await;
    drop(clients);
    until_all_have_left(&world).await;
    until_backends(&world, &malmo, 2).await;
    let admin = world.server.connect("postgres").await;
    let one = world.connect("app", "lund").await;
    assert_eq!(world.backends(&admin, &malmo).await + world.backends(&admin, &lund).await, 2);
    let two = world.connect("app", "lund").await;
    assert_eq!((world.backends(&admin, &malmo).await, world.backends(&admin, &lund).await), (0, 2));
    drop((one, two));
}

#[tokio::test]
async fn who_leaves_while_another_tenant_waits_leaves_nothing() {
    let world = World::new().await;
    let (malmo, _) = tokio::join!(world.tenant("malmo"), world.tenant("lund"));
    world.publish_and_wait([RouteChange::Cluster(cluster("production", &world.server.address, 1))]).await;
    let one = world.connect("app", "malmo").await;
    let leaving = async {
        let gauges = world.proxy.gauges();
        eventually("somebody waits", async || match gauges.clusters().iter().map(|used| used.waiting).sum() {
            1_usize => Ok(()),
            waiting => Err(format!("{waiting} wait")),
        })
        .await;
        drop(one);
    };
    let (_other, ()) = tokio::join!(world.connect("app", "lund"), leaving);
    until_backends(&world, &malmo, 0).await;
}

#[tokio::test]
async fn a_suspension_closes_what_a_session_left_before_it_is_acknowledged() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    for epoch in [2, 4] {
        come_and_go(&world, "app", "malmo").await;
        assert_eq!(world.backends(&admin, &malmo).await, 1);
        world.publish_and_wait([RouteChange::Route(Route { state: RouteState::Suspended, epoch, ..malmo.route.clone() })]).await;
        assert_eq!(world.backends(&admin, &malmo).await, 0);
        world.publish_and_wait([RouteChange::Route(Route { epoch: epoch + 1, ..malmo.route.clone() })]).await;
    }
}

#[tokio::test]
async fn a_suspension_that_comes_while_sessions_leave_leaves_none_of_their_connections() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    for round in 0..20 {
        let clients = join_all((0..4).map(|_| world.connect("churn", "malmo"))).await;
        let epoch = 2 * round + 2;
        let suspended = RouteChange::Route(Route { state: RouteState::Suspended, epoch, ..malmo.route.clone() });
        let ((), ()) = tokio::join!(async { drop(clients) }, world.publish_and_wait([suspended]));
        assert_eq!(world.backends(&admin, &malmo).await, 0, "round {round}");
        world.publish_and_wait([RouteChange::Route(Route { epoch: epoch + 1, ..malmo.route.clone() })]).await;
    }
}

#[tokio::test]
async fn who_came_by_an_older_route_hands_nothing_on_to_those_of_the_new_one() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let idle = come_and_go(&world, "app", "malmo").await;
    world.publish_and_wait([RouteChange::Route(Route { epoch: 2, ..malmo.route.clone() })]).await;
    assert_eq!(world.backends(&admin, &malmo).await, 0, "what nobody has is closed");
    let client = world.connect("app", "malmo").await;
    let server = pid(&client).await;
    world.publish_and_wait([RouteChange::Route(Route { epoch: 3, ..malmo.route.clone() })]).await;
    assert_eq!(pid(&client).await, server, "what a client has it keeps");
    drop(client);
    until_all_have_left(&world).await;
    let next = pid(&world.connect("app", "malmo").await).await;
    assert!(next != idle && next != server);
    assert_eq!(left(&world).1, 1);
}

#[tokio::test]
async fn a_node_that_ends_leaves_no_connection() {
    let world = World::with(ProxyConfig { workers: 2, ..config() }, holm_testkit::server().await).await;
    let malmo = world.tenant("malmo").await;
    come_and_go(&world, "app", "malmo").await;
    let World { proxy, server, publisher, .. } = world;
    proxy.shutdown(std::time::Duration::from_secs(5)).await;
    let admin = server.connect("postgres").await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
    let left: i64 = admin.query_one(sql, &[&malmo.route.database.as_str()]).await.unwrap().get(0);
    assert_eq!(left, 0);
    drop(publisher);
}

#[tokio::test]
async fn the_console_shows_what_sessions_left_and_has_it_replaced() {
    let (world, tenants) = with_console(&["malmo"]).await;
    let ops = console(&world, "ops").await;
    let server = come_and_go(&world, "app_owner", "malmo").await;
    let pools = show(&ops, "POOLS").await;
    let [pool] = pools.as_slice() else { panic!("{pools:?}") };
    let shown = ["user", "cl_active", "sv_active", "sv_idle", "sv_tested", "sv_login", "pool_mode"].map(|column| pool[column].as_str());
    assert_eq!(shown, ["owner", "0", "0", "1", "0", "0", "session"]);
    let servers = show(&ops, "SERVERS").await;
    assert_eq!((servers.len(), servers[0]["state"].as_str(), servers[0]["remote_pid"].parse()), (1, "idle", Ok(server)));
    let client = world.connect("app_owner", "malmo").await;
    assert_eq!(pid(&client).await, server);
    let servers = show(&ops, "SERVERS").await;
    assert_eq!((servers.len(), servers[0]["state"].as_str()), (1, "active"));
    ops.simple_query("RECONNECT").await.unwrap();
    assert_eq!(pid(&client).await, server, "it goes with its client");
    drop(client);
    ops.simple_query("WAIT_CLOSE").await.unwrap();
    until_backends(&world, &tenants[0], 0).await;
    let other = come_and_go(&world, "app_owner", "malmo").await;
    assert_ne!(other, server);
    ops.simple_query("PAUSE malmo").await.unwrap();
    until_backends(&world, &tenants[0], 0).await;
    ops.simple_query("RESUME malmo").await.unwrap();
    assert_ne!(come_and_go(&world, "app_owner", "malmo").await, other);
}
