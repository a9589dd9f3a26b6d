//! Two control planes over one catalog.

use holm_engine::tenant;
use holm_testkit::eventually;

use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, new_tenant};

#[tokio::test]
async fn two_control_planes_at_once_make_nothing_twice_and_lose_nothing() {
    let seed = "INSERT INTO musician (name, plays) SELECT 'Ada', 'violin' WHERE NOT EXISTS (SELECT 1 FROM musician);";
    let world = World::start(Setup { pool_size: 3, migrations: vec![SCHEMA], seed: Some(seed), ..Setup::default() }).await;
    let twin = world.second_control().await;
    twin.start();
    let most = async {
        let (catalog, mut most) = (world.catalog().await, 0);
        loop {
            let sql = "SELECT count(*) FROM database WHERE state IN ('planned', 'ready')";
            most = i64::max(most, catalog.query_one(sql, &[]).await.unwrap().get(0));
            let done: i64 = catalog.query_one("SELECT count(*) FROM tenant WHERE state = 'serving'", &[]).await.unwrap().get(0);
            if done == 24 {
                return most;
            }
            tokio::task::yield_now().await;
        }
    };
    let creations = (0..24).map(|n| {
        let control = if n % 2 == 0 { &world.control } else { &twin };
        tenant::create(control, &DEV, new_tenant(&format!("tenant-{n}")), 2 * PATIENCE)
    });
    let (created, most) = tokio::join!(futures_util::future::join_all(creations), most);
    let mut databases: Vec<_> = created.into_iter().map(|tenant| tenant.unwrap().database.unwrap()).collect();
    databases.sort();
    databases.dedup();
    assert_eq!(databases.len(), 24);
    // The pool's size for each of the two, and one for each tenant that waits.
    assert!(most <= 2 * 3 + 24, "{most} members at once");
    world.assert_whole().await;
    assert_eq!(world.count("database").await, 24 + 3);
    // Each has every route, whoever made it.
    for control in [&world.control, &twin] {
        eventually(PATIENCE, "every route", async || match control.publisher().table().tenant_count() {
            24 => Ok(()),
            count => Err(count),
        })
        .await;
    }
    twin.shutdown().await;
}
