//! An installation for one proof: a catalog, one environment with one cluster of its own, and control planes over it, one
//! after the other or in other processes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use holm_core::actor::{Actor, SystemActor};
use holm_core::credential::{CredentialName, Level};
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::slug::TenantSlug;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::credential::{self, CredentialScope, NewCredential};
use holm_engine::doctor::{self, Verdict};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::operation::probe::Probe;
use holm_engine::programs::Programs;
use holm_engine::secret::master_key::MasterKey;
use holm_engine::tenant::{self, NewTenant};
use holm_link::Publisher;
use holm_store::catalog::Catalog;
use holm_store::environment::Seed;
use holm_store::tenant::Tenant;
use holm_testkit::{TestServer, database, eventually, new_server, server};
use tokio::sync::OnceCell;
use tokio_postgres::Client;

use crate::servers::{AUTHENTICATION_TIMEOUT, Servers};

/// Longer than anything takes on a busy machine of two cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Long against a stall of a busy machine, short against the patience of whoever waits for a takeover.
const LEASE: Duration = Duration::from_secs(3);

/// For proofs that wait for takeovers again and again; a busy machine loses some leases, which only proves more.
const SHORT_LEASE: Duration = Duration::from_millis(900);

const KEY: [u8; 32] = [7; 32];

/// A table with a row, so that a tenant that comes back with nothing in it is noticed.
const MIGRATION: &str = "CREATE TABLE musician (id serial PRIMARY KEY, name text NOT NULL);
    INSERT INTO musician (name) VALUES ('Ada'), ('Berta');";

const POOL_SIZE: u32 = 2;

/// What sealed secrets goes with what it sealed them for.
const ORPHANED_KEYS: &str = "data_key k LEFT JOIN tenant t ON t.id = k.tenant_id LEFT JOIN cluster c ON c.id = k.cluster_id
    WHERE k.destroyed_at IS NULL AND (t.state IN ('failed', 'dropped') OR c.state = 'removed')";
const ORPHANED_CREDENTIALS: &str = "credential k JOIN tenant t ON t.id = k.tenant_id
    WHERE k.revoked_at IS NULL AND t.state IN ('failed', 'dropped')";

/// Where the catalog is.
pub(crate) enum CatalogServer {
    /// With everybody else's.
    Shared(&'static TestServer),
    /// On a server of its own, to be restarted.
    Own(Box<TestServer>),
}

impl CatalogServer {
    pub(crate) fn get(&self) -> &TestServer {
        match self {
            Self::Shared(server) => server,
            Self::Own(server) => server,
        }
    }
}

/// An installation.
pub(crate) struct World {
    pub(crate) cluster: TestServer,
    pub(crate) catalog_server: CatalogServer,
    /// With databases to be adopted, once there is one.
    pub(crate) brought: OnceCell<TestServer>,
    pub(crate) directory: tempfile::TempDir,
    catalog: String,
    control: Option<Control>,
    pub(crate) servers: Servers,
    pub(crate) lease: Duration,
}

impl World {
    /// With a catalog on the shared server.
    pub(crate) async fn start() -> Self {
        Self::with(CatalogServer::Shared(server().await), LEASE, None).await
    }

    /// As [`start`](Self::start), with leases that are over soon.
    pub(crate) async fn with_short_lease() -> Self {
        Self::with(CatalogServer::Shared(server().await), SHORT_LEASE, None).await
    }

    /// As [`with_short_lease`](Self::with_short_lease), for many processes that stand still and keep their connections.
    pub(crate) async fn for_many_that_stand_still() -> Self {
        let catalog = new_server(&[("max_connections", "600")]).await;
        Self::with(CatalogServer::Own(Box::new(catalog)), SHORT_LEASE, None).await
    }

    /// With a catalog on a server of its own.
    pub(crate) async fn with_own_catalog_server() -> Self {
        Self::with(CatalogServer::Own(Box::new(new_server(&[]).await)), LEASE, None).await
    }

