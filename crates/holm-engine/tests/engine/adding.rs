//! Servers are added by an operation: looked at, filled, opened; refused with every reason; undone without a trace.

use holm_core::capability::{KnownBy, Suits};
use holm_core::cluster::state::ClusterState;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_core::secret::Secret;
use holm_engine::cluster;
use holm_engine::cluster::add::{self, NewServer};
use holm_engine::cluster::url::ServerUrl;
use holm_engine::operation::people::{self, Word};
use holm_engine::operation::show;
use holm_testkit::{TestServer, new_server};

use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World};

pub(crate) fn server_url(text: &str) -> ServerUrl {
    ServerUrl::parse(&Secret::new(text.to_owned()), None).unwrap()
}

pub(crate) async fn try_add(world: &World, name: &str, environment: &str, url: &str) -> Result<OperationId, Problem> {
    let new = NewServer {
        name: name.parse().unwrap(),
        environment: environment.parse().unwrap(),
        url: server_url(url),
        connections_max: None,
        claim: None,
    };
    add::add(&world.control, &DEV, new, None).await
}

/// What a server looks like to whoever owns it: databases, roles, and who may do what with the databases it began with.
pub(crate) async fn looks(server: &TestServer) -> Vec<String> {
    let sql = "SELECT 'database ' || datname FROM pg_database
               UNION ALL SELECT 'role ' || rolname FROM pg_roles
               UNION ALL SELECT d.datname || ' ' || acl.grantee || ' ' || acl.privilege_type
                   FROM pg_database d, LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) acl
               ORDER BY 1";
    server.connect("postgres").await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn empty_world(setup: Setup) -> World {
    World::without_cluster(setup, new_server(&[]).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_added_filled_and_open_when_the_operation_is_over() {
    let world = empty_world(Setup { pool_size: 2, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let url = world.server.url("postgres");
    let id = try_add(&world, "production-1", "production", &url).await.unwrap();
    let over = show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    assert_eq!((over.state, over.step), (OperationState::Succeeded, 6));
    let (shown, residents) = cluster::show(&world.control, &"production-1".parse().unwrap()).await.unwrap();
    assert_eq!((shown.state, residents), (ClusterState::Open, vec![]));
    let seen = shown.capability.unwrap();
    assert_eq!((seen.suits, seen.facts.known_by, seen.because), (Suits::Pool, KnownBy::SystemIdentifier, vec![]));
    assert!(world.create("goteborg").await.is_ok());
    world.assert_whole().await;
    // The password is in no journal and in no row of the catalog but sealed.
    let catalog = world.catalog().await;
    let found: i64 = catalog
        .query_one(
            "SELECT (SELECT count(*) FROM operation o WHERE o::text LIKE '%' || $1 || '%')
                  + (SELECT count(*) FROM operation_event e WHERE e::text LIKE '%' || $1 || '%')",
            &[&world.server.password.expose().as_str()],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(found, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn adding_that_is_undone_leaves_the_server_as_it_was_found_and_its_name_free() {
    let world = empty_world(Setup { pool_size: 2, migrations: vec![("1_broken", "CREATE TABLE t (id int")], ..Setup::default() }).await;
    let before = looks(&world.server).await;
    let url = world.server.url("postgres");
    // With broken migrations it never gets its first database; a person gives it up.
    let id = try_add(&world, "production-1", "production", &url).await.unwrap();
    world.until_count("cluster WHERE trouble IS NOT NULL AND state = 'filling'", 1).await;
    assert_ne!(looks(&world.server).await, before);
    people::tell(&world.control, &DEV, id, Word::Cancel { reason: None }).await.unwrap();
    world.until_count("operation WHERE state = 'undone'", 1).await;
    assert_eq!(looks(&world.server).await, before);
    assert_eq!(cluster::list(&world.control).await.unwrap(), vec![]);
    assert_eq!(world.count("cluster WHERE state = 'removed' AND sealed_admin_password = '\\x00'").await, 1);
    // Name and server are free: with whole migrations it is added.
    world.write_migrations(&[("1_broken", "CREATE TABLE t (id int)")]);
    let id = try_add(&world, "production-1", "production", &url).await.unwrap();
    show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_a_server_that_is_known_is_refused_under_whatever_name_address_or_environment() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    crate::clusters::staging(&world).await;
    // Registered through a proxy; given by its own address.
    let url = world.server.url("postgres");
    for (name, environment, expected) in [
        ("production-2", "production", ErrorCode::ClusterTaken),
        ("production-1", "production", ErrorCode::ClusterTaken),
        ("staging-1", "staging", ErrorCode::ClusterElsewhere),
    ] {
        let problem = try_add(&world, name, environment, &url).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (expected, Changed::Nothing), "{problem:?}");
        assert!(!problem.next.is_empty());
    }
    assert_eq!((world.count("cluster").await, world.count("operation").await), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_a_cluster_is_refused_with_the_reason_and_untouched() {
    let world = empty_world(Setup { pool_size: 0, ..Setup::default() }).await;
    let admin = world.server.connect("postgres").await;
    admin.batch_execute("CREATE ROLE humble LOGIN CREATEDB CREATEROLE PASSWORD 'humble'").await.unwrap();
    let before = looks(&world.server).await;
    let address = &world.server.address;
    let catalog = holm_testkit::server().await.url("postgres");
    for (url, expected) in [
        (format!("postgresql://humble:humble@{address}"), ErrorCode::ServerUnsuitable),
        (format!("postgresql://humble:wrong@{address}"), ErrorCode::ClusterRefused),
        (format!("postgresql://humble:humble@{address}/app"), ErrorCode::InvalidValue),
        ("postgresql://holm:holm@127.0.0.1:1".to_owned(), ErrorCode::ClusterUnreachable),
        (catalog, ErrorCode::CatalogItself),
    ] {
        let problem = try_add(&world, "production-1", "production", &url).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (expected, Changed::Nothing), "{problem:?}");
        assert!(!problem.next.is_empty() && !format!("{problem:?}").contains("wrong"), "{problem:?}");
    }
    let humble = try_add(&world, "production-1", "production", &format!("postgresql://humble:humble@{address}")).await.unwrap_err();
    assert!(humble.next[0].contains("holm tenant adopt"), "{humble:?}");
    let elsewhere = try_add(&world, "production-1", "nowhere", &world.server.url("postgres")).await.unwrap_err();
    assert_eq!(elsewhere.code, ErrorCode::EnvironmentNotFound);
    admin.batch_execute("ALTER ROLE holm SET default_transaction_read_only = on").await.unwrap();
    let read_only = try_add(&world, "production-1", "production", &world.server.url("postgres")).await.unwrap_err();
    assert!(read_only.why.unwrap().contains("default_transaction_read_only"));
    assert_eq!(looks(&world.server).await, before);
    assert_eq!(world.count("operation").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_on_a_server_is_noticed_and_told() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    let name = "production-1".parse().unwrap();
    assert!(cluster::show(&world.control, &name).await.unwrap().0.capability.is_some(), "looked at when it is first shown");
    let catalog = world.catalog().await;
    catalog
        .batch_execute("UPDATE cluster SET server_version = 140001, capability = jsonb_set(capability, '{facts,server_version}', '140001')")
        .await
        .unwrap();
    cluster::observe_now(&world.control, &name).await.unwrap();
    let (shown, _) = cluster::show(&world.control, &name).await.unwrap();
    assert_ne!(shown.access.server_version, 140_001, "the version is brought up to date");
    let complaints = world.complaints().await;
    // The pool may still be waiting for its template.
    let told: Vec<_> = complaints.iter().filter(|finding| finding.check.ends_with(": capability")).collect();
    assert!(told.len() == 1 && told[0].text.contains("PostgreSQL was 14.1 and is"), "{complaints:?}");
}
