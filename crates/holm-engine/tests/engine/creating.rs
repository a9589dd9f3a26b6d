//! Creating tenants, suspending them and letting them in again.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_core::credential::Level;
use holm_core::error::{Changed, ErrorCode};
use holm_core::parameter::TenantParameter;
use holm_core::route::RouteState;
use holm_core::tenant::TenantState;
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::tenant::{self, NewTenant};
use holm_store::page::Page;
use holm_testkit::new_server;

use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, new_tenant, production, slug};

#[tokio::test]
async fn r97_an_acknowledged_tenant_has_its_schema_its_roles_and_a_route() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let tenant = world.create("goteborg").await.unwrap();
    assert_eq!(tenant.state, TenantState::Serving);
    let table = world.control.publisher().table();
    let route = table.route(&production(), &slug("goteborg")).unwrap();
    assert_eq!(Some(&route.database), tenant.database.as_ref());
    assert_eq!(route.state, RouteState::Serving);
    // The keys that the proxy logs in with are the ones that the roles have: H(ClientKey) is the verifier's stored key.
    let admin = world.server.connect("postgres").await;
    for level in Level::ALL {
        let login = route.login(level).unwrap();
        let sql = "SELECT rolpassword FROM pg_authid WHERE rolname = $1";
        let verifier: String = admin.query_one(sql, &[&login.role.as_str()]).await.unwrap().get(0);
        let stored_key = STANDARD.encode(digest(&SHA256, login.keys.client_key.expose()));
        let server_key = STANDARD.encode(login.keys.server_key.expose());
        assert!(verifier.ends_with(&format!("${stored_key}:{server_key}")), "{level}");
    }
    world.assert_whole().await;
}

#[tokio::test]
async fn r97_each_level_may_do_what_it_is_for_and_no_more() {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let database = world.create("goteborg").await.unwrap().database.unwrap();
    let owner = world.login(&database, "owner").await;
    let rw = world.login(&database, "rw").await;
    let ro = world.login(&database, "ro").await;
    owner
        .batch_execute("CREATE TABLE later (id serial PRIMARY KEY, note text); CREATE SCHEMA later; CREATE TABLE later.still (id int)")
        .await
        .unwrap();
    rw.batch_execute(
        "INSERT INTO musician (name, plays) VALUES ('Ada', 'violin'); UPDATE musician SET name = 'Eva'; INSERT INTO later (note) VALUES ('x');
         INSERT INTO \"Old \"\"stuff\".gig VALUES (1); DELETE FROM \"Old \"\"stuff\".gig; INSERT INTO later.still VALUES (1);
         CREATE TEMPORARY TABLE mine (id int)",
    )
    .await
    .unwrap();
    let name: String = ro.query_one("SELECT name FROM violinist", &[]).await.unwrap().get(0);
    assert_eq!(name, "Eva");
    let count: i64 = ro.query_one("SELECT count_musicians() + (SELECT count(*) FROM later)", &[]).await.unwrap().get(0);
    assert_eq!(count, 2);
    for (session, sql) in [
        (&rw, "CREATE TABLE not_mine (id int)"),
        (&rw, "DROP TABLE musician"),
        (&rw, "ALTER TABLE musician ADD COLUMN x int"),
        (&rw, "UPDATE _prisma_migrations SET checksum = ''"),
        (&rw, "CREATE SCHEMA mine"),
        (&ro, "INSERT INTO musician (name, plays) VALUES ('Eve', 'viola')"),
        (&ro, "DELETE FROM later"),
        (&ro, "SELECT nextval('later_id_seq')"),
        (&ro, "CREATE TEMPORARY TABLE mine (id int)"),
        (&owner, "CREATE ROLE accomplice"),
        (&owner, "CREATE DATABASE hidden"),
        (&owner, "ALTER SYSTEM SET work_mem = '1MB'"),
        (&owner, "COPY musician TO PROGRAM 'cat'"),
    ] {
        let error = session.batch_execute(sql).await.expect_err(sql);
        assert_eq!(error.code().unwrap().code(), "42501", "{sql}: {error:?}");
    }
}

#[tokio::test]
async fn a_cold_pool_makes_a_tenant_wait_and_nothing_more() {
    let world = World::start(Setup { pool_size: 0, migrations: vec![SCHEMA], ..Setup::default() }).await;
    assert_eq!(world.create("goteborg").await.unwrap().state, TenantState::Serving);
    world.assert_whole().await;
}