    /// With everything, one cluster and a seed; its control plane is running.
    pub(crate) async fn with(catalog_server: CatalogServer, lease: Duration, seed: Option<&str>) -> Self {
        let cluster = new_server(&[("max_connections", "200"), AUTHENTICATION_TIMEOUT]).await;
        let catalog = database(catalog_server.get()).await.name.as_str().to_owned();
        let directory = tempfile::tempdir().unwrap();
        let brought = OnceCell::new();
        let mut world = Self { cluster, catalog_server, brought, directory, catalog, control: None, servers: Servers::default(), lease };
        let migration = world.directory.path().join("migrations/20260301090000_init");
        std::fs::create_dir_all(&migration).unwrap();
        std::fs::write(migration.join("migration.sql"), MIGRATION).unwrap();
        let _ = Catalog::open(&world.url(), 1).unwrap().migrate().await.unwrap();
        world.open(None).await;
        world.control().start();
        let seed = seed.map(|sql| {
            let path = world.directory.path().join("seed.sql");
            std::fs::write(&path, sql).unwrap();
            Seed::SqlFile(path)
        });
        let new = NewEnvironment {
            name: production(),
            kind: EnvironmentKind::Production,
            domain: "localhost".parse().unwrap(),
            pool_size: POOL_SIZE,
            migrations: Some(world.directory.path().join("migrations")),
            seed,
        };
        environment::ensure(world.control(), &by(), new).await.unwrap();
        cluster::register(world.control(), &by(), new_cluster("production-1", &world.cluster)).await.unwrap();
        world
    }

    /// The catalog, as the superuser.
    pub(crate) fn url(&self) -> String {
        self.catalog_server.get().url(&self.catalog)
    }

    /// The control plane of this process.
    pub(crate) fn control(&self) -> &Control {
        self.control.as_ref().expect("a world has a control plane")
    }

    /// Replaces it by a new one, which is not started.
    pub(crate) async fn open(&mut self, probe: Option<Arc<dyn Probe>>) {
        if let Some(former) = self.control.take() {
            former.shutdown().await;
        }
        self.control = Some(open(&self.url(), self.lease, 10, self.programs(), probe).await);
    }

    /// The client programs of the servers here.
    pub(crate) fn programs(&self) -> Programs {
        let (installation, own) = (self.cluster.installation(), self.own_programs());
        let directory = if own.exists() { own } else { installation.bin.clone() };
        Programs { directory, library_path: installation.library_path.clone() }
    }

    /// Where a test puts programs to be run instead.
    pub(crate) fn own_programs(&self) -> PathBuf {
        self.directory.path().join("programs")
    }

    /// Where orders are.
    pub(crate) fn orders(&self) -> PathBuf {
        self.directory.path().join("orders")
    }

    pub(crate) async fn create(&self, number: usize) -> Tenant {
        let new = NewTenant {
            environment: production(),
            slug: slug(number),
            cluster: None,
            parameters: Vec::new(),
            ttl: None,
            profile: None,
            near: None,
        };
        tenant::create(self.control(), &by(), new, PATIENCE).await.unwrap()
    }

    /// A credential for one tenant.
    pub(crate) async fn issue(&self, name: CredentialName, tenant: &TenantSlug, level: Level) {
        let new = NewCredential { environment: production(), name, scope: CredentialScope::Tenant(tenant.clone()), level, secret: None };
        credential::issue(self.control(), &by(), new).await.unwrap();
    }

    /// A connection to the catalog, for looking.
    pub(crate) async fn catalog(&self) -> Client {
        self.catalog_server.get().connect(&self.catalog).await
    }

    /// Operations that are not over, and what holds them up.
    pub(crate) async fn unfinished(&self) -> Vec<String> {
        unfinished(&self.catalog().await).await
    }

    /// One number from the catalog.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        self.catalog().await.query_one(&format!("SELECT count(*) FROM {from}"), &[]).await.unwrap().get(0)
    }

    /// Waits until a query of the catalog counts this many.
    pub(crate) async fn until_count(&self, from: &str, expected: i64) {
        let catalog = self.catalog().await;
        eventually(PATIENCE, from, async || {
            let row = catalog.query_one(&format!("SELECT count(*) FROM {from}"), &[]).await.map_err(|error| error.to_string())?;
            let count: i64 = row.get(0);
            if count == expected { Ok(()) } else { Err(count.to_string()) }
        })
        .await;
    }

