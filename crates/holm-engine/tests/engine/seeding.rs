//! Seeds of new tenants (R97).

use std::os::unix::fs::PermissionsExt;

use holm_core::error::{Changed, ErrorCode};
use holm_core::tenant::TenantState;
use holm_engine::{environment, tenant};
use holm_store::environment::Seed;
use holm_testkit::eventually;
use holm_testkit::wire_faults::Fault;

use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, production, slug};

impl World {
    /// Replaces the seed by a shell script.
    async fn set_command(&mut self, script: &str) {
        let path = self.directory.path().join("seed.sh");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        self.seed = Some(Seed::Command(vec![path.to_str().unwrap().to_owned(), "two words; $(x)".to_owned()]));
        environment::ensure(&self.control, &DEV, self.new_environment()).await.unwrap();
    }
}

#[tokio::test]
async fn r97_a_seed_runs_as_the_tenants_own_role_before_anyone_is_let_in() {
    let seed = "INSERT INTO musician (name, plays) SELECT current_user || ' ' || session_user, 'violin' WHERE NOT EXISTS (SELECT 1 FROM musician);";
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], seed: Some(seed), ..Setup::default() }).await;
    let tenant = world.create("goteborg").await.unwrap();
    assert!(tenant.seeded && tenant.state == TenantState::Serving);
    let database = tenant.database.unwrap();
    let owner = world.login(&database, "owner").await;
    let name: String = owner.query_one("SELECT name FROM musician", &[]).await.unwrap().get(0);
    assert_eq!(name, format!("{database}_owner {database}_owner"));
    world.assert_whole_but_for_logins().await;
}

#[tokio::test]
async fn r97_a_seed_that_fails_frees_the_name_and_leaves_nothing_behind() {
    let seed = "INSERT INTO musician (name, plays) VALUES ('Ada', 'violin');\nINSERT INTO absent VALUES (1);";
    let mut world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], seed: Some(seed), ..Setup::default() }).await;
    let problem = world.create("goteborg").await.unwrap_err();
    assert_eq!((problem.code, problem.changed), (ErrorCode::SeedFailed, Changed::Nothing));
    let why = problem.why.clone().unwrap();
    assert!(why.contains("line 2, column 13") && why.contains("42P01"), "{why}");
    assert_eq!(tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap_err().code, ErrorCode::TenantNotFound);
    world.assert_whole().await;
    world.seed = None;
    environment::ensure(&world.control, &DEV, world.new_environment()).await.unwrap();
    world.create("goteborg").await.unwrap();
    assert_eq!(world.count("tenant WHERE state = 'failed'").await, 1);
}

#[tokio::test]
async fn r97_a_seed_file_that_is_not_there_is_named() {
    let mut world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.seed = Some(Seed::SqlFile(world.directory.path().join("it's; absent.sql")));
    environment::ensure(&world.control, &DEV, world.new_environment()).await.unwrap();
    let problem = world.create("goteborg").await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::SeedFailed);
    assert!(problem.why.unwrap().contains("it's; absent.sql"));
}

#[tokio::test]
async fn r97_a_command_gets_the_tenants_url_and_no_secret_of_holms() {
    let mut world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let out = world.directory.path().join("environment");
    let psql = world.server.installation().bin.join("psql");
    world
        .set_command(&format!(
            "env > {out}; tr '\\0' ' ' < /proc/$$/cmdline >> {out}; {} -qAt -c 'CREATE TABLE seeded (id int)' \"$DATABASE_URL\"",
            psql.display(),
            out = out.display()
        ))
        .await;
    let tenant = world.create("goteborg").await.unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    let variable = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).map(str::to_owned);
    assert_eq!(variable("HOLM_ENV").as_deref(), Some("production"));
    assert_eq!(variable("NODE_ENV").as_deref(), Some("production"));
    assert_eq!(variable("HOLM_TENANT").as_deref(), Some("goteborg"));
    let database = tenant.database.unwrap();
    let url = variable("DATABASE_URL").unwrap();
    assert!(url.starts_with(&format!("postgresql://{database}_owner:")) && url.ends_with(&format!("/{database}")), "{url}");
    assert!(variable("CARGO_MANIFEST_DIR").is_none(), "an unlisted variable was passed on");
    let password = url.split(':').nth(2).unwrap().split('@').next().unwrap();
    assert!(!text.lines().last().unwrap().contains(password), "the password is in the process list");
    let owner = world.login(&database, "owner").await;
    owner.batch_execute("SELECT id FROM seeded").await.unwrap();
}

#[tokio::test]
async fn r97_what_a_failed_command_said_last_is_told_without_the_password() {
    let mut world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world
        .set_command(
            "i=0; while [ $i -lt 2000 ]; do echo filler; i=$((i+1)); done; echo $DATABASE_URL; echo 'it broke' >&2; sleep 100 & exit 3",
        )
        .await;
    let problem = world.create("goteborg").await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::SeedFailed);
    let why = problem.why.unwrap();
    assert!(why.contains("exit status: 3") && why.contains("it broke") && why.contains("[redacted]"), "{why}");
    assert!(why.len() < 3000, "{}", why.len());
}

#[tokio::test]
async fn r97_a_seed_that_a_crash_cut_runs_again_and_the_tenant_is_finished() {
    // The first run waits at a lock until its process is gone.
    let seed = "SELECT pg_advisory_xact_lock(1); INSERT INTO musician (name, plays) SELECT 'Ada', 'violin' WHERE NOT EXISTS (SELECT 1 FROM musician);";
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], seed: Some(seed), ..Setup::default() }).await;
    world.settled().await;
    // A session of ours in the member that the tenant will get holds the lock that the seed waits for.
    let name: String = world.catalog().await.query_one("SELECT name FROM database WHERE state = 'ready'", &[]).await.unwrap().get(0);
    let holder = world.server.connect(&name).await;
    holder.batch_execute("SELECT pg_advisory_lock(1)").await.unwrap();
    let creation = tenant::create(&world.control, &DEV, crate::support::new_tenant("goteborg"), PATIENCE);
    let crash = async {
        eventually(PATIENCE, "the seed's wait", async || {
            let sql = "SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'";
            (!holder.query(sql, &[&name]).await.unwrap().is_empty()).then_some(())
        })
        .await;
        world.control.shutdown().await;
    };
    tokio::select! {
        _ = creation => panic!("created although its seed cannot have run"),
        () = crash => {}
    }
    drop(holder);
    let next = world.second_control().await;
    next.start();
    world.until_count("tenant WHERE state = 'serving' AND seeded", 1).await;
    let tenant = tenant::show(&next, &production(), &slug("goteborg")).await.unwrap();
    let owner = world.login(&tenant.database.unwrap(), "owner").await;
    assert_eq!(owner.query_one("SELECT count(*) FROM musician", &[]).await.unwrap().get::<_, i64>(0), 1);
    next.shutdown().await;
}

#[tokio::test]
async fn r97_a_server_that_is_away_is_not_the_seeds_fault() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], seed: Some("SELECT 1"), ..Setup::default() }).await;
    world.settled().await;
    world.cluster_faults.set(Fault::Refuse);
    let creation = world.create("goteborg");
    let back = async {
        world.until_count("tenant", 1).await;
        eventually(PATIENCE, "an attempt", async || (world.cluster_faults.accepted() > 3).then_some(())).await;
        world.cluster_faults.set(Fault::Pass);
    };
    let (created, ()) = tokio::join!(creation, back);
    assert_eq!(created.unwrap().state, TenantState::Serving);
}
