//! A name is a living tenant's, or kept for one that had it, and PostgreSQL itself sees to it.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::world::{World, claim_now, fill, new_tenant, serving, slug};
use crate::error::StoreError;
use crate::tenant;
use crate::tenant::claim::Claim;
use crate::tenant::name::{self, Rename, Renamed};

fn later() -> Timestamp {
    Timestamp::now().checked_add(SignedDuration::from_hours(1)).unwrap()
}

#[tokio::test]
async fn a_name_that_was_given_up_is_kept_for_its_tenant_and_can_be_taken_back() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 3).await;
    let tenant = serving(&world.catalog, "production", "goteborg").await;
    let by = json!("anna");
    let (from, to) = (slug("goteborg"), slug("vastervik"));
    let there = Rename { tenant: tenant.id, from: &from, to: &to, until: later(), kept: None, by: &by };
    for _ in 0..2 {
        let mut tx = world.catalog.transaction().await.unwrap();
        assert_eq!(name::rename(&mut tx, &there).await.unwrap(), Renamed::Done);
        tx.commit().await.unwrap();
    }
    let Claim::SlugReserved(alias) = claim_now(&world.catalog, new_tenant("production", "goteborg")).await else { panic!("not kept") };
    assert_eq!((alias.tenant, &alias.now, &alias.renamed_by), (tenant.id, &to, &by));
    assert_eq!(claim_now(&world.catalog, new_tenant("production", "vastervik")).await, Claim::SlugTaken);
    let other = serving(&world.catalog, "production", "malmo").await;
    let malmo = slug("malmo");
    let stolen = Rename { tenant: other.id, from: &malmo, to: &from, ..there.clone() };
    let mut tx = world.catalog.transaction().await.unwrap();
    assert!(matches!(name::rename(&mut tx, &stolen).await.unwrap(), Renamed::Reserved(_)));
    let taken = Rename { to: &to, ..stolen };
    assert_eq!(name::rename(&mut tx, &taken).await.unwrap(), Renamed::Taken);
    // Back, and undone: twice is the same as once, and what was kept is kept again.
    let back = Rename { from: &to, to: &from, kept: Some(later()), ..there.clone() };
    assert_eq!(name::rename(&mut tx, &back).await.unwrap(), Renamed::Done);
    for _ in 0..2 {
        name::rename_back(&mut tx, &back).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(tenant::by_id(&world.catalog, tenant.id).await.unwrap().unwrap().slug, to);
    let kept = name::of_tenant(&world.catalog, tenant.id).await.unwrap();
    assert_eq!(kept.iter().map(|alias| alias.slug.as_str()).collect::<Vec<_>>(), ["goteborg"]);
}

#[tokio::test]
async fn postgresql_refuses_a_name_that_is_both_a_tenants_and_kept_for_another() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 2).await;
    let (first, second) = (serving(&world.catalog, "production", "a").await, serving(&world.catalog, "production", "b").await);
    let client = world.database.connect().await;
    let keep = "INSERT INTO tenant_alias SELECT environment_id, $2, id, now(), '\"anna\"' FROM tenant WHERE id = $1";
    let (one, two) = (first.id.as_uuid(), second.id.as_uuid());
    let refused = client.execute(keep, &[&one, &"b"]).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "23505");
    client.execute(keep, &[&one, &"c"]).await.unwrap();
    let refused = client.execute("UPDATE tenant SET slug = 'c' WHERE id = $1", &[&two]).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "23505");
}

/// A creator that looked before a rename was committed, and inserts after it.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_name_while_it_is_being_given_up_does_not_get_it() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 2).await;
    let tenant = serving(&world.catalog, "production", "goteborg").await;
    let (from, to, by) = (slug("goteborg"), slug("vastervik"), json!("anna"));
    let mut tx = world.catalog.transaction().await.unwrap();
    let rename = Rename { tenant: tenant.id, from: &from, to: &to, until: later(), kept: None, by: &by };
    assert_eq!(name::rename(&mut tx, &rename).await.unwrap(), Renamed::Done);
    let creator = tokio::spawn({
        let catalog = world.catalog.clone();
        async move {
            let mut tx = catalog.transaction().await.unwrap();
            tenant::claim::claim(&mut tx, new_tenant("production", "goteborg")).await
        }
    });
    let client = world.database.connect().await;
    holm_testkit::eventually(super::world::LIMIT, "the creator waits", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let count: i64 = client.query_one(waiting, &[]).await.unwrap().get(0);
        (count == 1).then_some(())
    })
    .await;
    tx.commit().await.unwrap();
    // Asked again it hears for whom the name is kept.
    assert!(matches!(creator.await.unwrap(), Err(StoreError::Conflict(_))));
    assert!(matches!(claim_now(&world.catalog, new_tenant("production", "goteborg")).await, Claim::SlugReserved(_)));
}

#[tokio::test]
async fn names_whose_time_is_over_are_let_go_and_no_others() {
    let (world, place) = World::with("production").await;
    fill(&world.catalog, place, 1).await;
    let tenant = serving(&world.catalog, "production", "goteborg").await;
    let client = world.database.connect().await;
    let keep = "INSERT INTO tenant_alias SELECT environment_id, $2, id, now() + $3::bigint * interval '1 hour', '\"anna\"' FROM tenant WHERE id = $1";
    client.execute(keep, &[&tenant.id.as_uuid(), &"over", &-1_i64]).await.unwrap();
    client.execute(keep, &[&tenant.id.as_uuid(), &"kept", &1_i64]).await.unwrap();
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(name::let_expired_go(&mut tx).await.unwrap(), 1);
    assert!(tx.commit().await.unwrap().is_some(), "the data plane hears of it");
    let kept = name::of_tenant(&world.catalog, tenant.id).await.unwrap();
    assert_eq!(kept.iter().map(|alias| alias.slug.as_str()).collect::<Vec<_>>(), ["kept"]);
}
