//! What the engine of durable operations costs, beside the bars that it is held to.
//!
//! - **throughput**: queued deletions of tenants without grace, by the engine and by the steps alone, in turns
//!   ([`throughput`]);
//! - **first step**: from the request of an operation, on an engine that rests, to its first step ([`latency`]);
//! - **at rest**: statements that the catalog executes while nothing happens, of a whole process: node, webhook, mail,
//!   checkpoints and all ([`rest`]);
//! - **journal**: a page of one of a million events ([`pages`]);
//! - **judging**: a fact changes that every one of 10,000 tenants rests on, to what the data plane is told of them ([`judging`]);
//! - **start**: opening a control plane over 20,000 tenants, each with a data key of its own ([`start`]).
//!
//! Both servers run with `fsync = on`. Figures are printed, not judged: they belong to the machine. What is counted does not:
//! statements, commits and connections of each operation are printed as well. That everything was carried out is asserted.
//!
//! `cargo bench -p holm-engine --bench operations [-- <count>] [--real] [--only <word>]`; 1,000 operations unless said
//! otherwise, `--real` with databases that exist, and only one of `throughput`, `latency`, `rest`, `pages`, `judging` and
//! `start`.

mod counted;
mod judging;
mod latency;
mod pages;
mod rest;
mod sampled;
mod start;
mod table;
mod throughput;

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use holm_core::actor::{Actor, SystemActor};
use holm_core::environment::EnvironmentKind;
use holm_core::id::OperationId;
use holm_core::secret::Secret;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::mail::MailConfig;
use holm_engine::node::{NodeConfig, NodeRole};
use holm_engine::operation::probe::{Direction, Moment, Position, Probe, Verdict};
use holm_engine::secret::master_key::MasterKey;
use holm_engine::tenant::{self, NewTenant, delete};
use holm_link::Publisher;
use holm_store::catalog::Catalog;
use holm_testkit::{TestServer, eventually, new_server};
use table::Table;
use tokio_postgres::Client;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const POOL_SIZE: u32 = 4;

const PATIENCE: Duration = Duration::from_secs(600);

/// Tenants whose databases are only rows: copies of one real tenant and its database under other names.
const COPY_DATABASES: &str = "
INSERT INTO database (id, cluster_id, environment_id, template_id, name, state, sealed_logins, ready_at)
SELECT gen_random_uuid(), cluster_id, environment_id, template_id, 't_' || lpad(to_hex(n), 32, '0'), state, sealed_logins, ready_at
FROM database, generate_series($1::int, $2::int) AS n
WHERE state = 'claimed' AND name NOT LIKE 't\\_0000%'";
const COPY_TENANTS: &str = "
INSERT INTO tenant (id, environment_id, slug, database_id, state, seeded, epoch, parameters)
SELECT gen_random_uuid(), d.environment_id, 'bench-' || n, d.id, 'serving', true, 1, '[]'
FROM generate_series($1::int, $2::int) AS n
JOIN database d ON d.name = 't_' || lpad(to_hex(n), 32, '0')";

struct Bench {
    control: Control,
    catalog: TestServer,
    cluster: TestServer,
    /// Where checkpoints of the audit log are kept.
    _directory: tempfile::TempDir,
    begun: Arc<Begun>,
    real: bool,
}

/// When the first step of each operation began.
#[derive(Default)]
struct Begun(Mutex<HashMap<OperationId, Instant>>);

impl Begun {
    fn at(&self, id: OperationId) -> Option<Instant> {
        self.0.lock().expect("nobody panics with it").get(&id).copied()
    }
}

impl Probe for Begun {
    fn at(&self, position: Position<'_>) -> Verdict {
        if position.step == 0 && position.direction == Direction::Forward && position.moment == Moment::Before {
            self.0.lock().expect("nobody panics with it").entry(position.operation).or_insert_with(Instant::now);
        }
        Verdict::Go
    }
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count = arguments.iter().find_map(|argument| argument.parse::<usize>().ok()).unwrap_or(1000);
    let only = arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let bench = Bench::start(arguments.iter().any(|argument| argument == "--real")).await?;
    let mut table = Table::default();
    if wanted("throughput") {
        throughput::measure(&bench, count, &mut table).await?;
    }
    if wanted("latency") {
        latency::measure(&bench, &mut table).await?;
    }
    if wanted("rest") {
        rest::measure(&bench, &mut table).await?;
    }
    if wanted("pages") {
        pages::measure(&bench, &mut table).await?;
    }
    if wanted("judging") {
        judging::measure(&bench, &mut table).await?;
    }
    bench.control.shutdown().await;
    if wanted("start") {
        start::measure(&bench, &mut table).await?;
    }
    println!("\n{table}");
    Ok(())
}

