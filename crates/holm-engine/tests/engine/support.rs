//! A small installation for one test: a catalog, one environment, a control plane, and a server of the test's own as its
//! cluster; faults can be put between them.

use std::path::PathBuf;
use std::time::Duration;

use holm_core::access::TokenScope;
use holm_core::actor::{Actor, PrincipalKind, PrincipalName, SystemActor};
use holm_core::cluster::ServerAddress;
use holm_core::cluster::tls::ServerTls;
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::Problem;
use holm_core::role::{DatabaseName, RoleName};
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use holm_engine::access::token::NewToken;
use holm_engine::access::{principal, token};
use holm_engine::cluster::{self, NewCluster};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::doctor::{self, Finding, Verdict};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::mail::MailConfig;
use holm_engine::programs::Programs;
use holm_engine::secret::master_key::MasterKey;
use holm_engine::secret::master_keys::MasterKeys;
use holm_engine::tenant::{self, NewTenant};
use holm_link::Publisher;
use holm_store::address::CatalogAddress;
use holm_store::catalog::Catalog;
use holm_store::environment::Seed;
use holm_store::tenant::Tenant;
use holm_testkit::wire_faults::FaultProxy;
use holm_testkit::{TestServer, database, eventually, new_server, server};
use tokio_postgres::{Client, NoTls};

/// Who acts where it does not matter who.
pub(crate) static DEV: Actor = Actor::system(SystemActor::Dev);

/// Longer than anything takes on a busy machine of two cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What seals the secrets of a test's catalog.
pub(crate) const KEY: [u8; 32] = [7; 32];

/// What a test starts from.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) pool_size: u32,
    /// Names and scripts.
    pub(crate) migrations: Vec<(&'static str, &'static str)>,
    /// A file of SQL.
    pub(crate) seed: Option<&'static str>,
    /// Of the cluster's server.
    pub(crate) settings: Vec<(&'static str, &'static str)>,
}

/// An installation.
pub(crate) struct World {
    /// The cluster.
    pub(crate) server: TestServer,
    pub(crate) control: Control,
    pub(crate) directory: tempfile::TempDir,
    /// Between Holm and the cluster.
    pub(crate) cluster_faults: FaultProxy,
    /// Between Holm and the catalog.
    pub(crate) catalog_faults: FaultProxy,
    catalog: DatabaseName,
    pool_size: u32,
    pub(crate) seed: Option<Seed>,
}

/// An enum, a table with a sequence, a view, a function, and a second schema whose name needs quotes.
pub(crate) const SCHEMA: (&str, &str) = (
    "20260301090000_init",
    "CREATE TYPE instrument AS ENUM ('violin', 'viola');
     CREATE TABLE musician (id serial PRIMARY KEY, name text NOT NULL, plays instrument NOT NULL);
     CREATE VIEW violinist AS SELECT name FROM musician WHERE plays = 'violin';
     CREATE FUNCTION count_musicians() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM musician';
     CREATE SCHEMA \"Old \"\"stuff\";
     CREATE TABLE \"Old \"\"stuff\".gig (id bigint PRIMARY KEY);",
);

impl World {
    /// Makes it, with its tasks running and its cluster registered.
    pub(crate) async fn start(setup: Setup) -> Self {
        let cluster = new_server(&setup.settings).await;
        let world = Self::without_cluster(setup, cluster).await;
        world.register().await;
        world
    }