#[tokio::test]
async fn fifty_tenants_at_once_all_get_a_database_of_their_own() {
    let world = World::start(Setup { pool_size: 2, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let creations = (0..50).map(|n| tenant::create(&world.control, &DEV, new_tenant(&format!("tenant-{n}")), 3 * PATIENCE));
    let mut databases: Vec<_> =
        futures_util::future::join_all(creations).await.into_iter().map(|created| created.unwrap().database.unwrap()).collect();
    databases.sort();
    databases.dedup();
    assert_eq!(databases.len(), 50);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_pool_that_is_made_smaller_gives_databases_back() {
    let world = World::start(Setup { pool_size: 3, ..Setup::default() }).await;
    world.settled().await;
    let smaller = NewEnvironment { pool_size: 1, ..world.new_environment() };
    environment::ensure(&world.control, &DEV, smaller).await.unwrap();
    world.until_count("database", 1).await;
    assert_eq!(world.orphans().await, Vec::<String>::new());
}

#[tokio::test]
async fn of_two_creates_of_one_name_one_wins_and_the_other_is_told_so() {
    let world = World::start(Setup { pool_size: 2, ..Setup::default() }).await;
    world.settled().await;
    let (one, two) = tokio::join!(world.create("malmo"), world.create("malmo"));
    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(won.unwrap().state, TenantState::Serving);
    let lost = lost.unwrap_err();
    assert_eq!((lost.code, lost.changed), (ErrorCode::SlugTaken, Changed::Nothing));
    assert!(!lost.next.is_empty());
    assert_eq!(world.create("malmo").await.unwrap_err().code, ErrorCode::SlugTaken);
    assert_eq!(world.count("tenant").await, 1);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_tenant_without_a_cluster_keeps_its_name_and_is_finished_when_there_is_one() {
    let world = World::without_cluster(Setup { pool_size: 1, ..Setup::default() }, new_server(&[]).await).await;
    let problem = tenant::create(&world.control, &DEV, new_tenant("goteborg"), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!((problem.code, problem.changed), (ErrorCode::NoDatabaseInTime, Changed::Something));
    assert!(problem.why.unwrap().contains("no cluster"));
    assert_eq!(tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap().state, TenantState::Creating);
    world.register().await;
    world.until_count("tenant WHERE state = 'serving'", 1).await;
    world.assert_whole().await;
}

#[tokio::test]
async fn what_does_not_exist_is_named_and_nothing_is_changed() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    let of = |environment: &str, cluster: Option<&str>| NewTenant {
        environment: environment.parse().unwrap(),
        cluster: cluster.map(|name| name.parse().unwrap()),
        ..new_tenant("goteborg")
    };
    for (new, expected) in
        [(of("nowhere", None), ErrorCode::EnvironmentNotFound), (of("production", Some("elsewhere")), ErrorCode::ClusterNotFound)]
    {
        let problem = tenant::create(&world.control, &DEV, new, PATIENCE).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (expected, Changed::Nothing), "{problem:?}");
    }
    let nobody = slug("nobody");
    for problem in [
        tenant::show(&world.control, &production(), &nobody).await.unwrap_err(),
        tenant::suspend(&world.control, &DEV, &production(), &nobody).await.unwrap_err(),
        tenant::resume(&world.control, &DEV, &production(), &nobody).await.unwrap_err(),
    ] {
        assert_eq!(problem.code, ErrorCode::TenantNotFound);
    }
    assert_eq!(world.count("tenant").await, 0);
}

#[tokio::test]
async fn r79_parameters_are_kept_with_the_tenant_and_checked_by_postgresql() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let with = |name: &str, value: &str, tenant: &str| NewTenant {
        parameters: vec![TenantParameter::new(name, value).unwrap()],
        ..new_tenant(tenant)
    };
    let problem = tenant::create(&world.control, &DEV, with("work_mem", "banana'; --", "malmo"), PATIENCE).await.unwrap_err();
    assert_eq!((problem.code, problem.changed), (ErrorCode::InvalidValue, Changed::Nothing));
    let tenant = tenant::create(&world.control, &DEV, with("work_mem", "8MB", "goteborg"), PATIENCE).await.unwrap();
    assert_eq!(tenant.parameters, with("work_mem", "8MB", "x").parameters);
    let table = world.control.publisher().table();
    let route = table.route(&production(), &slug("goteborg")).unwrap();
    assert_eq!(route.parameters.iter().map(ToString::to_string).collect::<Vec<_>>(), ["work_mem=8MB"]);
    assert_eq!(world.count("tenant").await, 1);
}

#[tokio::test]
async fn suspending_is_acknowledged_when_the_data_plane_knows_and_twice_is_once() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let serving = world.create("goteborg").await.unwrap();
    let state = || world.control.publisher().table().route_of(serving.id).map(|route| (route.state, route.epoch));
    let suspended = tenant::suspend(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
    assert_eq!(suspended.state, TenantState::Suspended);
    assert!(suspended.epoch > serving.epoch);
    assert_eq!(state(), Some((RouteState::Suspended, suspended.epoch)));
    let again = tenant::suspend(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
    assert_eq!((again.state, again.epoch), (TenantState::Suspended, suspended.epoch));
    let resumed = tenant::resume(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
    assert!(resumed.epoch > suspended.epoch);
    assert_eq!(state(), Some((RouteState::Serving, resumed.epoch)));
}

#[tokio::test]
async fn a_node_that_does_not_confirm_is_a_problem_that_says_the_change_stands() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    let _silent = world.control.publisher().subscribe();
    let problem = tenant::create(&world.control, &DEV, new_tenant("malmo"), Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(problem.code, ErrorCode::DataPlaneSilent), "{problem:?}");
    assert_eq!(problem.changed, Changed::Something);
    world.until_count("tenant WHERE state = 'serving'", 2).await;
}

#[tokio::test]
async fn a_list_comes_in_pages_over_one_environment_or_all() {
    let world = World::start(Setup { pool_size: 3, ..Setup::default() }).await;
    for name in ["stockholm", "goteborg", "malmo"] {
        world.create(name).await.unwrap();
    }
    let first = tenant::list(&world.control, Some(&production()), Page { after: None, limit: 2 }).await.unwrap();
    let slugs = |tenants: &[holm_store::tenant::Tenant]| tenants.iter().map(|tenant| tenant.slug.to_string()).collect::<Vec<_>>();
    assert_eq!(slugs(&first), ["goteborg", "malmo"]);
    let after = Some((production(), first[1].slug.clone()));
    assert_eq!(slugs(&tenant::list(&world.control, None, Page { after, limit: 2 }).await.unwrap()), ["stockholm"]);
    let problem = tenant::list(&world.control, Some(&"nowhere".parse().unwrap()), Page::first()).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::EnvironmentNotFound);
}
