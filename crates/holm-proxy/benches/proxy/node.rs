//! The child mode: a Holm proxy as a process of its own, with as many tenants as it is told.

use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use holm_core::cluster::tls::ServerTls;
use holm_core::cluster::{Cluster, ServerAddress};
use holm_core::credential::{Credential, Level, Scope};
use holm_core::environment::{Environment, EnvironmentKind};
use holm_core::id::TenantId;
use holm_core::placement::{Allows, Authority, Claims, Placement, SystemIdentifier};
use holm_core::role::DatabaseName;
use holm_core::route::{Route, RouteChange, RouteState, RouteVersion, ServerLogin};
use holm_core::scram::{LoginKeys, Verifier};
use holm_core::secret::Secret;
use holm_link::Publisher;
use holm_link::certificate::SigningKey;
use holm_pgwire::scram::keys;
use holm_proxy::postgres::{Pooling, ProxyConfig, Reset, TlsFiles, start};
use jiff::Timestamp;

/// The first argument that makes this program a proxy.
pub(crate) const MODE: &str = "--serve";
/// The salt that the benchmark's role has on the server.
pub(crate) const SALT: &[u8] = b"sixteen bytes...";
/// PostgreSQL's default.
pub(crate) const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
/// Password of the credential and of the role.
pub(crate) const SECRET: &str = "benchmark";

/// What the child is told, as its arguments.
pub(crate) struct Told<'a> {
    /// `session`, `transaction` or `strict`.
    pub(crate) pooling: &'a str,
    /// Threads; 0 is one a core.
    pub(crate) workers: &'a str,
    pub(crate) port: u16,
    /// Which server listens there.
    pub(crate) server: SystemIdentifier,
    pub(crate) role: &'a str,
    /// Of `proxy.crt` and `proxy.key`.
    pub(crate) files: &'a Path,
    pub(crate) tenants: usize,
    /// The tenants share these; the names are [`database`]'s.
    pub(crate) databases: usize,
    pub(crate) budget: u32,
}

impl Told<'_> {
    pub(crate) fn args(&self) -> Vec<String> {
        let Self { pooling, workers, port, server, role, files, tenants, databases, budget } = self;
        [MODE, pooling, workers, &server.0.to_string(), role, files.to_str().expect("a path in UTF-8")]
            .map(str::to_owned)
            .into_iter()
            .chain([u64::from(*port), *tenants as u64, *databases as u64, u64::from(*budget)].map(|number| number.to_string()))
            .collect()
    }
}

/// The database of a tenant, where tenants share so many.
pub(crate) fn database(tenant: usize, databases: usize) -> String {
    format!("bench_{}", tenant % databases)
}

/// The name of a tenant.
pub(crate) fn slug(tenant: usize) -> String {
    format!("t{tenant}")
}

/// Serves until standard input is closed.
pub(crate) fn serve(args: &[String]) {
    let [pooling, workers, server, role, files, numbers @ ..] = args else {
        panic!("a child is told how to pool, how many workers, a server, a role, a directory and numbers")
    };
    let files = Path::new(files);
    let numbers: Vec<u32> = numbers.iter().map(|number| number.parse().expect("a number")).collect();
    let [port, tenants, databases, budget] = numbers[..] else { panic!("a port and three counts") };
    let publisher = Publisher::default();
    let mut config = ProxyConfig::new("127.0.0.1:0".parse().expect("an address"));
    config.tls = Some(TlsFiles::new(files.join("proxy.crt"), files.join("proxy.key")));
    config.workers = workers.parse().expect("a number");
    (config.pooling, config.reset) = match pooling.as_str() {
        "session" => (Pooling::Session, Reset::Seen),
        "strict" => (Pooling::Transaction, Reset::Strict),
        _ => (Pooling::Transaction, Reset::Seen),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let proxy = runtime.block_on(start(config, publisher.subscribe())).expect("the proxy starts");
    let told = Told {
        pooling,
        workers,
        port: port.try_into().expect("a port"),
        server: SystemIdentifier(server.parse().expect("an identifier")),
        role,
        files,
        tenants: tenants as usize,
        databases: databases as usize,
        budget,
    };
    publisher.publish(publisher.table().with(RouteVersion(1), changes(&told)));
    println!("{}", proxy.local_addr().port());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    runtime.block_on(proxy.shutdown(Duration::ZERO));
}

fn changes(told: &Told<'_>) -> Vec<RouteChange> {
    let keys = keys::LoginKeys::derive(SECRET.as_bytes(), SALT, ROUNDS);
    let verifier = keys.verifier(SALT, ROUNDS);
    let cluster = "clu_00000000000000000000000000000001".parse().expect("an id");
    let environment = || "production".parse().expect("a name");
    let login = |_| ServerLogin {
        role: told.role.parse().expect("a role"),
        keys: LoginKeys { client_key: Secret::new(keys.client_key), server_key: Secret::new(keys.server_key) },
    };
    let signs = SigningKey::from_seed(&Secret::new([7; 32]));
    let now = Timestamp::now();
    let mut changes = vec![
        RouteChange::Authority(Authority { key: signs.public(), told_at: now }),
        RouteChange::Environment(Environment {
            name: environment(),
            kind: EnvironmentKind::Production,
            domain: "localhost".parse().expect("a domain"),
            header_key: Secret::new([0; 32]),
        }),
        RouteChange::Cluster(Cluster {
            id: cluster,
            name: "bench".parse().expect("a name"),
            environment: environment(),
            address: ServerAddress { host: "127.0.0.1".into(), port: told.port },
            tls: ServerTls::Disable,
            client_certificate: None,
            connections_max: told.budget,
        }),
        RouteChange::Credential(Credential {
            id: "cred_00000000000000000000000000000001".parse().expect("an id"),
            name: "app".parse().expect("a name"),
            environment: environment(),
            scope: Scope::App,
            level: Level::Rw,
            verifier: Verifier {
                salt: SALT.into(),
                iterations: ROUNDS.get(),
                stored_key: Secret::new(verifier.stored_key),
                server_key: Secret::new(verifier.server_key),
            },
            retiring: None,
        }),
    ];
    changes.extend((0..told.tenants).map(|tenant| {
        let (id, database): (TenantId, DatabaseName) =
            (format!("ten_{:032}", tenant + 1).parse().expect("an id"), database(tenant, told.databases).parse().expect("a name"));
        let expires_at = now + Duration::from_secs(48 * 3600);
        let claims =
            Claims { tenant: id, cluster, server: Some(told.server), judged_by: None, allows: Allows::All, issued_at: now, expires_at };
        RouteChange::Route(Route {
            tenant: id,
            slug: slug(tenant).parse().expect("a slug"),
            environment: environment(),
            state: RouteState::Serving,
            epoch: 1,
            cluster,
            placement: Placement::Certified(Arc::new(signs.sign(claims, &environment(), &database))),
            database,
            logins: Level::ALL.map(login).into(),
            next_logins: None,
            parameters: Box::new([]),
            limits: holm_core::limits::TenantLimits::default(),
            aliases: Box::new([]),
        })
    }));
    changes
}
