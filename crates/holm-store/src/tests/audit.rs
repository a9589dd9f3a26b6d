//! The audit log's entries are part of what they tell of, and PostgreSQL's hashes are those that Rust checks.

use holm_core::actor::{Actor, SystemActor};
use holm_core::audit::chain::Chain;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::id::{PrincipalId, TenantId};
use uuid::Uuid;

use super::world::{World, environment_name, new_environment};
use crate::audit::{Filter, record};
use crate::catalog::Catalog;
use crate::page::Page;
use crate::{audit, environment};

fn entry(action: AuditAction) -> NewEntry {
    let environment = environment_name("production");
    NewEntry::new(&Actor::system(SystemActor::Dev), action, Some(&environment), Subject::Tenant(TenantId::from_uuid(Uuid::from_u128(7))))
}

async fn write(catalog: &Catalog, entries: Vec<NewEntry>) {
    let mut tx = catalog.transaction().await.unwrap();
    entries.into_iter().for_each(|entry| record(&mut tx, entry));
    tx.commit().await.unwrap();
}

/// Walks the whole chain and returns how long it is.
async fn verified(catalog: &Catalog) -> i64 {
    let mut chain = Chain::new([]);
    loop {
        let page = audit::walk(catalog, chain.last().seq).await.unwrap();
        if page.is_empty() {
            break;
        }
        for entry in page {
            assert!(chain.continues(&entry), "{entry:?} after {:?}", chain.last());
            chain.take(&entry).unwrap();
        }
    }
    chain.end(audit::head(catalog).await.unwrap().as_ref()).unwrap();
    chain.last().seq
}

#[tokio::test]
async fn every_column_is_hashed_as_it_is_stored_whatever_is_in_it() {
    let world = World::new().await;
    let anna = Actor::Principal { id: PrincipalId::from_uuid(Uuid::now_v7()), name: "anna k".parse().unwrap() };
    let full = NewEntry { actor: anna, ..entry(AuditAction::AccessDenied) }
        .because(&"å \"quoted\" \\ {1,2} NULL, 日本".parse().unwrap())
        .with(Detail::Denied { permission: "change tenants" });
    let empty = NewEntry { environment: None, subject: Subject::Installation, ..entry(AuditAction::AuditExport) };
    write(&world.catalog, vec![full.clone(), empty.clone(), full]).await;
    write(&world.catalog, vec![empty]).await;
    assert_eq!(verified(&world.catalog).await, 4);
    let found = audit::walk(&world.catalog, 0).await.unwrap();
    assert_eq!(found[0].content.reason.as_deref(), Some("å \"quoted\" \\ {1,2} NULL, 日本"));
    assert_eq!((found[1].content.environment.as_deref(), found[1].content.actor_id), (None, None));
    assert!(found.iter().all(|entry| entry.at() > found[0].at() - jiff::SignedDuration::from_secs(60)));
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told_of_and_what_is_committed_always_is() {
    let world = World::new().await;
    let act = async |name: &str| {
        let mut tx = world.catalog.transaction().await.unwrap();
        let _ = environment::upsert(&mut tx, &new_environment(name)).await.unwrap();
        record(&mut tx, entry(AuditAction::EnvironmentCreate));
        tx
    };
    act("production").await.rollback().await.unwrap();
    drop(act("staging").await);
    assert_eq!(verified(&world.catalog).await, 0);
    assert!(act("ci").await.commit().await.unwrap().is_some(), "the routes are stamped as well");
    assert_eq!(verified(&world.catalog).await, 1);
    // Without an end of the chain nothing can be told, and so nothing is done.
    world.database.connect().await.batch_execute("DELETE FROM audit_head").await.unwrap();
    act("development").await.commit().await.unwrap_err();
    assert_eq!(environment::list(&world.catalog).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_that_race_make_one_chain_without_gaps() {
    let world = World::new().await;
    world.warm().await;
    let writers = (0..12).map(|writer| {
        let catalog = world.catalog.clone();
        tokio::spawn(async move {
            for round in 0..10 {
                write(&catalog, vec![entry(AuditAction::TenantSuspend); 1 + (writer + round) % 3]).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(verified(&world.catalog).await, (0..12).flat_map(|w| (0..10).map(move |r| 1 + (w + r) % 3)).sum::<i64>());
}

#[tokio::test]
async fn the_catalog_refuses_to_change_an_entry() {
    let world = World::new().await;
    write(&world.catalog, vec![entry(AuditAction::TenantCreate)]).await;
    let client = world.database.connect().await;
    for change in
        ["UPDATE audit_entry SET reason = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry", "DELETE FROM audit_entry WHERE false"]
    {
        let refused = client.batch_execute(change).await.unwrap_err();
        assert!(format!("{refused:?}").contains("never changed, only added to"), "{change}: {refused:?}");
    }
    assert_eq!(verified(&world.catalog).await, 1);
}

#[tokio::test]
async fn a_search_gives_the_newest_first_a_page_at_a_time_and_every_filter_counts() {
    let world = World::new().await;
    for action in [AuditAction::TenantCreate, AuditAction::TenantSuspend, AuditAction::TenantResume, AuditAction::TenantSuspend] {
        write(&world.catalog, vec![entry(action)]).await;
    }
    let search = async |filter: Filter, after: Option<i64>, limit: u32| {
        let found = audit::search(&world.catalog, &filter, &Page { after, limit }).await.unwrap();
        found.iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    assert_eq!(search(Filter::default(), None, 3).await, [4, 3, 2]);
    assert_eq!(search(Filter::default(), Some(2), 3).await, [1]);
    assert_eq!(search(Filter { action: Some(AuditAction::TenantSuspend), ..Filter::default() }, None, 9).await, [4, 2]);
    let subject = Some("ten_00000000000000000000000000000007".to_owned());
    assert_eq!(search(Filter { subject, actor: Some("dev".to_owned()), ..Filter::default() }, None, 1).await, [4]);
    let second = audit::walk(&world.catalog, 1).await.unwrap()[0].at();
    assert_eq!(search(Filter { since: Some(second), ..Filter::default() }, None, 9).await, [4, 3, 2]);
    assert_eq!(search(Filter { until: Some(second), ..Filter::default() }, None, 9).await, [1]);
    for none in [
        Filter { actor: Some("anna".to_owned()), ..Filter::default() },
        Filter { environment: Some(environment_name("staging")), ..Filter::default() },
        Filter { subject: Some("' OR true --".to_owned()), ..Filter::default() },
    ] {
        assert_eq!(search(none, None, 9).await, [0; 0]);
    }
}