    /// Makes it, with its tasks running; the server is not registered yet.
    pub(crate) async fn without_cluster(setup: Setup, server: TestServer) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cluster_faults = FaultProxy::start(server.address.to_string()).await.unwrap();
        let shared = holm_testkit::server().await;
        let catalog = database(shared).await.name;
        let catalog_faults = FaultProxy::start(shared.address.to_string()).await.unwrap();
        let control = control(&catalog_faults, &catalog, MasterKey::from_bytes(KEY).into(), None).await.unwrap();
        let seed = setup.seed.map(|sql| {
            let path = directory.path().join("seed.sql");
            std::fs::write(&path, sql).unwrap();
            Seed::SqlFile(path)
        });
        let world = Self { server, control, directory, cluster_faults, catalog_faults, catalog, pool_size: setup.pool_size, seed };
        world.write_migrations(&setup.migrations);
        world.control.start();
        environment::ensure(&world.control, &DEV, world.new_environment()).await.unwrap();
        world
    }

    /// Registers the server with the environment.
    pub(crate) async fn register(&self) {
        cluster::register(&self.control, &DEV, self.new_cluster("production-1", "production")).await.unwrap();
    }

    /// One more control plane over the same catalog, with a data plane of its own.
    pub(crate) async fn second_control(&self) -> Control {
        control(&self.catalog_faults, &self.catalog, MasterKey::from_bytes(KEY).into(), None).await.unwrap()
    }

    /// As after a start with another master key.
    pub(crate) async fn control_with(&self, key: [u8; 32]) -> Result<Control, Problem> {
        self.control_from(MasterKey::from_bytes(key).into()).await
    }

    /// As after a start with these master keys.
    pub(crate) async fn control_from(&self, keys: MasterKeys) -> Result<Control, Problem> {
        control(&self.catalog_faults, &self.catalog, keys, None).await
    }

    /// As after a start that keeps checkpoints; its tasks do not run.
    pub(crate) async fn control_with_checkpoints(&self) -> Control {
        let keys = MasterKey::from_bytes(KEY).into();
        control(&self.catalog_faults, &self.catalog, keys, Some(self.checkpoints())).await.unwrap()
    }

    /// As after a start that writes mails; its tasks do not run.
    pub(crate) async fn control_with_mail(&self, mail: MailConfig) -> Control {
        let shared = server().await;
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.catalog_faults.address().port()).dbname(self.catalog.as_str());
        config.user(shared.superuser.as_str()).password(shared.password.expose());
        let config = ControlConfig::new(
            Catalog::at(CatalogAddress::new(config, ServerTls::Disable), 10),
            MasterKey::from_bytes(KEY),
            Publisher::default(),
        );
        Control::open(ControlConfig { mail: Some(mail), ..config }).await.unwrap()
    }

    /// Where these are kept.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.directory.path().join("audit.checkpoints")
    }

    pub(crate) fn new_environment(&self) -> NewEnvironment {
        NewEnvironment {
            name: production(),
            kind: EnvironmentKind::Production,
            domain: "localhost".parse().unwrap(),
            pool_size: self.pool_size,
            migrations: Some(self.migrations()),
            seed: self.seed.clone(),
        }
    }

    pub(crate) fn new_cluster(&self, name: &str, environment: &str) -> NewCluster {
        NewCluster {
            name: name.parse().unwrap(),
            environment: environment.parse().unwrap(),
            address: address(&self.cluster_faults),
            admin_role: self.server.superuser.clone(),
            admin_password: self.server.password.clone(),
            connections_max: None,
        }
    }

    pub(crate) fn migrations(&self) -> PathBuf {
        self.directory.path().join("migrations")
    }

    /// Adds scripts to the migrations directory.
    pub(crate) fn write_migrations(&self, scripts: &[(&str, &str)]) {
        std::fs::create_dir_all(self.migrations()).unwrap();
        for (name, sql) in scripts {
            let directory = self.migrations().join(name);
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("migration.sql"), sql).unwrap();
        }
    }

    pub(crate) async fn create(&self, slug: &str) -> Result<Tenant, Problem> {
        tenant::create(&self.control, &DEV, new_tenant(slug), PATIENCE).await
    }

    /// A token of a principal `ci`, who may nothing.
    pub(crate) async fn token(&self, secret: Option<Secret<String>>) -> Result<Secret<String>, Problem> {
        let name: PrincipalName = "ci".parse().unwrap();
        if principal::show(&self.control, &name).await.is_err() {
            principal::create(&self.control, &DEV, &name, PrincipalKind::Machine).await.unwrap();
        }
        let new = NewToken { name: "ci".to_owned(), principal: name, scope: TokenScope::default(), lifetime: None, secret };
        Ok(token::issue(&self.control, &DEV, new).await?.secret)
    }

    /// A connection to the catalog, for looking.
    pub(crate) async fn catalog(&self) -> Client {
        server().await.connect(self.catalog.as_str()).await
    }

    /// One number from the catalog.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        self.catalog().await.query_one(&format!("SELECT count(*) FROM {from}"), &[]).await.unwrap().get(0)
    }

    /// Waits until a query of the catalog gives this number.
    pub(crate) async fn until_count(&self, from: &str, expected: i64) {
        let catalog = self.catalog().await;
        eventually(PATIENCE, from, async || {
            let row = catalog.query_one(&format!("SELECT count(*) FROM {from}"), &[]).await.unwrap();
            let count: i64 = row.get(0);
            if count == expected { Ok(()) } else { Err(count) }
        })
        .await;
    }

    /// Waits until the pool is as it should be, with nothing left to make or to remove.
    pub(crate) async fn settled(&self) {
        self.until_count("database WHERE state = 'ready'", self.pool_size.into()).await;
        self.until_count("database WHERE state IN ('planned', 'condemned')", 0).await;
        self.until_count("template WHERE state = 'planned' OR (state = 'retired' AND dropped_at IS NULL)", 0).await;
    }

    /// The cluster's trouble, once there is one.
    pub(crate) async fn trouble(&self) -> Problem {
        eventually(PATIENCE, "the cluster's trouble", async || {
            cluster::list(&self.control).await.unwrap().into_iter().find_map(|cluster| cluster.trouble)
        })
        .await
    }

    /// Waits until the cluster has no trouble.
    pub(crate) async fn untroubled(&self) {
        self.until_count("cluster WHERE trouble IS NOT NULL", 0).await;
    }

    /// A session as one of a tenant's roles, whose password is replaced for it.
    pub(crate) async fn login(&self, database: &DatabaseName, level: &str) -> Client {
        self.try_login(database, level, database.as_str()).await.unwrap()
    }

    /// Tries to log in to a database as a role of a tenant's database, whose password is replaced for it.
    pub(crate) async fn try_login(&self, of: &DatabaseName, level: &str, to: &str) -> Result<Client, tokio_postgres::Error> {
        let role: RoleName = format!("{of}_{level}").parse().unwrap();
        let admin = self.server.connect("postgres").await;
        admin.batch_execute(&format!("ALTER ROLE {} PASSWORD 'for this test'", role.as_ident())).await.unwrap();
        let mut config = self.server.config(to);
        config.user(role.as_str()).password("for this test");
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Databases and roles of Holm's making on the cluster that the catalog does not know.
    pub(crate) async fn orphans(&self) -> Vec<String> {
        let postgres = self.server.connect("postgres").await;
        let sql = "SELECT datname::text FROM pg_database WHERE datname ~ '^(t|tpl)_'
                   UNION ALL SELECT rolname::text FROM pg_roles WHERE rolname ~ '^(t|tpl)_'";
        let there: Vec<String> = postgres.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        let catalog = self.catalog().await;
        let sql = "SELECT name FROM database UNION ALL SELECT database_name FROM template WHERE dropped_at IS NULL";
        let known: Vec<String> = catalog.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        there.into_iter().filter(|name| !known.iter().any(|known| name == known || name.starts_with(&format!("{known}_")))).collect()
    }

    /// What the doctor does not find good.
    pub(crate) async fn complaints(&self) -> Vec<Finding> {
        doctor::examine(&self.control).await.into_iter().filter(|finding| finding.verdict != Verdict::Good).collect()
    }

    /// As [`Self::assert_whole`], for a test that has set passwords of its own with [`Self::login`].
    pub(crate) async fn assert_whole_but_for_logins(&self) {
        self.settled().await;
        assert_eq!(self.orphans().await, Vec::<String>::new());
        let mut complaints = self.complaints().await;
        complaints.retain(|finding| !finding.check.ends_with("logins"));
        assert_eq!(complaints, Vec::new());
    }

    /// Nothing is lost, left over, or half done.
    pub(crate) async fn assert_whole(&self) {
        self.settled().await;
        assert_eq!(self.orphans().await, Vec::<String>::new());
        assert_eq!(self.complaints().await, Vec::new());
    }
}

