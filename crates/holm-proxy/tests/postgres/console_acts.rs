//! What is done from the console: to one tenant, to one client, to server connections, and by whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use holm_core::route::{Route, RouteChange, RouteState};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::console::{Row, console, show, told, world};
use crate::sharing::{backends, database};
use crate::support::{PATIENCE, World, eventually};

async fn say(console: &Client, command: &str) {
    timeout(PATIENCE, console.simple_query(command)).await.expect("in time").unwrap_or_else(|error| panic!("{command}: {error:?}"));
}

async fn refused(console: &Client, command: &str) -> (String, String) {
    told(&console.simple_query(command).await.err().unwrap_or_else(|| panic!("{command} was done")))
}

fn waiting(world: &World) -> usize {
    world.proxy.gauges().clusters().iter().map(|used| used.waiting).sum()
}

async fn until_one_waits(world: &World) {
    eventually("one waits", async || match waiting(world) {
        1 => Ok(()),
        found => Err(format!("{found} wait")),
    })
    .await;
}

/// The process that serves a client now.
async fn pid(client: &Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0)
}

async fn is_paused(console: &Client, name: &str) -> bool {
    show(console, "DATABASES").await.iter().any(|row| row["name"] == format!("{name}@production") && row["paused"] == "1")
}

#[tokio::test]
async fn whoever_may_only_look_on_changes_nothing() {
    let (world, _) = world(&["malmo"]).await;
    let (client, watch) = (world.connect("app", "malmo").await, console(&world, "watch").await);
    let before = pid(&client).await;
    let id = show(&watch, "CLIENTS").await[0]["id"].clone();
    let kill_client = format!("KILL_CLIENT {id}");
    for command in
        ["PAUSE malmo", "RESUME malmo", "KILL malmo", "RECONNECT", "RECONNECT malmo", "WAIT_CLOSE", &kill_client, "RELOAD", "SET x = 1"]
    {
        assert_eq!(refused(&watch, command).await.0, "42501", "{command}");
    }
    assert_eq!(pid(&client).await, before);
    assert!(!is_paused(&watch, "malmo").await);
}

#[tokio::test]
async fn a_pause_waits_for_what_is_under_way_holds_what_comes_and_loses_none_of_it() {
    let (world, tenants) = world(&["malmo", "lund"]).await;
    let (mut one, two, other) =
        (world.connect("app", "malmo").await, world.connect("app", "malmo").await, world.connect("churn", "lund").await);
    two.batch_execute("CREATE TABLE t (n int)").await.unwrap();
    let transaction = one.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    let (ops, watch) = (console(&world, "ops").await, console(&world, "watch").await);
    let pausing = tokio::spawn(async move {
        say(&ops, "PAUSE malmo;").await;
        ops
    });
    eventually("it is paused", async || if is_paused(&watch, "malmo").await { Ok(()) } else { Err("not yet".to_owned()) }).await;
    let next = tokio::spawn(async move {
        two.execute("INSERT INTO t VALUES (2)", &[]).await.unwrap();
        two
    });
    until_one_waits(&world).await;
    // It is not done while the transaction goes on, however often anybody looks.
    for n in 3..6 {
        transaction.execute("INSERT INTO t VALUES ($1)", &[&n]).await.unwrap();
        assert!(!pausing.is_finished());
    }
    transaction.commit().await.unwrap();
    let ops = timeout(PATIENCE, pausing).await.expect("it is done when the transaction is").unwrap();
    let admin = world.server.connect("postgres").await;
    eventually("nobody is there", async || match backends(&admin, &tenants[..1]).await {
        0 => Ok(()),
        left => Err(format!("{left} backends")),
    })
    .await;
    assert_eq!(database(&other).await, tenants[1].route.database.as_str(), "another tenant notices nothing");
    assert_eq!(waiting(&world), 1);
    say(&ops, "RESUME malmo").await;
    let two = next.await.unwrap();
    let rows: i64 = two.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0);
    assert_eq!(rows, 5);
    let (code, words) = refused(&ops, "RESUME malmo").await;
    assert_eq!(code, "55000");
    assert!(words.contains("is not paused"), "{words}");
}

