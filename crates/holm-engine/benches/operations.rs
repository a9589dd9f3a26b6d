//! What the engine of durable operations costs: throughput against the steps alone, the way from a request to the first
//! step, the catalog's rest while nothing happens, and a long journal.
//!
//! Throughput deletes tenants without grace, twice as many as asked for: half of them by the engine, half by the steps
//! alone, in turns. *Steps alone* are the same functions with the same arguments, four at a time as the engine has them on
//! one cluster, each catalog step in a transaction of its own, each step on a cluster behind the same fence; without
//! claims, leases and the journal. Databases are only rows here: dropping real ones takes PostgreSQL so long that nothing
//! of the engine would be seen (`-- --real` makes real ones). Both servers run with `fsync = on`. Figures are printed, not
//! asserted; that every operation was carried out is asserted.
//!
//! `cargo bench -p holm-engine --bench operations [-- <count>] [--real]`

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use holm_core::actor::{Actor, SystemActor};
use holm_core::environment::EnvironmentKind;
use holm_core::id::OperationId;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::operation::probe::{Direction, Moment, Position, Probe, Verdict};
use holm_engine::operation::{alone, show};
use holm_engine::secret::master_key::MasterKey;
use holm_engine::tenant::{self, NewTenant, delete};
use holm_link::Publisher;
use holm_store::catalog::Catalog;
use holm_store::page::Page;
use holm_testkit::{TestServer, eventually, new_server};
use tokio_postgres::Client;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const PATIENCE: Duration = Duration::from_secs(600);

/// As many as the engine lets work on one cluster.
const AT_ONCE: usize = 4;

/// Taking turns shows how much of a difference is the machine's.
const ROUNDS: usize = 5;

const LATENCIES: usize = 200;
const IDLE: Duration = Duration::from_secs(30);
const EVENTS: i64 = 1_000_000;
const PAGES: usize = 500;

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
    /// Runs as long as this is kept.
    _cluster: TestServer,
    begun: Arc<Begun>,
    real: bool,
}

/// When the first step of each operation began.
#[derive(Default)]
struct Begun(Mutex<HashMap<OperationId, Instant>>);

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
    let count = std::env::args().skip(1).find_map(|argument| argument.parse::<usize>().ok()).unwrap_or(1000);
    let bench = Bench::start(std::env::args().any(|argument| argument == "--real")).await?;
    bench.throughput(count).await?;
    bench.latency().await?;
    bench.rest().await?;
    bench.pages().await?;
    bench.control.shutdown().await;
    Ok(())
}

