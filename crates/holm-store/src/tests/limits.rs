//! What tenants may have of a cluster fits together, whoever changes it at the same time.

use holm_core::limits::{InvalidLimits, LimitsChange};
use holm_core::tenant::TenantState;

use super::world::{Place, World, claim_now, environment_name, fill, new_tenant, serving, slug};
use crate::catalog::Catalog;
use crate::route::{Change, changes_since};
use crate::tenant::limits::{Limited, change, hold};
use crate::tenant::{self, Told};

const NOTHING: LimitsChange = LimitsChange { reset: false, min: None, max: None, weight: None };

async fn limit(catalog: &Catalog, name: &str, wanted: LimitsChange) -> Limited {
    let mut tx = catalog.transaction().await.unwrap();
    let held = hold(&mut tx, &environment_name("production"), &slug(name)).await.unwrap();
    let limited = change(&mut tx, &environment_name("production"), &slug(name), &wanted, held.as_ref()).await.unwrap();
    tx.commit().await.unwrap();
    limited
}

fn min(min: u32) -> LimitsChange {
    LimitsChange { min: Some(min), ..NOTHING }
}

/// With a cluster of 50 connections, of which its tenants share 48.
async fn world(count: usize) -> (World, Place) {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, count).await;
    (world, place)
}

#[tokio::test]
async fn limits_are_kept_show_in_the_route_and_the_same_again_changes_nothing() {
    let (world, _) = world(1).await;
    let before = serving(&world.catalog, "production", "goteborg").await;
    let wanted = LimitsChange { min: Some(2), max: Some(Some(20)), weight: Some(3), ..NOTHING };
    let Limited::Changed(after, _) = limit(&world.catalog, "goteborg", wanted).await else { panic!("not changed") };
    assert_eq!((after.limits.to_string().as_str(), after.epoch), ("min=2 max=20 weight=3", before.epoch + 1));
    let changes = changes_since(&world.catalog, before.route_version).await.unwrap().changes;
    let [Change::Tenant(row)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(row.limits, after.limits);
    let Limited::Unchanged(again) = limit(&world.catalog, "goteborg", wanted).await else { panic!("changed again") };
    assert_eq!((again.limits, again.epoch), (after.limits, after.epoch));
    let all = LimitsChange { max: Some(None), ..NOTHING };
    let Limited::Changed(after, _) = limit(&world.catalog, "goteborg", all).await else { panic!("not changed") };
    assert_eq!(after.limits.to_string(), "min=2 max=all weight=3");
    let refused = limit(&world.catalog, "goteborg", LimitsChange { max: Some(Some(1)), ..NOTHING }).await;
    assert_eq!(refused, Limited::Invalid(InvalidLimits::MinAboveMax { min: 2, max: 1 }));
    assert_eq!(limit(&world.catalog, "nobody", min(1)).await, Limited::Absent);
}

#[tokio::test]
async fn the_minimums_of_a_cluster_fit_into_what_its_tenants_share_and_can_always_be_lowered() {
    let (world, _) = world(3).await;
    for name in ["goteborg", "malmo", "lund"] {
        serving(&world.catalog, "production", name).await;
    }
    assert!(matches!(limit(&world.catalog, "goteborg", min(40)).await, Limited::Changed(..)));
    let refused = limit(&world.catalog, "malmo", min(9)).await;
    let cluster = "production-1".parse().unwrap();
    assert_eq!(refused, Limited::NoRoom { cluster, minimums: 49, shared: 48 });
    assert!(matches!(limit(&world.catalog, "malmo", min(8)).await, Limited::Changed(..)));
    // A deleted one can come back, and its minimum with it.
    let mut tx = world.catalog.transaction().await.unwrap();
    let goteborg = tenant::by_slug(&world.catalog, &environment_name("production"), &slug("goteborg")).await.unwrap().unwrap();
    let _ = tenant::tell_one(&mut tx, goteborg.id, holm_core::tenant::TenantEvent::Delete).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(limit(&world.catalog, "lund", min(1)).await, Limited::NoRoom { .. }));
    assert_eq!(limit(&world.catalog, "goteborg", min(0)).await, Limited::Refused(TenantState::Deleted));
    // The cluster shrinks under them.
    let client = holm_testkit::server().await.connect(world.database.name.as_str()).await;
    client.execute("UPDATE cluster SET connections_max = 10", &[]).await.unwrap();
    assert!(matches!(limit(&world.catalog, "malmo", min(7)).await, Limited::Changed(..)), "lowered");
    assert!(matches!(limit(&world.catalog, "malmo", min(8)).await, Limited::NoRoom { .. }), "raised");
    let weight = LimitsChange { weight: Some(5), ..NOTHING };
    assert!(matches!(limit(&world.catalog, "malmo", weight).await, Limited::Changed(..)), "another thing");
}

#[tokio::test]
async fn of_two_minimums_that_only_fit_alone_one_is_taken() {
    let (world, _) = world(2).await;
    world.warm().await;
    for name in ["goteborg", "malmo"] {
        serving(&world.catalog, "production", name).await;
    }
    for round in 0..10 {
        let (one, two) = tokio::join!(limit(&world.catalog, "goteborg", min(30)), limit(&world.catalog, "malmo", min(30)));
        let taken = [&one, &two].into_iter().filter(|limited| matches!(limited, Limited::Changed(..))).count();
        assert_eq!(taken, 1, "round {round}: {one:?} {two:?}");
        for name in ["goteborg", "malmo"] {
            let _ = limit(&world.catalog, name, min(0)).await;
        }
    }
}

#[tokio::test]
async fn a_suspended_tenant_can_be_given_limits_and_one_that_is_being_made_cannot() {
    let (world, _) = world(1).await;
    serving(&world.catalog, "production", "goteborg").await;
    let mut tx = world.catalog.transaction().await.unwrap();
    assert!(matches!(tenant::suspend(&mut tx, &environment_name("production"), &slug("goteborg")).await.unwrap(), Told::Changed(_)));
    tx.commit().await.unwrap();
    assert!(matches!(limit(&world.catalog, "goteborg", min(1)).await, Limited::Changed(..)));
    let _ = claim_now(&world.catalog, new_tenant("production", "malmo")).await;
    assert_eq!(limit(&world.catalog, "malmo", min(1)).await, Limited::Refused(TenantState::Creating));
}
