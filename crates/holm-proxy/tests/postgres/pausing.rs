//! One tenant is paused: what is under way ends, what comes waits and is carried out afterwards, and nobody else notices.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use holm_core::error::ErrorCode;
use holm_core::route::{Route, RouteChange, RouteState};
use tokio::sync::mpsc;

use crate::raw::{Raw, startup};
use crate::sharing::{LONG, SHORT, backends, database, world};
use crate::support::{SECRET, Tenant, World, eventually};

async fn pause(world: &World, tenant: &Tenant, epoch: u64) {
    world.publish_and_wait([RouteChange::Route(Route { state: RouteState::Paused, epoch, ..tenant.route.clone() })]).await;
}

async fn resume(world: &World, tenant: &Tenant, epoch: u64) {
    world.publish_and_wait([RouteChange::Route(Route { epoch, ..tenant.route.clone() })]).await;
}

/// How many wait for a connection, on the one cluster that there is.
fn waiting(world: &World) -> usize {
    world.proxy.gauges().clusters().iter().map(|used| used.waiting).sum()
}

async fn until_waiting(world: &World, count: usize) {
    eventually(&format!("{count} wait"), async || match waiting(world) {
        found if found == count => Ok(()),
        found => Err(format!("{found} wait")),
    })
    .await;
}

async fn until_nobody_is_there(world: &World, tenants: &[Tenant]) {
    let admin = world.server.connect("postgres").await;
    eventually("nobody is there", async || match backends(&admin, tenants).await {
        0 => Ok(()),
        left => Err(format!("{left} backends")),
    })
    .await;
}

