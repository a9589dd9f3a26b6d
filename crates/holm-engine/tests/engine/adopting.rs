//! A database that somebody brings becomes a tenant's without a change to it, and is left as it is when the tenant goes.

use std::time::Duration;

use holm_core::capability::{KnownBy, Suits};
use holm_core::credential::Level;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_core::tenant::TenantState;
use holm_engine::cluster;
use holm_engine::credential::{self, CredentialScope, NewCredential};
use holm_engine::operation::show;
use holm_engine::tenant::adopt::{self, NewAdoption};
use holm_engine::tenant::{self, delete, rename};
use holm_testkit::{TestServer, new_server};

use crate::adding::{looks, server_url, try_add};
use crate::support::{DEV, PATIENCE, Setup, World, production, slug};

async fn world() -> World {
    World::without_cluster(Setup { pool_size: 1, ..Setup::default() }, new_server(&[]).await).await
}

/// A database with a table, owned by a role that may do nothing else, closed to everyone; its URL.
pub(crate) async fn bring(server: &TestServer, name: &str) -> String {
    let admin = server.connect("postgres").await;
    for sql in [
        format!("CREATE ROLE {name} LOGIN PASSWORD 'brought by {name}'"),
        format!("CREATE DATABASE {name} OWNER {name} TEMPLATE template0"),
        format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC"),
    ] {
        admin.batch_execute(&sql).await.unwrap();
    }
    let inside = server.connect(name).await;
    inside
        .batch_execute(&format!("SET ROLE {name}; CREATE SCHEMA app; CREATE TABLE app.t (id int); INSERT INTO app.t VALUES (7)"))
        .await
        .unwrap();
    format!("postgresql://{name}:brought%20by%20{name}@{}/{name}", server.address)
}

pub(crate) async fn try_adopt(world: &World, name: &str, environment: &str, url: &str) -> Result<OperationId, Problem> {
    let new = NewAdoption {
        environment: environment.parse().unwrap(),
        slug: slug(name),
        url: server_url(url),
        cluster: None,
        claim: None,
        profile: None,
    };
    adopt::adopt(&world.control, &DEV, new, None).await
}

pub(crate) async fn adopted(world: &World, name: &str, url: &str) {
    let id = try_adopt(world, name, "production", url).await.unwrap();
    assert_eq!(show::succeeded(&world.control, id, PATIENCE).await.unwrap().state, OperationState::Succeeded);
}