/// A control plane over a catalog, not started.
async fn control(
    faults: &FaultProxy,
    catalog: &DatabaseName,
    master_key: MasterKeys,
    checkpoints: Option<PathBuf>,
) -> Result<Control, Problem> {
    let shared = server().await;
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(faults.address().port()).dbname(catalog.as_str());
    config.user(shared.superuser.as_str()).password(shared.password.expose());
    let catalog = Catalog::at(CatalogAddress::new(config, ServerTls::Disable), 10);
    let _ = catalog.migrate().await.unwrap();
    let config = ControlConfig::new(catalog, master_key, Publisher::default());
    Control::open(ControlConfig { checkpoints, programs: Some(programs(shared)), ..config }).await
}

/// The client programs of the servers that tests run.
pub(crate) fn programs(server: &TestServer) -> Programs {
    let installation = server.installation();
    Programs { directory: installation.bin.clone(), library_path: installation.library_path.clone() }
}

fn address(faults: &FaultProxy) -> ServerAddress {
    ServerAddress { host: "127.0.0.1".into(), port: faults.address().port() }
}

pub(crate) fn production() -> EnvironmentName {
    "production".parse().unwrap()
}

pub(crate) fn slug(text: &str) -> TenantSlug {
    text.parse().unwrap()
}

pub(crate) fn new_tenant(name: &str) -> NewTenant {
    NewTenant { environment: production(), slug: slug(name), cluster: None, parameters: Vec::new(), ttl: None, profile: None, near: None }
}
