//! A catalog that is down, silent, full or read-only is said to be so in time, and works again when it does.

use std::time::{Duration, Instant};

use holm_core::credential::Scope;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_testkit::wire_faults::{Fault, FaultProxy};
use holm_testkit::{eventually, new_server, server};

use super::world::{
    LIMIT, World, claim_now, environment_name, migrated, new_credential, new_environment, new_tenant, place, put_environment,
};
use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::{credential, environment, tenant};

/// The longest deadline of one statement, and some for a busy machine.
const IN_TIME: Duration = Duration::from_secs(20);

fn unavailable(error: StoreError, changed: Changed) {
    let problem = Problem::from(error);
    assert_eq!((problem.code, problem.changed), (ErrorCode::CatalogUnavailable, changed), "{problem:?}");
    assert!(!problem.next.is_empty());
}

#[tokio::test]
async fn a_catalog_killed_in_the_middle_of_a_transaction_is_unavailable_and_works_again_after_its_restart() {
    let server = new_server(&[]).await;
    let catalog = migrated(&server.url("postgres")).await;
    place(&catalog, "production").await;
    let mut wakes = catalog.wakes().changes;
    wakes.wait_for(|count| *count > 0).await.unwrap();

    let mut tx = catalog.transaction().await.unwrap();
    let _ = credential::insert(&mut tx, &new_credential("production", "first", Scope::App)).await.unwrap();
    let begun = Instant::now();
    server.kill().await;
    unavailable(credential::insert(&mut tx, &new_credential("production", "second", Scope::App)).await.unwrap_err(), Changed::Nothing);
    assert!(tx.commit().await.is_err());
    unavailable(environment::list(&catalog).await.unwrap_err(), Changed::Nothing);
    unavailable(catalog.transaction().await.map(drop).unwrap_err(), Changed::Nothing);
    assert!(begun.elapsed() < IN_TIME, "{:?}", begun.elapsed());

    let seen = *wakes.borrow_and_update();
    server.restart().await;
    eventually(LIMIT, "the catalog answers again", async || environment::list(&catalog).await).await;
    assert!(credential::by_name(&catalog, &environment_name("production"), &"first".parse().unwrap()).await.unwrap().is_none());
    tokio::time::timeout(LIMIT, wakes.wait_for(|count| *count > seen)).await.expect("a reconnect is a wake").unwrap();
    let seen = *wakes.borrow_and_update();
    put_environment(&catalog, &new_environment("staging")).await;
    tokio::time::timeout(LIMIT, wakes.wait_for(|count| *count > seen)).await.expect("listening again").unwrap();
}

#[tokio::test]
async fn a_connection_lost_while_committing_says_that_nobody_knows() {
    let (world, _) = World::with("production").await;
    // The server ends the session in the middle of the commit, after the last statement.
    let dying = "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER die AFTER INSERT ON credential DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()";
    world.database.connect().await.batch_execute(dying).await.unwrap();
    let mut tx = world.catalog.transaction().await.unwrap();
    let _ = credential::insert(&mut tx, &new_credential("production", "app", Scope::App)).await.unwrap();
    let error = tx.commit().await.unwrap_err();
    assert!(matches!(error, StoreError::CommitUnknown(_)), "{error:?}");
    unavailable(error, Changed::Unknown);
    // The broken connection is not handed out again.
    environment::list(&world.catalog).await.unwrap();
}

#[tokio::test]
async fn a_catalog_that_falls_silent_is_noticed_and_its_connection_is_not_used_again() {
    let database = holm_testkit::database(server().await).await;
    let proxy = FaultProxy::start(database.server.address.to_string()).await.unwrap();
    let url = database.url().replace(&database.server.address.to_string(), &proxy.address().to_string());
    let catalog = migrated(&url).await;
    environment::list(&catalog).await.unwrap();
    proxy.set(Fault::BlackHole);
    let begun = Instant::now();
    unavailable(environment::list(&catalog).await.unwrap_err(), Changed::Nothing);
    assert!(begun.elapsed() < IN_TIME, "{:?}", begun.elapsed());
    proxy.set(Fault::Pass);
    let accepted = proxy.accepted();
    environment::list(&catalog).await.unwrap();
    assert!(proxy.accepted() > accepted, "the silent connection was used again");
}

