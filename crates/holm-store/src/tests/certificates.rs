//! What is said of a tenant's database is said again in time, by those who look, of the server that it was said of.

use std::collections::HashSet;

use holm_core::id::ClusterId;
use holm_core::placement::{Allows, SystemIdentifier};
use holm_core::route::RouteVersion;
use uuid::Uuid;

use super::world::{World, fill, serving};
use crate::residency::certificate::{Said, Saying, all, make_up, renew, say};
use crate::route::{Change, TenantRow, changes_since};
use crate::tenant::Tenant;

const FRESH: &str = "UPDATE residency SET judge_by = now() + interval '1 hour'";
const STALE: &str = "UPDATE residency SET judge_by = now() - interval '25 hours'";
const ENDING: &str = "UPDATE placement_certificate SET expires_at = now() + interval '23 hours'";
const GONE: &str = "UPDATE tenant SET state = 'dropped', database_id = NULL";
const OTHER_SERVER: &str = "UPDATE cluster SET system_identifier = system_identifier + 1";

impl World {
    async fn done(&self, sql: &str) {
        self.database.connect().await.execute(sql, &[]).await.unwrap();
    }

    async fn renewing(&self) -> usize {
        let mut tx = self.catalog.transaction().await.unwrap();
        let renewed = renew(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        renewed
    }

    /// The one tenant's row, as the data plane is given it.
    async fn routed(&self) -> TenantRow {
        let changes = changes_since(&self.catalog, RouteVersion::default()).await.unwrap().changes;
        let mut rows = changes.into_iter().filter_map(|change| if let Change::Tenant(row) = change { Some(row) } else { None });
        rows.next().unwrap()
    }
}

fn hours(said: &Said) -> i64 {
    said.expires_at.duration_since(jiff::Timestamp::now()).as_hours()
}

#[tokio::test]
async fn who_begins_to_serve_may_do_all_on_the_server_that_the_cluster_is() {
    let (world, place) = World::with("staging").await;
    fill(&world.catalog, place, 1).await;
    serving(&world.catalog, "staging", "goteborg").await;
    let said = world.routed().await.placement.unwrap();
    let identifier = crate::cluster::list(&world.catalog).await.unwrap()[0].system_identifier;
    assert_eq!((said.allows, said.server, said.judged_by), (Some(Allows::All), Some(SystemIdentifier(identifier)), None));
    assert!((35..=48).contains(&hours(&said)), "{said:?}");
}

#[tokio::test]
async fn what_ends_within_a_day_is_said_again_and_of_who_is_judged_only_while_somebody_judges() {
    let (world, place) = World::with("staging").await;
    fill(&world.catalog, place, 1).await;
    serving(&world.catalog, "staging", "goteborg").await;
    world.done(FRESH).await;
    assert_eq!(world.renewing().await, 0, "it lasts");
    world.done(ENDING).await;
    world.done(STALE).await;
    world.done("UPDATE placement_certificate SET profile_hash = sha256('a'), registry_hash = sha256('b')").await;
    assert_eq!(world.renewing().await, 0, "nobody has looked");
    world.done("UPDATE placement_certificate SET profile_hash = NULL, registry_hash = NULL").await;
    let before = world.routed().await;
    assert_eq!(world.renewing().await, 1);
    let after = world.routed().await;
    assert!(hours(&after.placement.unwrap()) >= 35);
    assert_eq!(after.epoch, before.epoch, "no pool is made anew");
    assert_eq!(world.renewing().await, 0, "once");
}

#[tokio::test]
async fn of_another_server_behind_a_cluster_nothing_is_said_and_nothing_is_said_again() {
    let (world, place) = World::with("staging").await;
    fill(&world.catalog, place, 1).await;
    let tenant = serving(&world.catalog, "staging", "goteborg").await;
    world.done(FRESH).await;
    world.done(OTHER_SERVER).await;
    world.done(ENDING).await;
    assert_eq!(world.routed().await.placement, None);
    assert_eq!(world.renewing().await, 0);
    assert!(!all(&world.catalog).await.unwrap()[0].1.same_server, "whoever judges finds it");
    let mut tx = world.catalog.transaction().await.unwrap();
    let judged_by = Some(([1; 32], [2; 32]));
    let saying = Saying { tenant: tenant.id, cluster: place.cluster, judged_by, allows: Some(Allows::Reading), outruns: true };
    assert_eq!(say(&mut tx, &[saying]).await.unwrap(), HashSet::from([tenant.id]));
    tx.commit().await.unwrap();
    let row = world.routed().await;
    let said = row.placement.unwrap();
    assert_eq!((said.allows, said.judged_by), (Some(Allows::Reading), Some(([1; 32], [2; 32]))));
    assert!(row.epoch > tenant.epoch, "pools that were made for more are of no use");
}

#[tokio::test]
async fn who_is_gone_is_forgotten_and_who_was_made_by_an_older_holm_is_made_up_for() {
    let (world, place) = World::with("staging").await;
    fill(&world.catalog, place, 1).await;
    let tenant = serving(&world.catalog, "staging", "goteborg").await;
    world.done("DELETE FROM placement_certificate").await;
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!((make_up(&mut tx).await.unwrap(), make_up(&mut tx).await.unwrap()), (1, 0));
    tx.commit().await.unwrap();
    assert_eq!(world.routed().await.placement.unwrap().allows, Some(Allows::All));
    world.done(GONE).await;
    world.done(ENDING).await;
    world.done(FRESH).await;
    assert_eq!(world.renewing().await, 1);
    assert!(all(&world.catalog).await.unwrap().is_empty());
    // And nothing is said of it any more.
    let mut tx = world.catalog.transaction().await.unwrap();
    let saying = Saying { tenant: tenant.id, cluster: place.cluster, judged_by: None, allows: None, outruns: true };
    assert!(say(&mut tx, &[saying]).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    assert!(all(&world.catalog).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_many_tenants_at_once_each_is_told_what_is_said_of_it_and_only_whose_use_changes_gets_new_pools() {
    let (world, place) = World::with("staging").await;
    fill(&world.catalog, place, 3).await;
    let mut tenants = Vec::new();
    for name in ["goteborg", "malmo", "lund"] {
        tenants.push(serving(&world.catalog, "staging", name).await);
    }
    let elsewhere = ClusterId::from_uuid(Uuid::now_v7());
    let say_of = |tenant: &Tenant, cluster, allows: Allows, outruns| Saying {
        tenant: tenant.id,
        cluster,
        judged_by: None,
        allows: Some(allows),
        outruns,
    };
    // Not in the order of their ids.
    let sayings = [
        say_of(&tenants[2], place.cluster, Allows::Reading, true),
        say_of(&tenants[0], place.cluster, Allows::All, false),
        say_of(&tenants[1], elsewhere, Allows::Finishing, true),
    ];
    let mut tx = world.catalog.transaction().await.unwrap();
    assert_eq!(say(&mut tx, &sayings).await.unwrap(), HashSet::from([tenants[0].id, tenants[2].id]));
    tx.commit().await.unwrap();
    let changes = changes_since(&world.catalog, RouteVersion::default()).await.unwrap().changes;
    for (tenant, allows, more) in [(&tenants[0], Allows::All, 0), (&tenants[1], Allows::All, 0), (&tenants[2], Allows::Reading, 1)] {
        let of = |change: &Change| if let Change::Tenant(row) = change { (row.tenant == tenant.id).then(|| row.clone()) } else { None };
        let row = changes.iter().find_map(of).unwrap();
        assert_eq!(row.placement.unwrap().allows, Some(allows), "{tenant:?}");
        assert_eq!(row.epoch, tenant.epoch + more, "{tenant:?}");
    }
}
