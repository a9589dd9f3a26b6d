//! A cancel reaches the session whose key it carries, and no other.

use holm_pgwire::message;
use tokio_postgres::NoTls;

use crate::raw::{Raw, query, startup};
use crate::support::{SECRET, World, eventually};

const LONG: &str = "SELECT pg_sleep(600)";

/// A session by raw bytes: the connection, its process id and its cancel key.
async fn session(world: &World, minor: u16, tenant: &str) -> (Raw, u32, Vec<u8>) {
    let mut raw = Raw::connect(world).await;
    raw.send(&startup(minor, &[("user", "app"), ("database", tenant)])).await;
    raw.prove(SECRET).await;
    let messages = raw.until(b'Z').await;
    let (_, data) = messages.iter().find(|(tag, _)| *tag == b'K').unwrap();
    (raw, u32::from_be_bytes(data[..4].try_into().unwrap()), data[4..].to_vec())
}

async fn cancel(world: &World, process: u32, key: &[u8]) {
    let mut packet = Vec::new();
    message::cancel_request(&mut packet, process, key);
    let mut raw = Raw::connect(world).await;
    raw.send(&packet).await;
    assert_eq!(raw.rest().await, b"", "a cancel request is not answered");
}

async fn is_sleeping(world: &World, admin: &tokio_postgres::Client, database: &str) -> bool {
    let _ = world;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep'";
    admin.query_one(sql, &[&database]).await.unwrap().get::<_, i64>(0) == 1
}

#[tokio::test]
async fn a_driver_cancels_its_own_statement() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let client = world.connect("app", "malmo").await;
    let token = client.cancel_token();
    let running = tokio::spawn(async move { client.batch_execute(LONG).await });
    eventually("the statement runs", async || {
        is_sleeping(&world, &admin, malmo.route.database.as_str()).await.then_some(()).ok_or_else(|| "not yet".into())
    })
    .await;
    token.cancel_query(NoTls).await.unwrap();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.code().unwrap().code(), "57014");
}

#[tokio::test]
async fn a_key_of_3_2_works_and_one_bit_of_it_more_or_less_does_nothing() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    world.tenant("lund").await;
    let admin = world.server.connect("postgres").await;
    let (mut raw, process, key) = session(&world, 2, "malmo").await;
    let (_other, other_process, other_key) = session(&world, 2, "lund").await;
    raw.send(&query(LONG)).await;
    eventually("the statement runs", async || {
        is_sleeping(&world, &admin, malmo.route.database.as_str()).await.then_some(()).ok_or_else(|| "not yet".into())
    })
    .await;
    for (process, key) in [
        (process, [&[key[0] ^ 1], &key[1..]].concat()),
        (process, [&key[..31], &[key[31] ^ 1]].concat()),
        (process, key[..31].to_vec()),
        (process, key[..4].to_vec()),
        (process, other_key.clone()),
        (other_process, key.clone()),
        (0, key.clone()),
        (u32::MAX, key.clone()),
    ] {
        cancel(&world, process, &key).await;
    }
    assert!(is_sleeping(&world, &admin, malmo.route.database.as_str()).await);
    assert_eq!((world.proxy.counters().cancels_sent(), world.proxy.counters().cancels_refused()), (0, 8));
    cancel(&world, process, &key).await;
    let answer = raw.until(b'Z').await;
    assert!(answer.iter().any(|(tag, body)| *tag == b'E' && body.windows(6).any(|w| w == b"C57014")), "{answer:?}");
    assert_eq!(world.proxy.counters().cancels_sent(), 1);
}

#[tokio::test]
async fn the_key_of_a_session_that_has_ended_reaches_nobody_in_its_place() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let (first, process, key) = session(&world, 2, "malmo").await;
    drop(first);
    eventually("the first session is gone", async || match world.proxy.counters().sessions_open() {
        0 => Ok(()),
        open => Err(format!("{open} open")),
    })
    .await;
    let (mut second, second_process, second_key) = session(&world, 2, "malmo").await;
    assert_eq!((process, key.len()), (second_process, second_key.len()), "the second session is in the place of the first");
    assert_ne!(key, second_key);
    cancel(&world, process, &key).await;
    assert_eq!(world.proxy.counters().cancels_sent(), 0);
    second.send(&query("SELECT 1")).await;
    second.until(b'Z').await;
}

#[tokio::test]
async fn a_flood_of_guesses_is_cut_off_before_it_could_find_a_key() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let (_raw, process, key) = session(&world, 0, "malmo").await;
    for guess in 0..50_u32 {
        cancel(&world, process, &guess.to_be_bytes()).await;
    }
    // Even the right key is not looked at any more, which a guesser cannot tell from a wrong one.
    cancel(&world, process, &key).await;
    assert_eq!((world.proxy.counters().cancels_sent(), world.proxy.counters().cancels_refused()), (0, 51));
}
