//! A cluster that is another server from now on takes its tenants with it, and nothing that nobody has.

use holm_core::id::DatabaseId;
use holm_core::placement::{Allows, SystemIdentifier};
use holm_core::route::RouteVersion;

use super::world::{Place, World, claim_now, fill, new_tenant, place, serving};
use crate::cluster::replaced::{Replaced, Successor, identify, replace};
use crate::cluster::{self, Cluster};
use crate::database::{self, DatabaseState};
use crate::route::{Change, TenantRow, changes_since};

async fn of(world: &World, place: Place) -> Cluster {
    cluster::by_id(&world.catalog, place.cluster).await.unwrap().unwrap()
}

async fn claimed(world: &World, place: Place) -> Vec<DatabaseId> {
    let of_state = database::of_state(&world.catalog, place.cluster, DatabaseState::Claimed, 100).await.unwrap();
    of_state.into_iter().map(|database| database.id).collect()
}

fn successor(identifier: i64, looked_at: Vec<DatabaseId>) -> Successor {
    Successor { identifier, tells: Some(identifier), adopted: None, public_before: Vec::new(), looked_at }
}

/// As the data plane is given them, of those that changed since a version.
async fn routed(world: &World, since: RouteVersion) -> Vec<TenantRow> {
    let changes = changes_since(&world.catalog, since).await.unwrap().changes;
    changes.into_iter().filter_map(|change| if let Change::Tenant(row) = change { Some(row) } else { None }).collect()
}

#[tokio::test]
async fn a_cluster_that_is_another_server_keeps_its_tenants_and_gives_up_what_nobody_has() {
    let (world, here) = World::with("staging").await;
    fill(&world.catalog, here, 3).await;
    let serves = serving(&world.catalog, "staging", "goteborg").await;
    // Half way: it has a database, and nothing was said of it yet.
    let _ = claim_now(&world.catalog, new_tenant("staging", "malmo")).await;
    let (before, looked_at) = (of(&world, here).await, claimed(&world, here).await);
    let version = crate::route::version(&world.catalog).await.unwrap();
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(replace(&mut tx, &before, &successor(77, looked_at.clone())).await.unwrap(), Replaced::Done);
    tx.commit().await.unwrap();
    let rows = routed(&world, version).await;
    assert!(rows.len() == 1 && rows[0].tenant == serves.id, "every node hears of who serves: {rows:?}");
    let said = rows[0].placement.clone().expect("nobody is withheld");
    assert_eq!((said.server, said.allows), (Some(SystemIdentifier(77)), Some(Allows::All)));
    assert!(rows[0].epoch > serves.epoch, "pools of the former server are of no use");
    assert_eq!(of(&world, here).await.system_identifier, 77);
    assert_eq!(claimed(&world, here).await, looked_at);
    assert!(database::of_state(&world.catalog, here.cluster, DatabaseState::Ready, 9).await.unwrap().is_empty());
    let template = crate::template::by_id(&world.catalog, here.template).await.unwrap().unwrap();
    assert_eq!(template.state, crate::template::TemplateState::Retired);
    // Once more, by somebody who looked at the server that it was.
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(replace(&mut tx, &before, &successor(78, looked_at)).await.unwrap(), Replaced::Changed);
}

#[tokio::test]
async fn what_was_said_of_no_server_that_the_cluster_was_is_not_carried_over() {
    let (world, here) = World::with("staging").await;
    fill(&world.catalog, here, 1).await;
    serving(&world.catalog, "staging", "goteborg").await;
    let client = world.database.connect().await;
    client.execute("UPDATE placement_certificate SET server = 5", &[]).await.unwrap();
    let (before, looked_at) = (of(&world, here).await, claimed(&world, here).await);
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(replace(&mut tx, &before, &successor(77, looked_at)).await.unwrap(), Replaced::Done);
    tx.commit().await.unwrap();
    assert_eq!(routed(&world, RouteVersion::default()).await[0].placement, None, "nobody judged it there");
}

#[tokio::test]
async fn nothing_is_replaced_by_anothers_server_nor_with_a_tenant_that_came_since_it_was_looked_at() {
    let (world, here) = World::with("staging").await;
    let there = place(&world.catalog, "staging").await;
    fill(&world.catalog, here, 1).await;
    let (before, looked_at) = (of(&world, here).await, claimed(&world, here).await);
    let other = of(&world, there).await;
    let mut tx = world.catalog.transaction().await.unwrap();
    let taken = replace(&mut tx, &before, &successor(other.system_identifier, looked_at.clone())).await.unwrap();
    assert!(matches!(taken, Replaced::Taken(known) if known.id == other.id));
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(identify(&mut tx, &before, before.system_identifier, None).await.unwrap(), Replaced::Done, "it is itself");
    tx.rollback().await.unwrap();
    serving(&world.catalog, "staging", "goteborg").await;
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(replace(&mut tx, &before, &successor(77, looked_at)).await.unwrap(), Replaced::Came);
    tx.rollback().await.unwrap();
    assert_eq!(of(&world, here).await.system_identifier, before.system_identifier);
}
