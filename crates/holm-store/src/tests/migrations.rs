//! The catalog's schema is brought forward once, whole, and never behind anybody's back.

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::NodeId;
use holm_testkit::{database, server};

use super::world::World;
use crate::address::CatalogAddress;
use crate::catalog::Catalog;
use crate::migrate::{self, MIGRATIONS, MigrateError, Migration};
use crate::node::{NewNode, NodeRole};

/// The names of every migration, in order.
fn all() -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().trim_end_matches(".sql").to_owned())
        .collect();
    names.sort();
    names
}

/// The number that the last one begins with.
fn version(all: &[String]) -> i32 {
    all.last().unwrap().split('_').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn processes_that_start_at_once_on_an_empty_catalog_apply_each_migration_once() {
    let empty = database(server().await).await;
    // Own pools and own connections each, as processes have.
    let runners: Vec<Catalog> = (0..4).map(|_| Catalog::open(&empty.url(), 1).unwrap()).collect();
    let runs = runners.iter().map(|catalog| {
        let catalog = catalog.clone();
        tokio::spawn(async move { catalog.migrate().await.unwrap() })
    });
    let (mut applied, all) = (Vec::new(), all());
    for run in runs.collect::<Vec<_>>() {
        let migrated = run.await.unwrap();
        applied.extend(migrated.applied);
        assert_eq!(migrated.version, version(&all));
    }
    assert_eq!(applied, all);
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
    assert!(matches!(refused, MigrateError::Newer { catalog: 9999, known } if known == version(&all())), "{refused:?}");
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
    assert_eq!(catalog.migrate().await.unwrap().applied, all());
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

/// The migrations of the next version, which adds one.
fn next(sql: &'static str, runs_with: Option<i32>) -> &'static [Migration] {
    let mut files: Vec<Migration> = MIGRATIONS.iter().map(|file| Migration { ..*file }).collect();
    files.push(Migration { version: migrate::known() + 1, name: "9999_next", sql, runs_with });
    files.leak()
}

async fn upgrade(world: &World, files: &'static [Migration]) -> Result<migrate::Migrated, MigrateError> {
    migrate::run_files(&CatalogAddress::read(&world.database.url(), None).unwrap(), files).await
}

#[tokio::test]
async fn a_catalog_goes_to_the_next_version_and_back_if_that_says_that_this_one_may_go_on() {
    let world = World::new().await;
    let files = next("ALTER TABLE tenant ADD COLUMN future text", Some(migrate::known()));
    assert_eq!(upgrade(&world, files).await.unwrap().applied, ["9999_next"]);
    let back = world.catalog.migrate().await.unwrap();
    assert_eq!((back.applied.len(), back.version), (0, migrate::known() + 1));
    assert_eq!(upgrade(&world, files).await.unwrap().applied, Vec::<&str>::new());
}

#[tokio::test]
async fn a_migration_that_would_break_a_holm_that_runs_is_not_begun() {
    let world = World::new().await;
    let node = NewNode {
        id: NodeId::from_uuid(uuid::Uuid::now_v7()),
        name: "stockholm-1".to_owned(),
        role: NodeRole::All,
        holm_version: "0.1.0".to_owned(),
    };
    crate::node::join(&world.catalog, &node).await.unwrap();
    let files = next("ALTER TABLE tenant DROP COLUMN parameters", None);
    let refused = upgrade(&world, files).await.unwrap_err();
    assert_eq!(Problem::from(refused).code, ErrorCode::OlderHolmRuns);
    world.catalog.migrate().await.unwrap();
    crate::node::leave(&world.catalog, node.id).await.unwrap();
    upgrade(&world, files).await.unwrap();
    let refused = world.catalog.migrate().await.unwrap_err();
    assert_eq!(Problem::from(refused).code, ErrorCode::CatalogNewer);
}

#[tokio::test]
async fn a_ledger_from_before_versions_could_share_a_catalog_is_brought_forward() {
    let world = World::new().await;
    world.database.connect().await.batch_execute("ALTER TABLE holm_migration DROP COLUMN runs_with").await.unwrap();
    assert_eq!(world.catalog.migrate().await.unwrap().applied, Vec::<&str>::new());
}
