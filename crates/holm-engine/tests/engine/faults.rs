//! Clusters that do not do what they should.

use std::time::Duration;

use holm_core::error::{Changed, ErrorCode, Problem};
use holm_engine::tenant;
use holm_testkit::new_server_on_tmpfs;
use holm_testkit::wire_faults::Fault;

use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, new_tenant};

impl World {
    /// Creates a tenant whose time runs out while the cluster has this trouble; returns what was told.
    async fn runs_out_of_time(&self, code: ErrorCode) -> Problem {
        let begun = tenant::create(&self.control, &DEV, new_tenant("goteborg"), Duration::from_millis(10)).await.unwrap_err();
        assert_eq!((begun.code, begun.changed), (ErrorCode::NoDatabaseInTime, Changed::Something));
        let trouble = self.trouble().await;
        assert_eq!(trouble.code, code, "{trouble:?}");
        assert!(!trouble.next.is_empty());
        let told = tenant::create(&self.control, &DEV, new_tenant("malmo"), Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(told.code, ErrorCode::NoDatabaseInTime);
        assert!(told.why.as_ref().unwrap().contains(&trouble.what), "{told:?}");
        told
    }

    async fn recovers(&self) {
        self.until_count("tenant WHERE state = 'serving'", 2).await;
        self.untroubled().await;
        self.assert_whole().await;
    }
}

#[tokio::test]
async fn a_cluster_that_refuses_connections_is_named_and_waited_for() {
    let world = World::start(Setup { pool_size: 0, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.settled().await;
    world.cluster_faults.set(Fault::Refuse);
    world.runs_out_of_time(ErrorCode::ClusterUnreachable).await;
    world.cluster_faults.set(Fault::Pass);
    world.recovers().await;
}

#[tokio::test]
async fn a_cluster_that_is_read_only_is_named_and_waited_for() {
    let world = World::start(Setup { pool_size: 0, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.settled().await;
    let admin = world.server.connect("postgres").await;
    admin.batch_execute("ALTER SYSTEM SET default_transaction_read_only = on").await.unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    world.runs_out_of_time(ErrorCode::ClusterReadOnly).await;
    admin.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    admin.batch_execute("ALTER SYSTEM RESET default_transaction_read_only").await.unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    world.recovers().await;
}

#[tokio::test]
async fn a_cluster_without_a_free_connection_is_full_and_waited_for() {
    let settings = vec![("max_connections", "8"), ("superuser_reserved_connections", "1"), ("max_wal_senders", "0")];
    let world = World::start(Setup { pool_size: 0, settings, ..Setup::default() }).await;
    world.settled().await;
    let (mut held, mut config) = (Vec::new(), world.server.config("postgres"));
    config.connect_timeout(Duration::from_secs(5));
    while let Ok((client, connection)) = config.connect(tokio_postgres::NoTls).await {
        tokio::spawn(connection);
        held.push(client);
    }
    world.runs_out_of_time(ErrorCode::ClusterFull).await;
    drop(held);
    world.recovers().await;
}

#[tokio::test]
async fn a_cluster_whose_disk_is_full_is_named_and_waited_for() {
    let Some(server) = new_server_on_tmpfs(128, &[]).await else { return };
    let world = World::without_cluster(Setup { pool_size: 0, migrations: vec![SCHEMA], ..Setup::default() }, server).await;
    world.register().await;
    world.settled().await;
    world.server.fill_disk();
    let begun = tenant::create(&world.control, &DEV, new_tenant("goteborg"), Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(begun.code, ErrorCode::NoDatabaseInTime);
    let trouble = world.trouble().await;
    assert_eq!(trouble.code, ErrorCode::ClusterFull, "{trouble:?}");
    world.server.relieve_disk();
    world.until_count("tenant WHERE state = 'serving'", 1).await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_disk_that_fills_while_the_pool_is_made_holds_nobody_up_and_the_pool_is_made_when_there_is_room() {
    let Some(server) = new_server_on_tmpfs(96, &[]).await else { return };
    let world = World::without_cluster(Setup { pool_size: 12, migrations: vec![SCHEMA], ..Setup::default() }, server).await;
    world.register().await;
    // Without room for its log PostgreSQL stops, so that it can be either.
    let trouble = world.trouble().await;
    assert!(matches!(trouble.code, ErrorCode::ClusterFull | ErrorCode::ClusterUnreachable), "{trouble:?}");
    let begun = tokio::time::Instant::now();
    let told = tenant::create(&world.control, &DEV, new_tenant("goteborg"), Duration::from_secs(2)).await;
    assert!(told.is_ok() || told.is_err_and(|problem| problem.code == ErrorCode::NoDatabaseInTime));
    assert!(begun.elapsed() < Duration::from_secs(20));
    let directory = world.server.data().parent().unwrap().to_owned();
    let grown = std::process::Command::new("mount").args(["-o", "remount,size=512m"]).arg(directory).status().unwrap();
    assert!(grown.success());
    world.server.restart().await;
    world.until_count("tenant WHERE state = 'serving'", 1).await;
    world.untroubled().await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_cluster_that_dies_midway_loses_no_tenant_and_leaves_nothing_behind() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.settled().await;
    let creations = (0..10).map(|n| tenant::create(&world.control, &DEV, new_tenant(&format!("tenant-{n}")), 2 * PATIENCE));
    let death = async {
        world.until_count("database WHERE state = 'planned'", 0).await;
        for _ in 0..2 {
            let catalog = world.catalog().await;
            holm_testkit::eventually(PATIENCE, "members in the making", async || {
                let row = catalog.query_one("SELECT count(*) FROM database WHERE state = 'planned'", &[]).await.unwrap();
                (row.get::<_, i64>(0) > 0).then_some(())
            })
            .await;
            world.server.kill().await;
            world.server.restart().await;
        }
    };
    let (created, ()) = tokio::join!(futures_util::future::join_all(creations), death);
    for tenant in created {
        tenant.unwrap();
    }
    world.untroubled().await;
    world.assert_whole().await;
}

#[tokio::test]
async fn a_connection_that_breaks_at_any_byte_costs_a_retry_and_nothing_else() {
    let world = World::start(Setup { pool_size: 0, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.settled().await;
    for (n, bytes) in [1, 300, 900, 1_200, 1_600, 2_000, 2_500].into_iter().enumerate() {
        world.cluster_faults.set(Fault::CutAfter(bytes));
        let before = world.cluster_faults.accepted();
        let creation = tenant::create(&world.control, &DEV, new_tenant(&format!("tenant-{n}")), PATIENCE);
        let mend = async {
            let tried = async || (world.cluster_faults.accepted() > before).then_some(());
            holm_testkit::eventually(PATIENCE, "an attempt", tried).await;
            world.cluster_faults.set(Fault::Pass);
        };
        let (created, ()) = tokio::join!(creation, mend);
        created.unwrap();
    }
    world.untroubled().await;
    world.assert_whole().await;
}

#[tokio::test]
async fn another_server_at_a_registered_address_is_not_touched() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    world.settled().await;
    // As after a restore of something else under the same address.
    let sql = "UPDATE cluster SET system_identifier = system_identifier + 1";
    world.catalog().await.batch_execute(sql).await.unwrap();
    assert_eq!(world.trouble().await.code, ErrorCode::ClusterRefused);
    let told = tenant::create(&world.control, &DEV, new_tenant("goteborg"), Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(told.code, ErrorCode::NoDatabaseInTime);
    assert_eq!(world.count("database").await, 0);
}