#[tokio::test]
async fn a_read_only_catalog_is_told_from_one_that_does_not_answer() {
    let (world, _) = World::with("production").await;
    let client = world.database.connect().await;
    let read_only = format!("ALTER DATABASE {} SET default_transaction_read_only = on", world.database.name.as_ident());
    client.batch_execute(&read_only).await.unwrap();
    let catalog = Catalog::open(&world.database.url(), 1).unwrap();
    environment::list(&catalog).await.unwrap();
    let mut tx = catalog.transaction().await.unwrap();
    let refused = tenant::claim::claim(&mut tx, new_tenant("production", "goteborg")).await.unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly(_)), "{refused:?}");
    let problem = Problem::from(refused);
    assert_eq!((problem.code, problem.changed), (ErrorCode::CatalogUnavailable, Changed::Nothing));
    assert!(problem.what.contains("no writes"), "{problem:?}");
}

#[tokio::test]
async fn who_finds_no_free_connection_is_told_within_its_deadline() {
    let world = World::new().await;
    let catalog = Catalog::open(&world.database.url(), 1).unwrap();
    let held = catalog.transaction().await.unwrap();
    let begun = Instant::now();
    unavailable(catalog.transaction().await.map(drop).unwrap_err(), Changed::Nothing);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(held);
    environment::list(&catalog).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_is_dropped_changes_nothing_and_its_connection_is_used_again() {
    let (world, _) = World::with("production").await;
    let catalog = Catalog::open(&world.database.url(), 1).unwrap();
    let backend = async || -> i32 { catalog.session().await.unwrap().query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0) };
    let first = backend().await;
    let mut tx = catalog.transaction().await.unwrap();
    let _ = tenant::claim::claim(&mut tx, new_tenant("production", "goteborg")).await.unwrap();
    drop(tx);
    assert!(tenant::awaiting(&catalog, 10).await.unwrap().is_empty());
    assert_eq!(backend().await, first);
}

#[tokio::test]
async fn a_wrong_password_and_a_port_where_nobody_listens_are_both_a_catalog_that_does_not_answer() {
    let shared = server().await;
    let wrong = shared.url("postgres").replace(shared.password.expose(), "wrong");
    // Bound and not listened on, so that nobody else can have it.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let absent = format!("postgresql://holm:x@{nobody}/postgres");
    for url in [wrong, absent] {
        let catalog = Catalog::open(&url, 1).unwrap();
        unavailable(environment::list(&catalog).await.unwrap_err(), Changed::Nothing);
        let problem = Problem::from(catalog.migrate().await.unwrap_err());
        assert_eq!(problem.code, ErrorCode::CatalogUnavailable);
        assert!(!format!("{problem:?}").contains("wrong\""), "{problem:?}");
    }
    assert_eq!(Problem::from(Catalog::open("postgresql://x/y?sslmode=require", 1).map(drop).unwrap_err()).code, ErrorCode::InvalidConfig);
    assert!(Catalog::open("not a url", 1).is_err());
}

#[tokio::test]
async fn listening_ends_when_nobody_is_interested() {
    let (world, _) = World::with("production").await;
    let listeners = async || -> i64 {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        world.catalog.session().await.unwrap().query_one(count, &[]).await.unwrap().get(0)
    };
    let mut wakes = world.catalog.wakes().changes;
    wakes.wait_for(|count| *count > 0).await.unwrap();
    let seen = *wakes.borrow_and_update();
    let _ = claim_now(&world.catalog, new_tenant("production", "goteborg")).await;
    tokio::time::timeout(LIMIT, wakes.wait_for(|count| *count > seen)).await.expect("who waits wakes who provides").unwrap();
    assert_eq!(listeners().await, 1);
    drop(wakes);
    eventually(LIMIT, "the listening connection is closed", async || if listeners().await == 0 { Ok(()) } else { Err("still there") })
        .await;
}