#[tokio::test]
async fn a_transaction_under_way_ends_and_the_next_one_waits_and_is_carried_out_without_an_error() {
    let (world, tenants) = world(4, LONG, &["malmo"]).await;
    let setup = world.connect("app", "malmo").await;
    setup.batch_execute("CREATE TABLE t (n int)").await.unwrap();
    let mut under_way = world.connect("app", "malmo").await;
    let next = world.connect("app", "malmo").await;
    let transaction = under_way.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    pause(&world, &tenants[0], 2).await;
    let work = tokio::spawn(async move {
        next.execute("INSERT INTO t VALUES (2)", &[]).await.unwrap();
        next
    });
    until_waiting(&world, 1).await;
    // The pause does not reach into a transaction, however many statements it still has.
    for n in 3..6 {
        transaction.execute("INSERT INTO t VALUES ($1)", &[&n]).await.unwrap();
    }
    transaction.commit().await.unwrap();
    // Nothing of it is there, although two of its clients are connected and one waits.
    until_nobody_is_there(&world, &tenants).await;
    assert_eq!(waiting(&world), 1);
    resume(&world, &tenants[0], 3).await;
    let next = work.await.unwrap();
    let rows: i64 = next.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(rows, 5);
    assert_eq!(database(&setup).await, tenants[0].route.database.as_str());
    assert_eq!(database(&under_way).await, tenants[0].route.database.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_tenants_of_the_cluster_notice_nothing() {
    let (world, tenants) = world(3, LONG, &["malmo", "lund", "ystad"]).await;
    let others = join_all(["lund", "ystad"].map(|slug| world.connect("app", slug))).await;
    let waiters = join_all((0..20).map(|_| world.connect("app", "malmo"))).await;
    join_all(waiters.iter().map(database)).await;
    pause(&world, &tenants[0], 2).await;
    let works: Vec<_> = waiters
        .into_iter()
        .map(|client| {
            tokio::spawn(async move {
                client.query_one("SELECT 1", &[]).await.unwrap();
            })
        })
        .collect();
    until_waiting(&world, 20).await;
    let begun = Instant::now();
    for _ in 0..200 {
        let (one, two) = tokio::join!(database(&others[0]), database(&others[1]));
        assert_eq!((one.as_str(), two.as_str()), (tenants[1].route.database.as_str(), tenants[2].route.database.as_str()));
    }
    // Far less than anybody would wait for one that is paused, and far more than 400 statements take.
    assert!(begun.elapsed() < LONG / 2, "{:?}", begun.elapsed());
    assert_eq!(waiting(&world), 20);
    resume(&world, &tenants[0], 3).await;
    for work in works {
        work.await.unwrap();
    }
    assert_eq!(world.proxy.counters().refused(ErrorCode::TenantPaused), 0);
}

#[tokio::test]
async fn who_waited_goes_on_in_the_order_in_which_they_came() {
    let (world, tenants) = world(1, LONG, &["malmo"]).await;
    let clients = join_all((0..8).map(|_| world.connect("app", "malmo"))).await;
    pause(&world, &tenants[0], 2).await;
    let (told, mut order) = mpsc::unbounded_channel();
    for (number, client) in clients.into_iter().enumerate() {
        let told = told.clone();
        tokio::spawn(async move {
            client.query_one("SELECT 1", &[]).await.unwrap();
            told.send(number).unwrap();
            // It stays connected until all were served.
            told.closed().await;
        });
        until_waiting(&world, number + 1).await;
    }
    resume(&world, &tenants[0], 3).await;
    let mut served = Vec::new();
    for _ in 0..8 {
        served.push(order.recv().await.unwrap());
    }
    assert_eq!(served, (0..8).collect::<Vec<_>>());
}

#[tokio::test]
async fn idle_connections_are_gone_when_the_pause_is_confirmed_and_none_is_opened() {
    let (world, tenants) = world(4, LONG, &["malmo"]).await;
    let clients = join_all((0..4).map(|_| world.connect("app", "malmo"))).await;
    for round in 0..5 {
        join_all(clients.iter().map(database)).await;
        pause(&world, &tenants[0], 2 + 2 * round).await;
        until_nobody_is_there(&world, &tenants).await;
        resume(&world, &tenants[0], 3 + 2 * round).await;
    }
}

#[tokio::test]
async fn who_waits_too_long_is_told_that_the_tenant_is_paused() {
    let (world, tenants) = world(2, SHORT, &["malmo"]).await;
    let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    pause(&world, &tenants[0], 2).await;
    let refused = one.query_one("SELECT 1", &[]).await.unwrap_err();
    let refused = refused.as_db_error().unwrap();
    assert_eq!((refused.code().code(), refused.severity()), ("57P03", "FATAL"));
    assert!(refused.message().starts_with("HOLM-5016: the tenant `malmo` is paused"), "{refused:?}");
    assert!(refused.hint().unwrap().contains("`holm tenant resume malmo`"), "{refused:?}");
    // A session of its own has nothing to wait on but the same.
    let session = world.try_connect("app_owner", "malmo").await.err().unwrap();
    assert_eq!(session.as_db_error().unwrap().code().code(), "57P03");
    assert_eq!(world.proxy.counters().refused(ErrorCode::TenantPaused), 2);
    resume(&world, &tenants[0], 3).await;
    assert_eq!(database(&other).await, tenants[0].route.database.as_str());
}

#[tokio::test]
async fn a_new_client_gets_in_while_another_is_there_and_its_first_transaction_waits() {
    let (world, tenants) = world(2, LONG, &["malmo"]).await;
    let first = world.connect("app", "malmo").await;
    pause(&world, &tenants[0], 2).await;
    let second = world.connect("app", "malmo").await;
    let work = tokio::spawn(async move { database(&second).await });
    until_waiting(&world, 1).await;
    resume(&world, &tenants[0], 3).await;
    assert_eq!(work.await.unwrap(), tenants[0].route.database.as_str());
    drop(first);
}

#[tokio::test]
async fn a_client_that_leaves_while_its_tenant_is_paused_leaves_no_waiter_and_nothing_of_it_is_done() {
    let (world, tenants) = world(2, LONG, &["malmo"]).await;
    let stays = world.connect("app", "malmo").await;
    stays.batch_execute("CREATE TABLE t (n int)").await.unwrap();
    let mut leaver = Raw::connect(&world).await;
    leaver.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
    leaver.prove(SECRET).await;
    leaver.until(b'Z').await;
    pause(&world, &tenants[0], 2).await;
    leaver.send(b"Q\0\0\0\x1dINSERT INTO t VALUES (1)\0").await;
    until_waiting(&world, 1).await;
    drop(leaver);
    until_waiting(&world, 0).await;
    resume(&world, &tenants[0], 3).await;
    let rows: i64 = stays.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn a_client_with_a_connection_of_its_own_goes_on_and_one_that_waits_can_be_suspended() {
    let (world, tenants) = world(4, LONG, &["malmo"]).await;
    let session = world.connect("app_owner", "malmo").await;
    let pinned = world.connect("app", "malmo").await;
    pinned.batch_execute("LISTEN news").await.unwrap();
    let waits = world.connect("app", "malmo").await;
    pause(&world, &tenants[0], 2).await;
    for _ in 0..3 {
        assert_eq!(database(&session).await, tenants[0].route.database.as_str());
        assert_eq!(database(&pinned).await, tenants[0].route.database.as_str());
    }
    let admin = world.server.connect("postgres").await;
    assert_eq!(backends(&admin, &tenants).await, 2, "they are waited for");
    let waits = tokio::spawn(async move { waits.query_one("SELECT 1", &[]).await.unwrap_err().to_string() });
    until_waiting(&world, 1).await;
    world.publish_and_wait([RouteChange::Route(Route { state: RouteState::Suspended, epoch: 3, ..tenants[0].route.clone() })]).await;
    until_nobody_is_there(&world, &tenants).await;
    assert!(!waits.await.unwrap().is_empty());
    assert_eq!(waiting(&world), 0);
}

/// Pauses come at random in the middle of transactions of two statements each: nobody ever sees half of one, or an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_transaction_is_lost_or_torn_however_often_its_tenant_is_paused() {
    let (world, tenants) = world(3, LONG, &["malmo", "lund"]).await;
    let setup = world.connect("app", "malmo").await;
    setup.batch_execute("CREATE TABLE t (n int)").await.unwrap();
    let mut clients = join_all((0..6).map(|_| world.connect("app", "malmo"))).await;
    let work = join_all(clients.iter_mut().map(async |client| {
        for n in 0..30 {
            let transaction = client.transaction().await.unwrap();
            transaction.execute("INSERT INTO t VALUES ($1)", &[&n]).await.unwrap();
            transaction.execute("INSERT INTO t VALUES ($1)", &[&n]).await.unwrap();
            transaction.commit().await.unwrap();
        }
    }));
    let pauses = async {
        for round in 0..30 {
            pause(&world, &tenants[0], 2 + 2 * round).await;
            resume(&world, &tenants[0], 3 + 2 * round).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(work, pauses) }).await.expect("nobody waits for ever");
    let rows: i64 = setup.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(rows, 6 * 30 * 2);
}
