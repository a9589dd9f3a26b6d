//! Servers that let in over TLS only: added, used for everything that Holm does on a cluster, and refused when they are not
//! who they should be.

use holm_core::cluster::tls::{Roots, ServerTls};
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_core::secret::Secret;
use holm_engine::cluster;
use holm_engine::cluster::add::{self, NewServer};
use holm_engine::cluster::url::{Beside, ServerUrl};
use holm_engine::operation::show;
use holm_engine::tenant;
use holm_engine::tenant::adopt::{self, NewAdoption};
use holm_engine::tenant::copy::{self, NewTenantCopy};
use holm_store::environment::Seed;
use holm_testkit::certificates::Authority;
use holm_testkit::new_server;

use crate::adopting::bring;
use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, production, slug};

/// A server with a superuser that is let in over TLS only, and who issued its certificate, which is for `127.0.0.1`.
async fn world(setup: Setup) -> (World, Authority) {
    let (server, authority) = (new_server(&[]).await, Authority::new("the servers' authority"));
    server.connect("postgres").await.batch_execute("CREATE ROLE elsewhere SUPERUSER LOGIN PASSWORD 'far away'").await.unwrap();
    server.speak_tls(&authority.issue(&["127.0.0.1"])).await;
    (World::without_cluster(setup, server).await, authority)
}

fn url(world: &World, host: &str) -> String {
    format!("postgresql://elsewhere:far%20away@{host}:{}", world.server.address.port)
}

fn read(url: &str, sslmode: &str, root: Option<&str>) -> ServerUrl {
    let beside = Beside { sslmode: Some(sslmode.to_owned()), ssl_root_cert: root.map(str::to_owned), ..Beside::default() };
    ServerUrl::read(&Secret::new(url.to_owned()), &beside).unwrap()
}

async fn try_add(world: &World, url: ServerUrl) -> Result<OperationId, Problem> {
    let new = NewServer { name: "production-1".parse().unwrap(), environment: production(), url, connections_max: None, claim: None };
    add::add(&world.control, &DEV, new, None).await
}

