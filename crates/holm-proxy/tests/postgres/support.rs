//! A proxy of its own for each test, on the PostgreSQL that all tests share; the route table is made by hand.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_core::cluster::tls::ServerTls;
use holm_core::cluster::{Cluster, ServerAddress};
use holm_core::credential::{Credential, Level, Scope};
use holm_core::environment::{Environment, EnvironmentKind};
use holm_core::id::TenantId;
use holm_core::parameter::TenantParameter;
use holm_core::placement::{Allows, Authority, Claims, Placement, Withheld};
use holm_core::role::{DatabaseName, RoleName};
use holm_core::route::{Route, RouteChange, RouteState, RouteVersion, ServerLogin};
use holm_core::scram::{LoginKeys, SecondKeys, Verifier};
use holm_core::secret::Secret;
use holm_link::Publisher;
use holm_link::certificate::SigningKey;
use holm_pgwire::scram::keys;
use holm_proxy::postgres::{Proxy, ProxyConfig, Reset, start};
use holm_testkit::{TestServer, server};
use jiff::Timestamp;
use tokio_postgres::{Client, NoTls};

/// Far more than anything here takes; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
pub(crate) const SECRET: &str = "correct horse";

/// A proxy and what it routes to.
pub(crate) struct World {
    pub(crate) publisher: Publisher,
    pub(crate) proxy: Proxy,
    pub(crate) server: &'static TestServer,
    version: AtomicU64,
    /// What placements are signed with.
    pub(crate) signs: SigningKey,
}

/// One tenant's database.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) route: Route,
}

pub(crate) fn config() -> ProxyConfig {
    ProxyConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        tls_required: false,
        login_timeout: Duration::from_secs(10),
        clients_max: 1000,
        workers: 2,
        pooling: crate::POOLING,
        reset: Reset::Seen,
        wait: Duration::from_secs(30),
        wait_for_session: Duration::from_secs(5),
        console: Vec::new(),
    }
}

pub(crate) fn cluster(environment: &str, address: &ServerAddress, connections_max: u32) -> Cluster {
    let digit = if environment == "production" { 1 } else { 2 };
    Cluster {
        id: format!("clu_0000000000000000000000000000000{digit}").parse().unwrap(),
        name: format!("{environment}-1").parse().unwrap(),
        environment: environment.parse().unwrap(),
        address: address.clone(),
        tls: ServerTls::Disable,
        client_certificate: None,
        connections_max,
    }
}

fn environment(name: &str, domain: &str) -> Environment {
    Environment {
        name: name.parse().unwrap(),
        kind: EnvironmentKind::Production,
        domain: domain.parse().unwrap(),
        header_key: Secret::new([5; 32]),
    }
}

/// A credential whose password is about to be another one: both are good.
pub(crate) fn rotating(credential: &Credential, next: &str) -> Credential {
    let rounds = NonZeroU32::new(credential.verifier.iterations).unwrap();
    let new = keys::LoginKeys::derive(next.as_bytes(), &credential.verifier.salt, rounds).verifier(&credential.verifier.salt, rounds);
    let old = &credential.verifier;
    Credential {
        verifier: Verifier { stored_key: Secret::new(new.stored_key), server_key: Secret::new(new.server_key), ..old.clone() },
        retiring: Some(SecondKeys { stored_key: old.stored_key.clone(), server_key: old.server_key.clone() }),
        ..credential.clone()
    }
}

pub(crate) fn credential(name: &str, environment: &str, scope: Scope, level: Level) -> Credential {
    // A client without optimisation spends most of a second on 4,096 rounds; tests that log in hundreds of times take `churn`.
    let rounds = if name == "churn" { NonZeroU32::MIN } else { ROUNDS };
    let salt = *b"sixteen bytes...";
    let verifier = keys::LoginKeys::derive(SECRET.as_bytes(), &salt, rounds).verifier(&salt, rounds);
    let number = name.bytes().fold(0_u128, |sum, byte| sum * 31 + u128::from(byte));
    Credential {
        id: format!("cred_{number:032x}").parse().unwrap(),
        name: name.parse().unwrap(),
        environment: environment.parse().unwrap(),
        scope,
        level,
        verifier: Verifier {
            salt: salt.into(),
            iterations: rounds.get(),
            stored_key: Secret::new(verifier.stored_key),
            server_key: Secret::new(verifier.server_key),
        },
        retiring: None,
    }
}