    /// Waits until the pool is as it should be and every route is published.
    pub(crate) async fn settled(&self) {
        let ready = "SELECT count(*) FROM database d WHERE d.cluster_id = c.id AND d.state = 'ready'";
        let otherwise = "cluster c JOIN environment e ON e.id = c.environment_id WHERE c.state = 'open' AND c.adopted_oid IS NULL";
        self.until_count(&format!("{otherwise} AND ({ready}) <> e.pool_size"), 0).await;
        self.until_count("database WHERE state IN ('planned', 'condemned')", 0).await;
        self.until_count("template WHERE state = 'planned' OR (state = 'retired' AND dropped_at IS NULL)", 0).await;
        self.until_count("tenant WHERE state = 'creating'", 0).await;
        self.until_count("cluster WHERE trouble IS NOT NULL", 0).await;
        let catalog = self.catalog().await;
        eventually(PATIENCE, "the newest routes", async || {
            let newest: i64 = catalog.query_one("SELECT version FROM route_clock", &[]).await.map_err(|e| e.to_string())?.get(0);
            let published = self.control().publisher().table().version().0;
            if i64::try_from(published) == Ok(newest) { Ok(()) } else { Err(format!("{published} of {newest}")) }
        })
        .await;
    }

    /// Nothing is orphaned, nothing is held, nobody is left over, and the doctor finds nothing.
    pub(crate) async fn assert_whole(&self) {
        self.assert_whole_but_for_sessions().await;
        eventually(PATIENCE, "no session of a runner to be left", async || {
            let left = self.sessions_of_runners().await;
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await;
    }

    /// As [`assert_whole`](Self::assert_whole), while processes stand still: one that stopped in the middle of a login has a
    /// session that nobody saw when those of former runners were ended.
    pub(crate) async fn assert_whole_but_for_sessions(&self) {
        self.settled().await;
        assert_eq!(self.count("operation WHERE finished_at IS NULL").await, 0, "operations that are not over");
        assert_eq!(self.count("operation_subject WHERE held").await, 0, "subjects held by operations that are over");
        assert_eq!(self.count(ORPHANED_KEYS).await, 0, "live keys of what is gone");
        assert_eq!(self.count(ORPHANED_CREDENTIALS).await, 0, "credentials for what is gone");
        assert_eq!(self.orphans().await, Vec::<String>::new(), "orphans");
        self.assert_servers_whole().await;
        let complaints: Vec<_> =
            doctor::examine(self.control()).await.into_iter().filter(|finding| finding.verdict != Verdict::Good).collect();
        assert_eq!(complaints, Vec::new(), "what the doctor finds");
    }

    async fn sessions_of_runners(&self) -> Vec<String> {
        let sql = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'holm op%'";
        let cluster = self.cluster.connect("postgres").await;
        cluster.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    async fn orphans(&self) -> Vec<String> {
        let cluster = self.cluster.connect("postgres").await;
        let sql = "SELECT datname::text FROM pg_database WHERE datname ~ '^(t|tpl)_'
                   UNION ALL SELECT rolname::text FROM pg_roles WHERE rolname ~ '^(t|tpl)_'";
        let there: Vec<String> = cluster.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        let sql = "SELECT name FROM database UNION ALL SELECT database_name FROM template WHERE dropped_at IS NULL";
        let known: Vec<String> = self.catalog().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        there.into_iter().filter(|name| !known.iter().any(|known| name == known || name.starts_with(&format!("{known}_")))).collect()
    }
}

/// As [`World::unfinished`], for who looks again and again: a login costs a process and a key.
pub(crate) async fn unfinished(catalog: &Client) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', kind, id, state, step_name, problem) FROM operation WHERE finished_at IS NULL ORDER BY id";
    catalog.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// A server as one of its clusters.
pub(crate) fn new_cluster(name: &str, server: &TestServer) -> NewCluster {
    NewCluster {
        name: name.parse().unwrap(),
        environment: production(),
        address: server.address.clone(),
        admin_role: server.superuser.clone(),
        admin_password: server.password.clone(),
        connections_max: None,
    }
}

/// A control plane over a catalog, not started.
pub(crate) async fn open(url: &str, lease: Duration, connections: usize, programs: Programs, probe: Option<Arc<dyn Probe>>) -> Control {
    let catalog = Catalog::open(url, connections).unwrap();
    let mut config = ControlConfig::new(catalog, MasterKey::from_bytes(KEY), Publisher::default());
    (config.lease, config.probe, config.programs) = (lease, probe, Some(programs));
    Control::open(config).await.unwrap()
}

pub(crate) fn production() -> EnvironmentName {
    "production".parse().unwrap()
}

pub(crate) fn slug(number: usize) -> TenantSlug {
    format!("tenant-{number}").parse().unwrap()
}

/// Who asks for everything here.
pub(crate) fn by() -> Actor {
    Actor::system(SystemActor::Dev)
}