#[tokio::test]
async fn a_pause_stands_when_the_console_that_asked_for_it_leaves() {
    let (world, _) = world(&["malmo"]).await;
    let (mut one, two) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    let transaction = one.transaction().await.unwrap();
    let (leaving, watch) = (console(&world, "ops").await, console(&world, "ops").await);
    let pausing = tokio::spawn(async move { leaving.simple_query("PAUSE malmo").await.map(drop) });
    eventually("it is paused", async || if is_paused(&watch, "malmo").await { Ok(()) } else { Err("not yet".to_owned()) }).await;
    pausing.abort();
    transaction.commit().await.unwrap();
    let next = tokio::spawn(async move { two.simple_query("SELECT 1").await.map(drop) });
    until_one_waits(&world).await;
    say(&watch, "RESUME malmo").await;
    next.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_pause_of_all_nodes_is_not_ended_from_the_console_of_one() {
    let (world, tenants) = world(&["malmo"]).await;
    let client = world.connect("app", "malmo").await;
    let everywhere = |state, epoch| RouteChange::Route(Route { state, epoch, ..tenants[0].route.clone() });
    world.publish_and_wait([everywhere(RouteState::Paused, 2)]).await;
    let ops = console(&world, "ops").await;
    let (code, words) = refused(&ops, "RESUME malmo").await;
    assert_eq!(code, "55000");
    assert!(words.contains("`holm tenant resume malmo`"), "{words}");
    // Paused twice, it is resumed twice, in any order.
    say(&ops, "PAUSE malmo").await;
    say(&ops, "RESUME malmo").await;
    assert!(is_paused(&ops, "malmo").await);
    say(&ops, "PAUSE malmo").await;
    world.publish_and_wait([everywhere(RouteState::Serving, 3)]).await;
    assert!(is_paused(&ops, "malmo").await);
    let next = tokio::spawn(async move { client.simple_query("SELECT 1").await.map(drop) });
    until_one_waits(&world).await;
    say(&ops, "RESUME malmo").await;
    next.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_kill_ends_a_tenants_sessions_and_no_others_until_it_is_resumed() {
    let (world, tenants) = world(&["malmo", "lund"]).await;
    let (idle, mut busy, owner, other) = (
        world.connect("app", "malmo").await,
        world.connect("app", "malmo").await,
        world.connect("app_owner", "malmo").await,
        world.connect("churn", "lund").await,
    );
    let transaction = busy.transaction().await.unwrap();
    let ops = console(&world, "ops").await;
    say(&ops, "KILL malmo").await;
    for client in [&idle, &owner] {
        let error = client.simple_query("SELECT 1").await.unwrap_err();
        assert!(error.is_closed() || error.code().is_some_and(|code| code.code() == "57P01"), "{error:?}");
    }
    transaction.simple_query("SELECT 1").await.unwrap_err();
    assert!(is_paused(&ops, "malmo").await, "it is shown although nobody is there");
    assert_eq!(database(&other).await, tenants[1].route.database.as_str());
    let admin = world.server.connect("postgres").await;
    eventually("nobody is there", async || match backends(&admin, &tenants[..1]).await {
        0 => Ok(()),
        left => Err(format!("{left} backends")),
    })
    .await;
    let url = world.url("churn", "malmo");
    let back = tokio::spawn(async move {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        database(&client).await
    });
    until_one_waits(&world).await;
    say(&ops, "RESUME malmo").await;
    assert_eq!(back.await.unwrap(), tenants[0].route.database.as_str());
}

#[tokio::test]
async fn one_client_is_ended_by_its_number_and_only_that_one() {
    let (world, _) = world(&["malmo"]).await;
    let (one, two) = (world.connect("app", "malmo").await, world.connect("churn", "malmo").await);
    let ops = console(&world, "ops").await;
    let clients = show(&ops, "CLIENTS").await;
    let id = &clients.iter().find(|row| row["user"] == "app").unwrap()["id"];
    say(&ops, &format!("KILL_CLIENT {id}")).await;
    assert!(one.simple_query("SELECT 1").await.is_err());
    two.simple_query("SELECT 1").await.unwrap();
    assert_eq!(show(&ops, "CLIENTS").await.len(), 1);
    for gone in [id.as_str(), "0", "99999999999999999999999999"] {
        assert_eq!(refused(&ops, &format!("KILL_CLIENT {gone}")).await.0, "22023", "{gone}");
    }
}

#[tokio::test]
async fn server_connections_are_replaced_when_their_transaction_is_over_and_that_can_be_waited_for() {
    let (world, _) = world(&["malmo", "lund"]).await;
    let (mut busy, idle, other) =
        (world.connect("app", "malmo").await, world.connect("app", "malmo").await, world.connect("churn", "lund").await);
    let transaction = busy.transaction().await.unwrap();
    let held: i32 = transaction.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let (before, of_lund) = (pid(&idle).await, pid(&other).await);
    assert_ne!(held, before);
    let (ops, second) = (console(&world, "ops").await, console(&world, "ops").await);
    say(&ops, "RECONNECT malmo").await;
    let needed = |servers: Vec<Row>| {
        servers.into_iter().filter(|row| row["close_needed"] == "1").map(|row| row["remote_pid"].clone()).collect::<Vec<_>>()
    };
    // The worker of one that was just answered may not have taken it back yet.
    eventually("only what has a transaction is still to be closed", async || match needed(show(&ops, "SERVERS").await) {
        pids if pids == [held.to_string()] => Ok(()),
        others => Err(format!("{others:?}")),
    })
    .await;
    let closed = tokio::spawn(async move { say(&second, "WAIT_CLOSE malmo").await });
    let renewed = pid(&idle).await;
    assert!(![before, held].contains(&renewed), "a new one at once");
    for _ in 0..3 {
        let still: i32 = transaction.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        assert_eq!(still, held, "a transaction keeps its own");
        assert!(!closed.is_finished());
    }
    transaction.commit().await.unwrap();
    timeout(PATIENCE, closed).await.expect("it is closed when its transaction is over").unwrap();
    assert_ne!(pid(&busy).await, held);
    assert_eq!(pid(&other).await, of_lund, "another tenant keeps its own");
    say(&ops, "RECONNECT").await;
    say(&ops, "WAIT_CLOSE").await;
    assert_ne!(pid(&other).await, of_lund);
}

#[tokio::test]
async fn a_session_with_a_server_connection_of_its_own_is_waited_for_until_it_goes() {
    let (world, _) = world(&["malmo"]).await;
    let owner = world.connect("app_owner", "malmo").await;
    let (ops, watch) = (console(&world, "ops").await, console(&world, "watch").await);
    say(&ops, "RECONNECT malmo").await;
    assert_eq!(show(&watch, "SERVERS").await[0]["close_needed"], "1");
    let closed = tokio::spawn(async move { say(&ops, "WAIT_CLOSE malmo").await });
    for _ in 0..3 {
        pid(&owner).await;
        assert!(!closed.is_finished());
    }
    drop(owner);
    timeout(PATIENCE, closed).await.expect("it is closed when its client goes").unwrap();
}

#[tokio::test]
async fn what_is_done_elsewhere_in_holm_says_where() {
    let (world, _) = world(&["malmo"]).await;
    let ops = console(&world, "ops").await;
    for (command, code, next) in [
        ("SHUTDOWN", "0A000", "SIGTERM"),
        ("RELOAD", "0A000", "SIGHUP"),
        ("SUSPEND", "0A000", "PAUSE <tenant>"),
        ("DISABLE malmo", "0A000", "holm tenant suspend"),
        ("ENABLE malmo", "0A000", "holm tenant resume"),
        ("SET default_pool_size = 5", "0A000", "holm tenant limits"),
        ("PAUSE", "22023", "PAUSE <tenant>"),
        ("KILL", "22023", "KILL <tenant>"),
        ("PAUSE nobody", "3D000", "SHOW DATABASES"),
        ("PAUSE \"Malmo\"", "3D000", "SHOW DATABASES"),
        ("BEGIN", "22023", "SHOW HELP"),
    ] {
        let (told, words) = refused(&ops, command).await;
        assert_eq!(told, code, "{command}");
        assert!(words.contains(next), "{command}: {words}");
    }
}

#[tokio::test]
async fn a_name_that_tenants_of_two_environments_have_is_said_with_its_environment() {
    let (world, _) = world(&["malmo"]).await;
    world.tenant_in("staging", "malmo", &[]).await;
    let client = world.connect("churn", "malmo").await;
    client.simple_query("SELECT 1").await.unwrap();
    let ops = console(&world, "ops").await;
    let (code, words) = refused(&ops, "PAUSE malmo").await;
    assert_eq!(code, "3D000");
    assert!(words.contains("`malmo@production` or `malmo@staging`"), "{words}");
    say(&ops, "PAUSE malmo@production").await;
    say(&ops, "RESUME \"malmo@production\"").await;
    assert_eq!(show(&ops, "POOLS").await[0]["database"], "malmo@production");
}

/// Clients that do one transaction after the other until told to stop; gives how many they did.
fn traffic(clients: Vec<Client>, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<i64>> {
    let one = |mut client: Client, stop: Arc<AtomicBool>| async move {
        let mut done = 0;
        while !stop.load(Ordering::SeqCst) {
            let transaction = client.transaction().await.unwrap();
            transaction.simple_query("UPDATE t SET n = n + 1").await.unwrap();
            transaction.commit().await.unwrap();
            done += 1;
        }
        done
    };
    clients.into_iter().map(|client| tokio::spawn(one(client, Arc::clone(stop)))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_transaction_is_lost_however_often_connections_are_replaced_and_the_tenant_paused() {
    let (world, tenants) = world(&["malmo"]).await;
    let setup = world.connect("app", "malmo").await;
    setup.batch_execute("CREATE TABLE t (n bigint); INSERT INTO t VALUES (0)").await.unwrap();
    let clients = join_all((0..8).map(|_| world.connect("churn", "malmo"))).await;
    let stop = Arc::new(AtomicBool::new(false));
    let traffic = traffic(clients, &stop);
    let (ops, admin) = (console(&world, "ops").await, world.server.connect("postgres").await);
    for _ in 0..10 {
        for command in ["RECONNECT malmo", "WAIT_CLOSE malmo", "PAUSE malmo"] {
            say(&ops, command).await;
        }
        // What a pause promises, as the server sees it: one that it has just closed may still be on its way out.
        eventually("nobody is there", async || match backends(&admin, &tenants).await {
            0 => Ok(()),
            left => Err(format!("{left} backends")),
        })
        .await;
        say(&ops, "RESUME malmo").await;
    }
    stop.store(true, Ordering::SeqCst);
    let done: i64 = join_all(traffic).await.into_iter().map(Result::unwrap).sum();
    let counted: i64 = setup.query_one("SELECT n FROM t", &[]).await.unwrap().get(0);
    assert!(done > 0);
    assert_eq!(counted, done);
}
