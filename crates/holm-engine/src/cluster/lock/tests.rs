//! Locks are taken from processes that stand still, from nobody who is at work, and never from a tenant.

use holm_testkit::eventually;
use tokio_postgres::Client;
use uuid::Uuid;

use super::{MAKE, SILENCE_MAX, key, one, one_from_the_still, pool};
use crate::cluster::connect::Connection;
use crate::reconcile::pool::Part;
use crate::support::{PATIENCE, Setup, World};

/// Without a pool, so that nobody else takes these locks.
async fn world() -> World {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    world.settled().await;
    world.control.shutdown().await;
    world
}

async fn session(world: &World) -> Connection {
    let cluster = holm_store::cluster::list(world.control.catalog()).await.unwrap().remove(0);
    world.control.access(&cluster).await.unwrap().maintenance().await.unwrap()
}

/// As long as a session says nothing, nobody can tell its process from one that stands still.
async fn lock(session: &Client, key: i64) -> i32 {
    session.query_one("SELECT pg_backend_pid() FROM pg_advisory_lock($1)", &[&key]).await.unwrap().get(0)
}

async fn until_silent(world: &World, pids: &[i32]) {
    let looking = world.server.connect("postgres").await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1) AND state_change < clock_timestamp() - make_interval(secs => $2)";
    eventually(PATIENCE, "sessions that say nothing", async || {
        let count: i64 = looking.query_one(sql, &[&pids, &SILENCE_MAX.as_secs_f64()]).await.unwrap().get(0);
        if usize::try_from(count) == Ok(pids.len()) { Ok(()) } else { Err(count) }
    })
    .await;
}

#[tokio::test]
async fn the_lock_of_a_database_or_the_pool_is_taken_from_who_stands_still() {
    let world = world().await;
    let still = world.server.connect("postgres").await;
    let id = Uuid::now_v7();
    lock(&still, key(id)).await;
    lock(&still, MAKE).await;
    let ours = session(&world).await;
    // That it is about to fall silent is enough.
    one_from_the_still(&ours, id).await.unwrap();
    assert!(pool(&ours, Part::Make).await.unwrap());
    assert!(still.simple_query("SELECT 1").await.is_err(), "it would act under a lock that it does not have");
}

#[tokio::test]
async fn a_tenant_that_holds_the_same_number_in_a_database_of_its_own_is_left_alone() {
    let world = world().await;
    let admin = world.server.connect("postgres").await;
    admin.batch_execute("CREATE ROLE tenant LOGIN PASSWORD 'tenant'").await.unwrap();
    admin.batch_execute("CREATE DATABASE its_own OWNER tenant").await.unwrap();
    let mut config = world.server.config("its_own");
    let (tenant, connection) = config.user("tenant").password("tenant").connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let still = world.server.connect("postgres").await;
    let id = Uuid::now_v7();
    let pids = [lock(&still, key(id)).await, lock(&tenant, key(id)).await, lock(&tenant, MAKE).await];
    until_silent(&world, &pids[..2]).await;
    let ours = session(&world).await;
    one_from_the_still(&ours, id).await.unwrap();
    assert!(pool(&ours, Part::Make).await.unwrap(), "its number is nobody's here");
    assert!(still.simple_query("SELECT 1").await.is_err(), "the one in the way was ended");
    tenant.simple_query("SELECT 1").await.expect("a tenant's session was ended for a number");
}

#[tokio::test]
async fn nothing_is_taken_from_who_is_at_work_elsewhere_or_from_the_runner_of_an_operation() {
    let world = world().await;
    let (working, runner) = (session(&world).await, session(&world).await);
    let id = Uuid::now_v7();
    assert!(pool(&working, Part::Remove).await.unwrap());
    one(&runner, id).await.unwrap();
    let pid: i32 = runner.query_one("look", "SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let ours = session(&world).await;
    let taken = working.while_heard(async {
        until_silent(&world, &[pid]).await;
        pool(&ours, Part::Remove).await.unwrap()
    });
    assert!(!taken.await, "the pool's lock was taken from who works");
    // It waits until the lock timeout, and has ended nobody.
    assert!(one(&ours, id).await.is_err());
    runner.query("look", "SELECT 1", &[]).await.unwrap();
}