impl Bench {
    async fn start(real: bool) -> Outcome<Self> {
        let catalog = new_server(&[("fsync", "on")]).await;
        let cluster = new_server(&[("fsync", "on")]).await;
        catalog.connect("postgres").await.batch_execute("CREATE DATABASE holm_catalog").await?;
        let begun = Arc::<Begun>::default();
        let control = open(&catalog, &begun).await?;
        control.start();
        let new = NewEnvironment {
            name: "production".parse()?,
            kind: EnvironmentKind::Production,
            domain: "localhost".parse()?,
            pool_size: 4,
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
        let bench = Self { control, catalog, _cluster: cluster, begun, real };
        bench.create("model").await?;
        Ok(bench)
    }

    async fn create(&self, slug: &str) -> Outcome<()> {
        let new = NewTenant { environment: "production".parse()?, slug: slug.parse()?, cluster: None, parameters: Vec::new(), ttl: None };
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

    async fn delete(&self, control: &Control, slug: &str, grace: Duration) -> Outcome<OperationId> {
        Ok(delete::delete(control, &by(), &"production".parse()?, &slug.parse()?, grace, None).await?)
    }

    async fn throughput(&self, count: usize) -> Outcome<()> {
        let each = (count / ROUNDS).max(1);
        let (mut engine, mut steps) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let first = round * 2 * each + 1;
            self.tenants(first, first + 2 * each - 1).await?;
            // The order changes, so that what the one leaves behind does not always hit the other.
            for turn in 0..2 {
                let names = (first + turn * each)..(first + (turn + 1) * each);
                if (turn + round) % 2 == 0 {
                    engine.push(self.by_the_engine(names).await?);
                } else {
                    steps.push(self.by_steps_alone(names).await?);
                }
            }
        }
        let per_second = |times: &[Duration]| {
            let mut rates: Vec<f64> = times.iter().map(|time| each as f64 / time.as_secs_f64()).collect();
            rates.sort_by(f64::total_cmp);
            rates
        };
        let (engine, steps) = (per_second(&engine), per_second(&steps));
        println!("throughput, {count} deletions of {} in {ROUNDS} rounds:", if self.real { "real databases" } else { "rows" });
        for (name, rates) in [("engine", &engine), ("steps alone", &steps)] {
            println!("  {name}: median {:.1}/s, range {:.1}-{:.1}/s", rates[ROUNDS / 2], rates[0], rates[ROUNDS - 1]);
        }
        println!("  ratio of the medians: {:.0} %", 100.0 * engine[ROUNDS / 2] / steps[ROUNDS / 2]);
        Ok(())
    }

    /// From the moment when runners are let at them to the end of the last.
    async fn by_the_engine(&self, names: std::ops::Range<usize>) -> Outcome<Duration> {
        let ids = self.queued(names, "next_run_at = now() + interval '1 hour'").await?;
        let client = self.client().await;
        let begun = Instant::now();
        client.batch_execute("UPDATE operation SET next_run_at = now() WHERE finished_at IS NULL; NOTIFY holm_wake").await?;
        let sql = "SELECT count(*), max(finished_at)::text FROM operation WHERE id = ANY($1) AND state = 'succeeded'";
        eventually(PATIENCE, "the end of every operation", async || {
            let done: i64 = client.query_one(sql, &[&ids]).await.map_err(|error| error.to_string())?.get(0);
            if usize::try_from(done) == Ok(ids.len()) { Ok(()) } else { Err(format!("{done} done")) }
        })
        .await;
        Ok(begun.elapsed())
    }

    async fn by_steps_alone(&self, names: std::ops::Range<usize>) -> Outcome<Duration> {
        let leased =
            "lease_owner = 'alone', lease_until = now() + interval '1 hour', lease_epoch = 1, next_run_at = now() + interval '1 hour'";
        let ids = self.queued(names, leased).await?;
        let begun = Instant::now();
        let run = |id| alone::run(&self.control, OperationId::from_uuid(id));
        let outcomes: Vec<_> = stream::iter(ids.iter().copied()).map(run).buffer_unordered(AT_ONCE).collect().await;
        let took = begun.elapsed();
        outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
        let over =
            "UPDATE operation SET state = 'abandoned', finished_at = now(), lease_owner = NULL, lease_until = NULL WHERE id = ANY($1)";
        self.client().await.execute(over, &[&ids]).await?;
        Ok(took)
    }

    /// Asks for deletions that nobody begins.
    async fn queued(&self, names: std::ops::Range<usize>, how: &str) -> Outcome<Vec<uuid::Uuid>> {
        let client = self.client().await;
        // Runners skip what is locked: no operation is begun before all are there.
        client
            .batch_execute(
                "CREATE OR REPLACE FUNCTION hold_back() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN NEW.next_run_at := now() + interval ''1 hour''; RETURN NEW; END';
             CREATE OR REPLACE TRIGGER hold_back BEFORE INSERT ON operation FOR EACH ROW EXECUTE FUNCTION hold_back()",
            )
            .await?;
        let mut ids = Vec::new();
        for n in names {
            ids.push(self.delete(&self.control, &format!("bench-{n}"), Duration::ZERO).await?.as_uuid());
        }
        client.batch_execute("DROP TRIGGER hold_back ON operation").await?;
        client.execute(&format!("UPDATE operation SET {how} WHERE id = ANY($1)"), &[&ids]).await?;
        Ok(ids)
    }

    /// One after the other, while nothing else is to do: from the call that asks, and from its return.
    async fn latency(&self) -> Outcome<()> {
        self.tenants(900_001, 900_000 + LATENCIES).await?;
        let (mut from_call, mut from_return) = (Vec::new(), Vec::new());
        for n in 1..=LATENCIES {
            let called = Instant::now();
            let id = self.delete(&self.control, &format!("bench-{}", 900_000 + n), delete::GRACE).await?;
            let returned = Instant::now();
            let begun =
                eventually(PATIENCE, "the first step", async || self.begun.0.lock().expect("nobody panics").get(&id).copied()).await;
            from_call.push(begun.duration_since(called));
            from_return.push(begun.saturating_duration_since(returned));
            show::wait(&self.control, id, Some(4), PATIENCE).await?;
        }
        report("request to first step, the request's own transaction included", from_call);
        report("commit of the request to first step", from_return);
        Ok(())
    }

    /// Statements that the catalog's server executes while nothing happens.
    async fn rest(&self) -> Outcome<()> {
        let client = self.client().await;
        eventually(PATIENCE, "rest", async || {
            let sql = "SELECT count(*) FROM database WHERE state IN ('planned', 'condemned')";
            let left: i64 = client.query_one(sql, &[]).await.map_err(|error| error.to_string())?.get(0);
            if left == 0 { Ok(()) } else { Err(format!("{left} left")) }
        })
        .await;
        client.batch_execute("ALTER SYSTEM SET log_statement = 'all'").await?;
        client.batch_execute("SELECT pg_reload_conf()").await?;
        eventually(PATIENCE, "the setting", async || {
            let all: String = client.query_one("SHOW log_statement", &[]).await.map_err(|error| error.to_string())?.get(0);
            if all == "all" { Ok(()) } else { Err(all) }
        })
        .await;
        drop(client);
        let before = self.catalog.log().len();
        // Time that passes is what is measured.
        tokio::time::sleep(IDLE).await;
        let log = self.catalog.log();
        let statements: Vec<&str> =
            log[before..].lines().filter(|line| line.contains("LOG:  execute") || line.contains("LOG:  statement")).collect();
        println!(
            "at rest: {:.2} statements a second ({} in {} s)",
            statements.len() as f64 / IDLE.as_secs_f64(),
            statements.len(),
            IDLE.as_secs()
        );
        let mut kinds = HashMap::<String, usize>::new();
        for line in statements {
            let text = line.split("LOG:  ").nth(1).unwrap_or_default();
            let text = text.split_once(": ").map_or(text, |(_, sql)| sql);
            *kinds.entry(text.chars().take(70).collect()).or_default() += 1;
        }
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (sql, count) in kinds {
            println!("  {count:3} {sql}");
        }
        Ok(())
    }

    /// Pages of 100 anywhere in a journal of a million events.
    async fn pages(&self) -> Outcome<()> {
        let client = self.client().await;
        let id = client.query_one("SELECT id FROM operation ORDER BY id LIMIT 1", &[]).await?.get::<_, uuid::Uuid>(0);
        let fill = "INSERT INTO operation_event (operation_id, seq, epoch, at, event, digest)
            SELECT $1, n, 1, now(), '{\"event\":\"waits\",\"step\":2,\"until\":\"2026-12-21T00:00:00Z\"}', decode(repeat('00', 32), 'hex')
            FROM generate_series(100::bigint, $2::bigint + 99) AS n";
        client.execute(fill, &[&id, &EVENTS]).await?;
        client.batch_execute("VACUUM ANALYZE operation_event").await?;
        let (mut times, id) = (Vec::new(), OperationId::from_uuid(id));
        for n in 0..PAGES {
            // A step that shares no factor with the number of events goes everywhere.
            let after = 100 + (n as u64 * 611_953) % (EVENTS.unsigned_abs() - 200);
            let begun = Instant::now();
            let rows = show::journal(&self.control, id, &Page { after: Some(after), limit: 100 }).await?;
            times.push(begun.elapsed());
            assert_eq!((rows.len(), rows[0].seq), (100, after + 1));
        }
        report("page of a journal of 1,000,000 events", times);
        Ok(())
    }
}

fn by() -> Actor {
    Actor::system(SystemActor::Dev)
}

async fn open(server: &TestServer, begun: &Arc<Begun>) -> Outcome<Control> {
    let catalog = Catalog::open(&server.url("holm_catalog"), 10)?;
    let _ = catalog.migrate().await?;
    let mut config = ControlConfig::new(catalog, MasterKey::from_bytes([7; 32]), Publisher::default());
    config.probe = Some(Arc::clone(begun) as Arc<dyn Probe>);
    Ok(Control::open(config).await?)
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!("{name}: n={} p50={:.1} ms p99={:.1} ms range={:.1}-{:.1} ms", times.len(), at(50), at(99), at(0), at(100));
}