async fn succeeded(world: &World, id: OperationId) {
    let over = show::wait(&world.control, id, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded, "{:?}", over.problem);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_who_it_should_be_is_refused_with_the_reason_before_anything_changes() {
    let (world, authority) = world(Setup::default()).await;
    let (ours, theirs) = (authority.pem(), Authority::new("somebody else's authority").pem());
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (host, sslmode, root, code, why) in [
        ("127.0.0.1", "disable", None, ErrorCode::TlsTowardsServer, "in the clear"),
        ("127.0.0.1", "verify-full", Some(theirs.as_str()), ErrorCode::TlsTowardsServer, "leads to no root certificate"),
        ("127.0.0.1", "verify-ca", Some(theirs.as_str()), ErrorCode::TlsTowardsServer, "leads to no root certificate"),
        ("127.0.0.1", "verify-full", None, ErrorCode::TlsTowardsServer, "leads to no root certificate"),
        ("localhost", "verify-full", Some(ours.as_str()), ErrorCode::TlsTowardsServer, "not among its alternative names"),
        ("127.0.0.1", "verify-full", Some(broken), ErrorCode::InvalidValue, "root certificate cannot be used"),
    ] {
        let problem = try_add(&world, read(&url(&world, host), sslmode, root)).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (code, Changed::Nothing), "{problem:?}");
        assert!(problem.why.as_ref().unwrap().contains(why) && !problem.next.is_empty(), "{why}: {problem:?}");
        assert!(!format!("{problem:?}").contains("far away"), "{problem:?}");
    }
    // One without TLS at all.
    let plain = new_server(&[]).await;
    let problem = try_add(&world, read(&plain.url("postgres"), "verify-full", Some(&ours))).await.unwrap_err();
    assert!(problem.code == ErrorCode::TlsTowardsServer && problem.why.unwrap().contains("does not speak TLS"));
    assert_eq!(world.count("cluster").await + world.count("operation").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_server_that_lets_in_over_tls_only_tenants_are_created_seeded_and_copied() {
    let seed = "INSERT INTO musician (name, plays) VALUES ('Ada', 'viola')";
    let (world, authority) = world(Setup { pool_size: 2, migrations: vec![SCHEMA], seed: Some(seed), ..Setup::default() }).await;
    let wanted = read(&url(&world, "127.0.0.1"), "verify-full", Some(&authority.pem()));
    let tls = ServerTls::VerifyFull(Roots::Given(authority.pem().parse().unwrap()));
    let id = try_add(&world, wanted).await.unwrap();
    succeeded(&world, id).await;
    let (shown, _) = cluster::show(&world.control, &"production-1".parse().unwrap()).await.unwrap();
    assert_eq!((&shown.access.tls, shown.capability.unwrap().facts.tls), (&tls, true));

    world.create("goteborg").await.unwrap();
    world.until_count("database WHERE state = 'ready'", 2).await;
    let new = NewTenantCopy { slug: slug("copy"), cluster: None, ttl: None, reason: None };
    let id = copy::copy(&world.control, &DEV, &production(), &slug("goteborg"), new).await.unwrap();
    succeeded(&world, id).await;
    let made = tenant::show(&world.control, &production(), &slug("copy")).await.unwrap().database.unwrap();
    let inside = world.server.connect(made.as_str()).await;
    assert_eq!(inside.query_one("SELECT name FROM musician", &[]).await.unwrap().get::<_, &str>(0), "Ada");

    let table = world.control.publisher().table();
    assert!(table.clusters().all(|cluster| cluster.tls == tls), "the data plane is told");
    // PostgreSQL's word, for those of Holm's sessions that are open now; the others it would not have let in.
    let sql =
        "SELECT count(*) FILTER (WHERE NOT s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'elsewhere'";
    assert_eq!(inside.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_seeds_gets_a_url_that_verifies_the_server_too() {
    let (world, authority) = world(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let psql = world.server.installation().bin.join("psql");
    let sql = "INSERT INTO musician (name, plays) SELECT ssl::text, 'viola' FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let script = format!("\"{}\" -qXc \"{sql}\" \"$DATABASE_URL\" && echo \"$DATABASE_URL\" | grep -q sslmode=verify-ca", psql.display());
    let environment = holm_engine::environment::NewEnvironment {
        seed: Some(Seed::Command(vec!["sh".to_owned(), "-c".to_owned(), script])),
        ..world.new_environment()
    };
    holm_engine::environment::ensure(&world.control, &DEV, environment).await.unwrap();
    let id = try_add(&world, read(&url(&world, "127.0.0.1"), "verify-ca", Some(&authority.pem()))).await.unwrap();
    succeeded(&world, id).await;
    let database = world.create("goteborg").await.unwrap().database.unwrap();
    let inside = world.server.connect(database.as_str()).await;
    assert_eq!(inside.query_one("SELECT name FROM musician", &[]).await.unwrap().get::<_, &str>(0), "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_brought_is_adopted_over_tls_whatever_name_its_server_has() {
    let (world, authority) = world(Setup::default()).await;
    let brought = bring(&world.server, "app").await.replace("127.0.0.1", "localhost");
    let url = read(&brought, "verify-ca", Some(&authority.pem()));
    let new = NewAdoption { environment: production(), slug: slug("malmo"), url, cluster: None, claim: None, profile: None };
    let id = adopt::adopt(&world.control, &DEV, new, None).await.unwrap();
    succeeded(&world, id).await;
    let (shown, _) = cluster::show(&world.control, &"production-malmo".parse().unwrap()).await.unwrap();
    assert_eq!(shown.access.tls, ServerTls::VerifyCa(authority.pem().parse().unwrap()));
}