/// Refused at once, for this reason, and nothing is different.
pub(crate) async fn refused(world: &World, environment: &str, url: &str, code: ErrorCode) -> Problem {
    let count = world.count("operation").await;
    let problem = try_adopt(world, "brought", environment, url).await.unwrap_err();
    assert_eq!((problem.code, problem.changed), (code, Changed::Nothing), "{problem:?}");
    assert!(!problem.next.is_empty() && !format!("{problem:?}").contains("brought by"), "{problem:?}");
    assert_eq!(world.count("operation").await, count);
    problem
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_brought_serves_its_tenant_unchanged_and_outlives_it() {
    let world = world().await;
    let url = bring(&world.server, "app").await;
    let before = looks(&world.server).await;
    adopted(&world, "goteborg", &url).await;
    let shown = tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap();
    assert_eq!((shown.state, shown.database.unwrap().as_str()), (TenantState::Serving, "app"));
    let table = world.control.publisher().table();
    let route = table.route(&production(), &slug("goteborg")).unwrap();
    assert_eq!(route.login(Level::Owner).unwrap().role.as_str(), "app");
    assert!(route.login(Level::Rw).is_none() && route.login(Level::Ro).is_none());
    // The keys are those that the server has: H(ClientKey) is the stored key of its verifier.
    let admin = world.server.connect("postgres").await;
    let verifier: String = admin.query_one("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'", &[]).await.unwrap().get(0);
    let keys = &route.login(Level::Owner).unwrap().keys;
    let base64 = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let stored = base64(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, keys.client_key.expose()).as_ref());
    assert!(verifier.ends_with(&format!("${stored}:{}", base64(keys.server_key.expose()))));

    let (cluster, residents) = cluster::show(&world.control, &"production-goteborg".parse().unwrap()).await.unwrap();
    assert_eq!(residents.len(), 1);
    let seen = cluster.capability.unwrap();
    assert_eq!((seen.suits, seen.facts.known_by, seen.facts.superuser), (Suits::Adoption, KnownBy::SystemIdentifier, false));
    assert_eq!(world.complaints().await, vec![]);
    for (level, expected) in
        [(Level::Rw, Some(ErrorCode::LevelNotThere)), (Level::Ro, Some(ErrorCode::LevelNotThere)), (Level::Owner, None)]
    {
        let new = NewCredential {
            environment: production(),
            name: format!("goteborg-{level}").parse().unwrap(),
            scope: CredentialScope::Tenant(slug("goteborg")),
            level,
            secret: None,
        };
        assert_eq!(credential::issue(&world.control, &DEV, new).await.err().map(|problem| problem.code), expected, "{level}");
    }
    let drained = cluster::drain::drain(&world.control, &DEV, &cluster.name, None).await.unwrap_err();
    assert_eq!(drained.code, ErrorCode::ClusterClosed);

    let id = delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), Duration::ZERO, None).await.unwrap();
    show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    assert_eq!(looks(&world.server).await, before, "nothing was made, dropped, granted or revoked");
    let rows = world.server.connect("app").await.query("SELECT id FROM app.t", &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, i32>(0), 7);
    assert_eq!((cluster::list(&world.control).await.unwrap(), world.count("database").await), (vec![], 0));
    // It may come again, under the same name.
    adopted(&world, "goteborg", &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_brought_must_not_be_the_catalog() {
    let world = world().await;
    let shared = holm_testkit::server().await;
    let name = format!("brought_{}", std::process::id());
    bring(shared, &name).await;
    // Behind another address, and the other database of its server.
    let proxy = holm_testkit::wire_faults::FaultProxy::start(shared.address.to_string()).await.unwrap();
    for address in [shared.address.to_string(), format!("127.0.0.1:{}", proxy.address().port())] {
        refused(&world, "production", &format!("postgresql://{name}:brought%20by%20{name}@{address}/{name}"), ErrorCode::CatalogItself)
            .await;
    }
    // Where the identifier may not be read, by a beacon.
    let admin = shared.connect(&name).await;
    admin.batch_execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC").await.unwrap();
    refused(
        &world,
        "production",
        &format!("postgresql://{name}:brought%20by%20{name}@{}/{name}", shared.address),
        ErrorCode::CatalogItself,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_what_is_brought_must_not_be_known_already_under_whatever_address() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    crate::clusters::staging(&world).await;
    let tenant = world.create("malmo").await.unwrap();
    let database = tenant.database.unwrap();
    world.login(&database, "owner").await;
    let of_a_tenant = format!("postgresql://{database}_owner:for%20this%20test@{}/{database}", world.server.address);
    let beside = bring(&world.server, "app").await;
    let through_a_proxy =
        beside.replace(&world.server.address.to_string(), &format!("127.0.0.1:{}", world.cluster_faults.address().port()));
    for url in [&of_a_tenant, &beside, &through_a_proxy] {
        refused(&world, "production", url, ErrorCode::ClusterTaken).await;
    }
    refused(&world, "staging", &beside, ErrorCode::ClusterElsewhere).await;
    // Where the identifier may not be read.
    world.server.connect("app").await.batch_execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC").await.unwrap();
    refused(&world, "production", &through_a_proxy, ErrorCode::ClusterTaken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_databases_of_one_server_are_of_one_environment_and_out_of_each_others_reach() {
    let world = world().await;
    crate::clusters::staging(&world).await;
    let (one, two) = (bring(&world.server, "one").await, bring(&world.server, "two").await);
    adopted(&world, "goteborg", &one).await;
    refused(&world, "production", &one, ErrorCode::ClusterTaken).await;
    refused(&world, "staging", &two, ErrorCode::ClusterElsewhere).await;
    // A server of which a database was brought is not Holm's to fill.
    let whole = try_add(&world, "production-1", "production", &world.server.url("postgres")).await.unwrap_err();
    assert_eq!(whole.code, ErrorCode::ClusterTaken);
    let admin = world.server.connect("postgres").await;
    for open in ["one", "two"] {
        admin.batch_execute(&format!("GRANT CONNECT ON DATABASE {open} TO PUBLIC")).await.unwrap();
        refused(&world, "production", &two, ErrorCode::TooPowerful).await;
        admin.batch_execute(&format!("REVOKE CONNECT ON DATABASE {open} FROM PUBLIC")).await.unwrap();
    }
    adopted(&world, "malmo", &two).await;
    assert_eq!(world.complaints().await, vec![]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_too_much_or_too_little_is_refused() {
    let world = world().await;
    let url = bring(&world.server, "app").await;
    let superuser = world.server.url("app");
    refused(&world, "production", &superuser, ErrorCode::TooPowerful).await;
    let admin = world.server.connect("postgres").await;
    admin.batch_execute("ALTER ROLE app REPLICATION").await.unwrap();
    refused(&world, "production", &url, ErrorCode::TooPowerful).await;
    admin.batch_execute("ALTER ROLE app NOREPLICATION").await.unwrap();
    admin.batch_execute("CREATE ROLE guest LOGIN PASSWORD 'brought by guest'; GRANT CONNECT ON DATABASE app TO guest").await.unwrap();
    let guest = format!("postgresql://guest:brought%20by%20guest@{}/app", world.server.address);
    refused(&world, "production", &guest, ErrorCode::ServerUnsuitable).await;
    refused(&world, "production", &guest.replace("by%20guest", "by%20none"), ErrorCode::ClusterRefused).await;
    refused(&world, "production", &guest.replace("/app", "/none"), ErrorCode::ClusterRefused).await;
    refused(&world, "production", &guest.replace("/app", ""), ErrorCode::InvalidValue).await;
    admin.batch_execute("ALTER ROLE app SET default_transaction_read_only = on").await.unwrap();
    let read_only = refused(&world, "production", &url, ErrorCode::ServerUnsuitable).await;
    assert!(read_only.why.unwrap().contains("default_transaction_read_only"));
    assert_eq!(world.count("cluster").await + world.count("tenant").await, 0);
}

/// What stands first in `pg_hba.conf` counts.
async fn first_rule(server: &TestServer, rule: &str) {
    let path = server.data().join("pg_hba.conf");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{rule}\n{text}")).unwrap();
    server.connect("postgres").await.query("SELECT pg_reload_conf()", &[]).await.unwrap();
    let sql = "SELECT count(*) FROM pg_hba_file_rules";
    assert!(server.connect("postgres").await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lets_in_otherwise_than_by_scram_is_refused_and_gets_no_password() {
    let world = world().await;
    let url = bring(&world.server, "app").await;
    for method in ["trust", "password", "md5"] {
        let admin = world.server.connect("postgres").await;
        if method == "md5" {
            // With a SCRAM verifier `md5` means SCRAM.
            admin.batch_execute("SET password_encryption = md5; ALTER ROLE app PASSWORD 'brought by app'").await.unwrap();
        }
        first_rule(&world.server, &format!("host app app all {method}")).await;
        let told = holm_testkit::eventually(PATIENCE, "a reload", async || {
            let problem = try_adopt(&world, "brought", "production", &url).await.unwrap_err();
            if problem.what.ends_with(&format!(" by {method}")) { Ok(problem) } else { Err(problem) }
        });
        let problem = told.await;
        assert_eq!((problem.code, problem.changed), (ErrorCode::NotScram, Changed::Nothing));
    }
    assert_eq!(world.count("operation").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_kept_for_another_tenant_is_refused_at_once() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    let renamed = rename::NewName { to: slug("vast"), grace: rename::GRACE, reason: None };
    let id = rename::rename(&world.control, &DEV, &production(), &slug("goteborg"), renamed).await.unwrap();
    show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    let server = new_server(&[]).await;
    let url = bring(&server, "app").await;
    for (name, code) in [("goteborg", ErrorCode::SlugReserved), ("vast", ErrorCode::SlugTaken)] {
        assert_eq!(try_adopt(&world, name, "production", &url).await.unwrap_err().code, code);
    }
    adopted(&world, "brought", &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn adoption_that_is_undone_leaves_nothing_in_the_catalog() {
    let world = world().await;
    let url = bring(&world.server, "app").await;
    // Two at once for one database: one gets it, the other is undone or refused.
    let (one, two) = tokio::join!(try_adopt(&world, "one", "production", &url), try_adopt(&world, "two", "production", &url));
    for id in [one, two].into_iter().flatten() {
        show::wait(&world.control, id, None, PATIENCE).await.unwrap();
    }
    assert_eq!(world.count("tenant WHERE state = 'serving'").await, 1);
    assert_eq!((world.count("cluster WHERE state = 'open'").await, world.count("database").await), (1, 1));
    assert_eq!(world.complaints().await, vec![]);
}
