//! Routes from the catalog to the data plane.

use std::time::{Duration, Instant};

use holm_core::error::ErrorCode;
use holm_engine::tenant;
use holm_testkit::eventually;
use holm_testkit::wire_faults::Fault;

use crate::support::{DEV, PATIENCE, Setup, World, new_tenant, production, slug};

#[tokio::test]
async fn a_wrong_master_key_is_refused_at_the_start_and_overwrites_nothing() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    let problem = world.control_with([8; 32]).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::WrongMasterKey);
    assert!(!problem.next.is_empty());
    let right = world.second_control().await;
    assert!(right.publisher().table().route(&production(), &slug("goteborg")).is_some());
}

#[tokio::test]
async fn a_catalog_that_goes_away_keeps_nobody_from_being_served_and_is_caught_up_with() {
    let world = World::start(Setup { pool_size: 2, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    world.settled().await;
    let before = world.control.publisher().table();
    world.catalog_faults.set(Fault::Refuse);
    let problem = tenant::create(&world.control, &DEV, new_tenant("malmo"), Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::CatalogUnavailable);
    let problem = tenant::suspend(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::CatalogUnavailable);
    assert!(world.control.publisher().table().route(&production(), &slug("goteborg")).is_some(), "a route was lost");
    // Somebody else changes the catalog while this process cannot see it.
    let sql = "UPDATE route_clock SET version = version + 1; UPDATE tenant SET state = 'suspended', epoch = epoch + 1, \
               route_version = (SELECT version FROM route_clock)";
    world.catalog().await.batch_execute(sql).await.unwrap();
    world.catalog_faults.set(Fault::Pass);
    eventually(PATIENCE, "the suspension", async || {
        let table = world.control.publisher().table();
        let route = table.route(&production(), &slug("goteborg")).unwrap();
        (route.state == holm_core::route::RouteState::Suspended).then_some(())
    })
    .await;
    assert!(world.control.publisher().table().version() > before.version());
    world.create("malmo").await.unwrap();
    world.assert_whole().await;
}

#[tokio::test]
async fn a_catalog_that_falls_silent_holds_nobody_beyond_a_deadline() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.settled().await;
    world.catalog_faults.set(Fault::BlackHole);
    let begun = Instant::now();
    let problem = tenant::create(&world.control, &DEV, new_tenant("malmo"), Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::CatalogUnavailable);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    world.catalog_faults.set(Fault::Pass);
    world.until_count("cluster WHERE trouble IS NULL", 1).await;
    let created =
        eventually(PATIENCE, "a tenant", async || tenant::create(&world.control, &DEV, new_tenant("goteborg"), PATIENCE).await).await;
    assert!(world.control.publisher().table().route_of(created.id).is_some());
}

#[tokio::test]
async fn one_secret_that_cannot_be_opened_keeps_nobody_elses_route_back() {
    let world = World::start(Setup { pool_size: 2, ..Setup::default() }).await;
    let broken = world.create("goteborg").await.unwrap();
    world.create("malmo").await.unwrap();
    let sql = "UPDATE database SET sealed_logins = overlay(sealed_logins PLACING '\\x00'::bytea FROM 40) WHERE name = $1";
    let name = broken.database.unwrap();
    assert_eq!(world.catalog().await.execute(sql, &[&name.as_str()]).await.unwrap(), 1);
    let next = world.second_control().await;
    let table = next.publisher().table();
    assert!(table.route(&production(), &slug("malmo")).is_some());
    assert!(table.route(&production(), &slug("goteborg")).is_none());
}