impl Bench {
    async fn start(real: bool) -> Outcome<Self> {
        let catalog = new_server(&[("fsync", "on"), ("log_connections", "on")]).await;
        let cluster = new_server(&[("fsync", "on"), ("log_connections", "on")]).await;
        catalog.connect("postgres").await.batch_execute("CREATE DATABASE holm_catalog").await?;
        let (begun, directory) = (Arc::<Begun>::default(), tempfile::tempdir()?);
        let control = open(&catalog, Some(&begun), &directory).await?;
        control.start();
        // A data plane that confirms, as the proxy does.
        let mut feed = control.publisher().subscribe();
        tokio::spawn(async move {
            while let Some(table) = feed.next().await {
                feed.acknowledge(table.version());
            }
        });
        let new = NewEnvironment {
            name: "production".parse()?,
            kind: EnvironmentKind::Production,
            domain: "localhost".parse()?,
            pool_size: POOL_SIZE,
            migrations: None,
            seed: None,
        };
        environment::ensure(&control, &by(), new).await?;
        let new = NewCluster {
            name: "production-1".parse()?,
            environment: "production".parse()?,
            address: cluster.address.clone(),
            admin_role: cluster.superuser.clone(),
            admin_password: cluster.password.clone(),
            connections_max: None,
        };
        cluster::register(&control, &by(), new).await?;
        let bench = Self { control, catalog, cluster, _directory: directory, begun, real };
        bench.create("model").await?;
        Ok(bench)
    }

    async fn create(&self, slug: &str) -> Outcome<()> {
        let new = NewTenant {
            environment: "production".parse()?,
            slug: slug.parse()?,
            cluster: None,
            parameters: Vec::new(),
            ttl: None,
            profile: None,
            near: None,
        };
        tenant::create(&self.control, &by(), new, PATIENCE).await?;
        Ok(())
    }

    async fn client(&self) -> Client {
        self.catalog.connect("holm_catalog").await
    }

    /// Makes tenants `bench-<from>` to `bench-<to>`.
    async fn tenants(&self, from: usize, to: usize) -> Outcome<()> {
        if self.real {
            for n in from..=to {
                self.create(&format!("bench-{n}")).await?;
            }
            return Ok(());
        }
        let (client, from, to) = (self.client().await, i32::try_from(from)?, i32::try_from(to)?);
        let databases = client.execute(COPY_DATABASES, &[&from, &to]).await?;
        let tenants = client.execute(COPY_TENANTS, &[&from, &to]).await?;
        assert_eq!((i64::try_from(databases)?, i64::try_from(tenants)?), ((to - from + 1).into(), (to - from + 1).into()));
        Ok(())
    }

    /// Waits until the pool is full and nothing is left to be removed, and has both servers write out what they hold: no turn
    /// pays for the one before it.
    async fn settled(&self) -> Outcome<()> {
        let client = self.client().await;
        let sql = format!(
            "SELECT (count(*) FILTER (WHERE state = 'ready') = {POOL_SIZE} AND NOT bool_or(state IN ('planned', 'condemned'))) FROM database"
        );
        eventually(PATIENCE, "the pool as it should be", async || {
            let settled: bool = client.query_one(&sql, &[]).await.map_err(|error| error.to_string())?.get(0);
            if settled { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await;
        client.batch_execute("CHECKPOINT").await?;
        self.cluster.connect("postgres").await.batch_execute("CHECKPOINT").await?;
        Ok(())
    }

    async fn delete(&self, number: usize, grace: Duration) -> Outcome<OperationId> {
        let (environment, slug) = ("production".parse()?, format!("bench-{number}").parse()?);
        Ok(delete::delete(&self.control, &by(), &environment, &slug, grace, None).await?)
    }
}

fn by() -> Actor {
    Actor::system(SystemActor::Dev)
}

/// A control plane with everything that a process may have.
async fn open(server: &TestServer, begun: Option<&Arc<Begun>>, directory: &tempfile::TempDir) -> Outcome<Control> {
    let catalog = Catalog::open(&server.url("holm_catalog"), 10)?;
    let _ = catalog.migrate().await?;
    let mut config = ControlConfig::new(catalog, MasterKey::from_bytes([7; 32]), Publisher::default());
    config.probe = begun.map(|begun| Arc::clone(begun) as Arc<dyn Probe>);
    config.node = Some(NodeConfig { name: "bench".to_owned(), role: NodeRole::All, holm_version: "0".to_owned(), keeps_routes: false });
    // Nothing happens here that is mailed.
    config.mail = Some(MailConfig::new(&Secret::new("smtp://localhost:9".to_owned()), "holm@example.com", "ops@example.com")?);
    config.checkpoints = Some(directory.path().join("checkpoints"));
    Ok(Control::open(config).await?)
}
