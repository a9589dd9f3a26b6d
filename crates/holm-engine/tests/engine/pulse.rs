//! What an idle process costs the catalog, and how late it hears of what nobody told it.

use std::time::{Duration, Instant};

use holm_core::environment::EnvironmentKind;
use holm_core::route::RouteState;
use holm_core::secret::Secret;
use holm_core::webhook::Patterns;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::mail::MailConfig;
use holm_engine::node::{NodeConfig, NodeRole};
use holm_engine::secret::master_key::MasterKey;
use holm_engine::tenant::{self, delete};
use holm_engine::webhook::{self, NewWebhook};
use holm_link::Publisher;
use holm_store::catalog::Catalog;
use holm_testkit::{eventually, new_server};

use crate::support::{DEV, KEY, PATIENCE, Setup, World, new_tenant, production, slug};

/// Two looks of the pulse, and what a busy machine adds.
const LATE_MAX: Duration = Duration::from_secs(4 + 4);

/// A statement a second, the whole process: the bar.
const WINDOW: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_operation_and_a_route_that_no_word_told_of_are_found_by_the_next_looks() {
    let world = World::start(Setup { pool_size: 2, ..Setup::default() }).await;
    let (grace, plain) = (slug("grace"), slug("plain"));
    for name in ["grace", "plain"] {
        world.create(name).await.unwrap();
    }
    // It rests until the end of its grace period.
    let id = delete::delete(&world.control, &DEV, &production(), &grace, delete::GRACE, None).await.unwrap();
    let rests = format!("operation WHERE id = '{}' AND step_name = 'grace' AND lease_owner IS NULL", id.as_uuid());
    world.until_count(&rests, 1).await;
    world.settled().await;

    let catalog = world.catalog().await;
    let due = format!("UPDATE operation SET next_run_at = now() WHERE id = '{}'", id.as_uuid());
    let begun = Instant::now();
    catalog.batch_execute(&due).await.unwrap();
    world.until_count(&format!("operation WHERE id = '{}' AND lease_epoch > 1", id.as_uuid()), 1).await;
    println!("an operation that became due unheard was claimed after {:?}", begun.elapsed());
    assert!(begun.elapsed() <= LATE_MAX, "{:?}", begun.elapsed());

    let suspended = "WITH clock AS (UPDATE route_clock SET version = version + 1 RETURNING version)
        UPDATE tenant SET state = 'suspended', route_version = clock.version FROM clock WHERE slug = 'plain'";
    let begun = Instant::now();
    catalog.batch_execute(suspended).await.unwrap();
    eventually(PATIENCE, "the route's new state", async || {
        let table = world.control.publisher().table();
        table.route(&production(), &plain).is_some_and(|route| route.state == RouteState::Suspended).then_some(())
    })
    .await;
    println!("a change of a route that nobody told of was published after {:?}", begun.elapsed());
    assert!(begun.elapsed() <= LATE_MAX, "{:?}", begun.elapsed());
}

/// Node, webhook, mail, checkpoints, an operation that waits for a month, and a cluster with its pool: counted in the log of
/// the catalog's server, whatever the statement.
#[tokio::test]
async fn an_idle_process_asks_the_catalog_for_something_once_a_second_or_less() {
    let (catalog, server) = (new_server(&[("log_statement", "all")]).await, new_server(&[]).await);
    let directory = tempfile::tempdir().unwrap();
    let store = Catalog::open(&catalog.url("postgres"), 10).unwrap();
    let _ = store.migrate().await.unwrap();
    let mut config = ControlConfig::new(store, MasterKey::from_bytes(KEY), Publisher::default());
    config.node = Some(NodeConfig { name: "idle".to_owned(), role: NodeRole::All, holm_version: "0".to_owned(), keeps_routes: false });
    let relay = Secret::new("smtp://localhost:9".to_owned());
    config.mail = Some(MailConfig::new(&relay, "holm@example.com", "ops@example.com").unwrap());
    config.checkpoints = Some(directory.path().join("checkpoints"));
    let control = Control::open(config).await.unwrap();
    control.start();
    fill(&control, &server).await;

    let client = catalog.connect("postgres").await;
    let left = "SELECT (SELECT count(*) FROM database WHERE state IN ('planned', 'condemned'))
        + (SELECT count(*) FROM operation WHERE lease_owner IS NOT NULL)";
    eventually(PATIENCE, "rest", async || {
        let left: i64 = client.query_one(left, &[]).await.unwrap().get(0);
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await;
    drop(client);
    // What is looked at once after something happened is behind it; time that passes is what is measured.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let before = catalog.log().len();
    tokio::time::sleep(WINDOW).await;
    let log = catalog.log();
    let said: Vec<&str> =
        log[before..].lines().filter(|line| line.contains("LOG:  statement: ") || line.contains("LOG:  execute ")).collect();
    println!("{} statements in {} s", said.len(), WINDOW.as_secs());
    assert!(!said.is_empty(), "the statements are not in the log");
    assert!(said.len() as u64 <= WINDOW.as_secs(), "{} in {} s:\n{}", said.len(), WINDOW.as_secs(), said.join("\n"));
    control.shutdown().await;
}

async fn fill(control: &Control, server: &holm_testkit::TestServer) {
    let new = NewEnvironment {
        name: production(),
        kind: EnvironmentKind::Production,
        domain: "localhost".parse().unwrap(),
        pool_size: 2,
        migrations: None,
        seed: None,
    };
    environment::ensure(control, &DEV, new).await.unwrap();
    let new = NewCluster {
        name: "production-1".parse().unwrap(),
        environment: production(),
        address: server.address.clone(),
        admin_role: server.superuser.clone(),
        admin_password: server.password.clone(),
        connections_max: None,
    };
    cluster::register(control, &DEV, new).await.unwrap();
    let new = NewWebhook {
        name: "receiver".parse().unwrap(),
        url: "http://127.0.0.1:9/".to_owned(),
        actions: Patterns::new(["cluster.*".to_owned()]).unwrap(),
        environment: None,
        allow_private: true,
    };
    webhook::create(control, &DEV, new).await.unwrap();
    tenant::create(control, &DEV, new_tenant("goteborg"), PATIENCE).await.unwrap();
    delete::delete(control, &DEV, &production(), &slug("goteborg"), delete::GRACE, None).await.unwrap();
}