impl World {
    /// Environments `production` (domain `holm.test`) and `staging`, one cluster each on the shared server, and credentials
    /// `app`, `app_owner`, `app_ro`, `churn` and `staging_app`.
    pub(crate) async fn new() -> Self {
        Self::with(config(), server().await).await
    }

    pub(crate) async fn with(config: ProxyConfig, server: &'static TestServer) -> Self {
        let publisher = Publisher::default();
        let proxy = start(config, publisher.subscribe()).await.unwrap();
        let signs = SigningKey::from_seed(&Secret::new([7; 32]));
        let authority = Authority { key: signs.public(), told_at: Timestamp::now() };
        let world = Self { publisher, proxy, server, version: AtomicU64::new(0), signs };
        world.publish([
            RouteChange::Authority(authority),
            RouteChange::Environment(environment("production", "holm.test")),
            RouteChange::Environment(environment("staging", "staging.holm.test")),
            RouteChange::Cluster(cluster("production", &server.address, 100)),
            RouteChange::Cluster(cluster("staging", &server.address, 100)),
            RouteChange::Credential(credential("app", "production", Scope::App, Level::Rw)),
            RouteChange::Credential(credential("app_owner", "production", Scope::App, Level::Owner)),
            RouteChange::Credential(credential("app_ro", "production", Scope::App, Level::Ro)),
            RouteChange::Credential(credential("churn", "production", Scope::App, Level::Rw)),
            RouteChange::Credential(credential("staging_app", "staging", Scope::App, Level::Rw)),
        ]);
        world
    }

    pub(crate) fn publish(&self, changes: impl IntoIterator<Item = RouteChange>) -> RouteVersion {
        let version = RouteVersion(self.version.fetch_add(1, Ordering::SeqCst) + 1);
        self.publisher.publish(self.publisher.table().with(version, changes));
        version
    }

    /// Publishes, and waits until the proxy has confirmed.
    pub(crate) async fn publish_and_wait(&self, changes: impl IntoIterator<Item = RouteChange>) {
        let version = self.publish(changes);
        self.publisher.acknowledged(version, PATIENCE).await.unwrap();
    }

    /// A tenant of production with a database and three roles of its own.
    pub(crate) async fn tenant(&self, slug: &str) -> Tenant {
        self.tenant_in("production", slug, &[]).await
    }

    pub(crate) async fn tenant_in(&self, environment: &str, slug: &str, parameters: &[(&str, &str)]) -> Tenant {
        let database = holm_testkit::database(self.server).await.name;
        let admin = self.server.connect(database.as_str()).await;
        let logins = Level::ALL.map(|level| login(&database, level));
        let mut sql = format!("REVOKE ALL ON DATABASE {} FROM PUBLIC;", database.as_ident());
        for (login, verifier) in &logins {
            let role = login.role.as_ident();
            sql += &format!("CREATE ROLE {role} LOGIN PASSWORD '{verifier}'; GRANT CONNECT ON DATABASE {} TO {role};", database.as_ident());
        }
        let [owner, rw, ro] = [&logins[0].0.role, &logins[1].0.role, &logins[2].0.role].map(RoleName::as_ident);
        sql += &format!(
            "ALTER DATABASE {} OWNER TO {owner}; ALTER SCHEMA public OWNER TO {owner};
             GRANT USAGE, CREATE ON SCHEMA public TO {rw}; GRANT USAGE ON SCHEMA public TO {ro};",
            database.as_ident()
        );
        admin.batch_execute(&sql).await.unwrap();
        let number: String = database.as_str().bytes().fold(0_u128, |sum, byte| sum * 131 + u128::from(byte)).to_string();
        let route = Route {
            tenant: format!("ten_{:0>32.32}", number).parse::<TenantId>().unwrap(),
            slug: slug.parse().unwrap(),
            environment: environment.parse().unwrap(),
            state: RouteState::Serving,
            epoch: 1,
            cluster: cluster(environment, &self.server.address, 1).id,
            logins: logins.map(|(login, _)| login).into(),
            next_logins: None,
            database,
            parameters: parameters.iter().map(|(name, value)| TenantParameter::new(name, value).unwrap()).collect(),
            limits: holm_core::limits::TenantLimits::default(),
            aliases: Box::new([]),
            placement: Placement::Withheld(Withheld::Unjudged),
        };
        let route = self.certified(route, Allows::All);
        self.publish([RouteChange::Route(route.clone())]);
        Tenant { route }
    }

