//! The catalog's schema is brought forward once, whole, and never behind anybody's back.

use holm_core::error::{ErrorCode, Problem};
use holm_testkit::{database, server};

use super::world::World;
use crate::catalog::Catalog;
use crate::migrate::MigrateError;

#[tokio::test]
async fn processes_that_start_at_once_on_an_empty_catalog_apply_each_migration_once() {
    let empty = database(server().await).await;
    // Own pools and own connections each, as processes have.
    let runners: Vec<Catalog> = (0..4).map(|_| Catalog::open(&empty.url(), 1).unwrap()).collect();
    let runs = runners.iter().map(|catalog| {
        let catalog = catalog.clone();
        tokio::spawn(async move { catalog.migrate().await.unwrap() })
    });
    let mut applied = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        let migrated = run.await.unwrap();
        applied.extend(migrated.applied);
        assert_eq!(migrated.version, 1);
    }
    assert_eq!(applied, ["0001_catalog"]);
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let world = World::new().await;
    assert_eq!(world.catalog.migrate().await.unwrap().applied, Vec::<&str>::new());
}

#[tokio::test]
async fn a_catalog_that_a_newer_holm_has_migrated_is_left_alone() {
    let world = World::new().await;
    let client = world.database.connect().await;
    client.execute("INSERT INTO holm_migration (version, name, checksum) VALUES (9999, '9999_future', 'x')", &[]).await.unwrap();
    let refused = world.catalog.migrate().await.unwrap_err();
    assert!(matches!(refused, MigrateError::Newer { catalog: 9999, known: 1 }), "{refused:?}");
    assert_eq!(Problem::from(refused).code, ErrorCode::CatalogNewer);
}

#[tokio::test]
async fn a_migration_that_was_edited_after_it_was_applied_is_named() {
    let world = World::new().await;
    world.database.connect().await.execute("UPDATE holm_migration SET checksum = 'x'", &[]).await.unwrap();
    let refused = world.catalog.migrate().await.unwrap_err();
    assert!(Problem::from(refused).what.contains("`0001_catalog`"));
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_of_itself() {
    let used = database(server().await).await;
    let client = used.connect().await;
    // The last table of the first migration, in somebody's way.
    client.batch_execute("CREATE TABLE route_clock (theirs integer)").await.unwrap();
    let catalog = Catalog::open(&used.url(), 1).unwrap();
    let failed = catalog.migrate().await.unwrap_err();
    assert!(matches!(failed, MigrateError::Failed { name: "0001_catalog", .. }), "{failed:?}");
    let left: i64 = client.query_one("SELECT count(*) FROM pg_class WHERE relname IN ('environment', 'tenant')", &[]).await.unwrap().get(0);
    assert_eq!(left, 0);
    client.batch_execute("DROP TABLE route_clock").await.unwrap();
    assert_eq!(catalog.migrate().await.unwrap().applied, ["0001_catalog"]);
}

#[tokio::test]
async fn a_migration_gives_up_rather_than_make_everybody_wait_behind_it() {
    let world = World::new().await;
    let mut client = world.database.connect().await;
    let holder = client.transaction().await.unwrap();
    holder.batch_execute("LOCK TABLE holm_migration").await.unwrap();
    let refused = tokio::time::timeout(std::time::Duration::from_secs(20), world.catalog.migrate()).await;
    let refused = refused.expect("the lock timeout of 5 s").unwrap_err();
    assert!(matches!(&refused, MigrateError::Store(source) if source.is_temporary()), "{refused:?}");
}
