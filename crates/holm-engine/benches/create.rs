//! How long a tenant's creation takes, from the call to the acknowledged route: with a database ready, and with none.
//!
//! Both servers run with `fsync = on`. Figures are printed, not asserted: they belong to the machine. That every tenant
//! was created, has a database of its own and a route, is asserted. The way through the proxy is measured in `holm`.
//!
//! `cargo bench -p holm-engine --bench create [-- <warm> <cold>]`

use std::error::Error;
use std::time::{Duration, Instant};

use holm_core::actor::{Actor, SystemActor};
use holm_core::environment::EnvironmentKind;
use holm_core::tenant::TenantState;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::secret::master_key::MasterKey;
use holm_engine::tenant::{self, NewTenant};
use holm_link::Publisher;
use holm_store::catalog::Catalog;
use holm_testkit::{TestServer, eventually, new_server};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

static DEV: Actor = Actor::system(SystemActor::Dev);

const PATIENCE: Duration = Duration::from_secs(60);

/// As many databases as the pool keeps while the warm creations go on.
const POOL_SIZE: u32 = 10;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut counts = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let (warm, cold) = (counts.next().unwrap_or(200), counts.next().unwrap_or(20));
    let (catalog, server) = (new_server(&[("fsync", "on")]).await, new_server(&[("fsync", "on")]).await);
    let directory = tempfile::tempdir()?;
    write_migration(&directory)?;
    let control = open(&catalog).await?;
    // A node that confirms, as the proxy does.
    let mut feed = control.publisher().subscribe();
    tokio::spawn(async move {
        while let Some(table) = feed.next().await {
            feed.acknowledge(table.version());
        }
    });
    control.start();
    let environment = |pool_size| NewEnvironment {
        name: "production".parse().expect("a valid name"),
        kind: EnvironmentKind::Production,
        domain: "localhost".parse().expect("a valid domain"),
        pool_size,
        migrations: Some(directory.path().to_owned()),
        seed: None,
    };
    environment::ensure(&control, &DEV, environment(POOL_SIZE)).await?;
    let new = NewCluster {
        name: "production-1".parse()?,
        environment: "production".parse()?,
        address: server.address.clone(),
        admin_role: server.superuser.clone(),
        admin_password: server.password.clone(),
        connections_max: None,
    };
    cluster::register(&control, &DEV, new).await?;
    report("warm, one after the other while the pool is refilled", &series(&control, &catalog, "warm", warm, Before::Ready).await?);
    report("warm, with the pool full", &series(&control, &catalog, "full", warm / 4, Before::Full).await?);
    environment::ensure(&control, &DEV, environment(0)).await?;
    until_pool(&catalog, 0).await;
    report("cold", &series(&control, &catalog, "cold", cold, Before::Nothing).await?);
    let row = catalog.connect("holm_catalog").await;
    let sql = "SELECT count(DISTINCT database_id) FROM tenant WHERE state = 'serving'";
    let served: i64 = row.query_one(sql, &[]).await?.get(0);
    assert_eq!(usize::try_from(served)?, warm + warm / 4 + cold, "each tenant has a database of its own");
    assert_eq!(control.publisher().table().tenant_count(), warm + warm / 4 + cold, "each tenant has a route");
    control.shutdown().await;
    Ok(())
}

/// What is awaited, unmeasured, before a creation.
#[derive(Clone, Copy)]
enum Before {
    /// One database is ready.
    Ready,
    /// All are.
    Full,
    Nothing,
}

/// Creates tenants one after the other.
async fn series(control: &Control, catalog: &TestServer, name: &str, count: usize, before: Before) -> Outcome<Vec<Duration>> {
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        match before {
            Before::Ready => until_ready(catalog, 1).await,
            Before::Full => until_ready(catalog, POOL_SIZE).await,
            Before::Nothing => {}
        }
        let new = NewTenant {
            environment: "production".parse()?,
            slug: format!("{name}-{n}").parse()?,
            cluster: None,
            parameters: Vec::new(),
            ttl: None,
            profile: None,
            near: None,
        };
        let begun = Instant::now();
        let tenant = tenant::create(control, &DEV, new, PATIENCE).await?;
        times.push(begun.elapsed());
        assert_eq!(tenant.state, TenantState::Serving);
        assert!(control.publisher().table().route_of(tenant.id).is_some());
    }
    Ok(times)
}

async fn until_pool(catalog: &TestServer, expected: i64) {
    let client = catalog.connect("holm_catalog").await;
    eventually(PATIENCE, "the pool", async || {
        let sql = "SELECT count(*) FROM database WHERE state IN ('planned', 'ready')";
        let there: i64 = client.query_one(sql, &[]).await.map_err(|e| e.to_string())?.get(0);
        if there == expected { Ok(()) } else { Err(format!("{there} there")) }
    })
    .await;
}

async fn until_ready(catalog: &TestServer, least: u32) {
    let client = catalog.connect("holm_catalog").await;
    eventually(PATIENCE, "ready databases", async || {
        let sql = "SELECT count(*) FROM database WHERE state = 'ready'";
        let ready: i64 = client.query_one(sql, &[]).await.map_err(|e| e.to_string())?.get(0);
        if ready >= i64::from(least) { Ok(()) } else { Err(format!("{ready} ready")) }
    })
    .await;
}

async fn open(server: &TestServer) -> Outcome<Control> {
    let postgres = server.connect("postgres").await;
    let fsync: String = postgres.query_one("SHOW fsync", &[]).await?.get(0);
    assert_eq!(fsync, "on", "without it the figures mean nothing");
    postgres.batch_execute("CREATE DATABASE holm_catalog").await?;
    let catalog = Catalog::open(&server.url("holm_catalog"), 10)?;
    let _ = catalog.migrate().await?;
    Ok(Control::open(ControlConfig::new(catalog, MasterKey::from_bytes([7; 32]), Publisher::default())).await?)
}

/// Twenty tables, as in the measurements that the target comes from.
fn write_migration(directory: &tempfile::TempDir) -> Outcome<()> {
    let script: String = (0..20)
        .map(|n| format!("CREATE TABLE t{n} (id bigserial PRIMARY KEY, name text NOT NULL, at timestamptz DEFAULT now());\nCREATE INDEX ON t{n} (name);\n"))
        .collect();
    let migration = directory.path().join("20260301090000_init");
    std::fs::create_dir(&migration)?;
    std::fs::write(migration.join("migration.sql"), script)?;
    Ok(())
}

fn report(name: &str, times: &[Duration]) {
    let mut sorted = times.to_vec();
    sorted.sort();
    let Some((least, most)) = sorted.first().zip(sorted.last()) else { return };
    let at = |share: usize| sorted[(sorted.len() * share / 100).min(sorted.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "create, {name}: n={} median={:.1} ms p99={:.1} ms range={:.1}-{:.1} ms",
        sorted.len(),
        at(50),
        at(99),
        least.as_secs_f64() * 1e3,
        most.as_secs_f64() * 1e3
    );
}