    /// A route with a certificate for the server that all tests share, which allows so much.
    pub(crate) fn certified(&self, route: Route, allows: Allows) -> Route {
        let claims = self.claims(&route, allows);
        self.signed_by(&self.signs, route, claims)
    }

    /// What the control plane would say of a route.
    pub(crate) fn claims(&self, route: &Route, allows: Allows) -> Claims {
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
        Claims {
            tenant: route.tenant,
            cluster: route.cluster,
            server: Some(self.server.system_identifier()),
            judged_by: None,
            allows,
            issued_at: now,
            expires_at: now + Duration::from_secs(48 * 3600),
        }
    }

    pub(crate) fn signed_by(&self, key: &SigningKey, route: Route, claims: Claims) -> Route {
        let certificate = key.sign(claims, &route.environment, &route.database);
        Route { placement: Placement::Certified(Arc::new(certificate)), ..route }
    }

    pub(crate) fn port(&self) -> u16 {
        self.proxy.local_addr().port()
    }

    pub(crate) fn url(&self, user: &str, tenant: &str) -> String {
        format!("postgresql://{user}:{}@127.0.0.1:{}/{tenant}", SECRET.replace(' ', "%20"), self.port())
    }

    pub(crate) async fn try_connect(&self, user: &str, tenant: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.url(user, tenant), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    pub(crate) async fn connect(&self, user: &str, tenant: &str) -> Client {
        self.try_connect(user, tenant).await.unwrap_or_else(|error| panic!("{user} on {tenant}: {error:?}"))
    }

    /// How many backends the server has for a database.
    pub(crate) async fn backends(&self, admin: &Client, tenant: &Tenant) -> i64 {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        admin.query_one(sql, &[&tenant.route.database.as_str()]).await.unwrap().get(0)
    }
}

/// A role's login and the text that PostgreSQL stores of it: the password itself is nowhere.
fn login(database: &DatabaseName, level: Level) -> (ServerLogin, String) {
    login_with(database, level, &format!("{database} {level}"))
}

/// As [`login`], with a password of the test's own.
pub(crate) fn login_with(database: &DatabaseName, level: Level, password: &str) -> (ServerLogin, String) {
    let salt = *b"another 16 bytes";
    let keys = keys::LoginKeys::derive(password.as_bytes(), &salt, ROUNDS);
    let verifier = keys.verifier(&salt, ROUNDS);
    let text = format!(
        "SCRAM-SHA-256$4096:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(verifier.stored_key),
        STANDARD.encode(verifier.server_key)
    );
    let keys = LoginKeys { client_key: Secret::new(keys.client_key), server_key: Secret::new(keys.server_key) };
    (ServerLogin { role: RoleName::of(database, level), keys }, text)
}

/// Looks until there is a value; panics with what was seen last when there is none in time.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Result<T, String>) -> T {
    holm_testkit::eventually(PATIENCE, what, look).await
}
