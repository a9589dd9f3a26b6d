//! What must not be adopted is recognised however its URL is written, and a URL that would not be heeded is not read.

use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::cluster::url::ServerUrl;
use holm_testkit::{TestServer, new_server};

use crate::adding::looks;
use crate::adopting::{adopted, bring, refused};
use crate::support::{Setup, World};

/// A role and a database of a server on this machine.
struct Target<'a> {
    server: &'a TestServer,
    role: &'a str,
    password: &'a str,
    database: &'a str,
}

impl Target<'_> {
    /// One and the same, written differently.
    fn spellings(&self) -> Vec<String> {
        let Self { server, role, password, database } = self;
        let (port, login, encoded) = (server.address.port, format!("{role}:{}", password.replace(' ', "%20")), percent(database));
        let mut all: Vec<String> = ["127.0.0.1", "localhost", "LOCALHOST", "127.1", "[::ffff:127.0.0.1]", "%31%32%37.0.0.1"]
            .map(|host| format!("postgresql://{login}@{host}:{port}/{database}"))
            .into();
        all.extend([
            format!("postgres://{login}@127.0.0.1:{port}/{database}"),
            format!("postgresql://{login}@127.0.0.1:0{port}/{database}"),
            format!("postgresql://{login}@127.0.0.1:{port}/{encoded}"),
            format!("postgresql://{login}@127.0.0.1:{port}/{database}?sslmode=disable&connect_timeout=5"),
            format!("postgresql://{login}@127.0.0.1:{port}/none?dbname={database}"),
            format!("postgresql://{login}@/{database}?host=localhost&port={port}"),
            format!("postgresql:///?host=127.0.0.1&port={port}&dbname={encoded}&user={role}&password={}", percent(password)),
        ]);
        all
    }

    /// What leads there by other programs' rules, and what Holm would read as something else.
    fn unread(&self) -> Vec<String> {
        let Self { server, role, database, .. } = self;
        let (port, login) = (server.address.port, format!("{role}:hunter22"));
        let sockets = percent(server.data().parent().unwrap().join("sockets").to_str().unwrap());
        vec![
            format!("postgresql://{login}@{sockets}:{port}/{database}"),
            format!("postgresql://{login}@/{database}?host={sockets}&port={port}"),
            format!("postgresql://{login}@/{database}"),
            format!("postgresql://{login}@127.0.0.1/{database}?port={port}"),
            format!("postgresql://{login}@127.0.0.1:1/{database}?port={port}"),
            format!("postgresql://{login}@example.com:{port}/{database}?hostaddr=127.0.0.1"),
            format!("postgresql://{login}@127.0.0.1:{port},localhost:{port}/{database}"),
            format!("postgresql://{login}@127.0.0.1:{port}/{database}?options=-crole%3Dholm"),
            format!("host=127.0.0.1 port={port} dbname={database} user={role} password=hunter22"),
        ]
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Refused under every spelling, with one code and something to do; nothing is different, there and here.
async fn refused_everywhere(world: &World, target: &Target<'_>, code: ErrorCode) {
    let rows = async || world.count("tenant").await + world.count("cluster").await + world.count("database").await;
    let itself = async || {
        let all = looks(target.server).await;
        // Others make databases there at the same time.
        all.into_iter().filter(|line| line.contains(target.database)).collect::<Vec<_>>()
    };
    let (before, looked) = (rows().await, itself().await);
    for url in target.spellings() {
        let problem = refused(world, "production", &url, code).await;
        assert!(!problem.next.is_empty() && !said(&problem).contains(target.password), "{problem:?}");
    }
    // To PostgreSQL that is another database, and here there is none.
    let other_case = Target { database: &other_case(target.database), ..*target };
    refused(world, "production", &other_case.spellings()[0], ErrorCode::ClusterRefused).await;
    for url in target.unread() {
        let problem = ServerUrl::parse(&Secret::new(url.clone()), None).expect_err(&url);
        assert_eq!(problem.code, ErrorCode::InvalidValue, "{url}");
        assert!(!said(&problem).contains("hunter22") && !problem.next.is_empty(), "{problem:?}");
    }
    assert_eq!((rows().await, itself().await), (before, looked));
}

fn other_case(name: &str) -> String {
    name.chars().map(|letter| if letter.is_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }).collect()
}

fn said(problem: &Problem) -> String {
    format!("{problem:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_is_refused_however_its_url_is_written() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    let shared = holm_testkit::server().await;
    let name = format!("spelled_{}", std::process::id());
    bring(shared, &name).await;
    let password = format!("brought by {name}");
    refused_everywhere(&world, &Target { server: shared, role: &name, password: &password, database: &name }, ErrorCode::CatalogItself)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_database_is_refused_however_its_url_is_written() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let database = world.create("malmo").await.unwrap().database.unwrap();
    world.login(&database, "owner").await;
    world.settled().await;
    let owner = format!("{database}_owner");
    let made = Target { server: &world.server, role: &owner, password: "for this test", database: database.as_str() };
    refused_everywhere(&world, &made, ErrorCode::ClusterTaken).await;
    // One that was brought, and under either of two URLs.
    let server = new_server(&[]).await;
    let url = bring(&server, "app").await;
    adopted(&world, "goteborg", &url.replace("127.0.0.1", "localhost")).await;
    let brought = Target { server: &server, role: "app", password: "brought by app", database: "app" };
    refused_everywhere(&world, &brought, ErrorCode::ClusterTaken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_is_refused_however_its_url_is_written() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    let server = new_server(&[]).await;
    bring(&server, "app").await;
    let (role, password) = (server.superuser.as_str(), server.password.expose().clone());
    let superuser = Target { server: &server, role, password: &password, database: "app" };
    refused_everywhere(&world, &superuser, ErrorCode::TooPowerful).await;
}
