//! The child mode: a Holm proxy as a process of its own, with one tenant.

use std::io::Read as _;
use std::num::NonZeroU32;
use std::time::Duration;

use holm_core::cluster::{Cluster, ServerAddress};
use holm_core::credential::{Credential, Level, Scope};
use holm_core::environment::{Environment, EnvironmentKind};
use holm_core::route::{Route, RouteChange, RouteState, RouteVersion, ServerLogin};
use holm_core::scram::{LoginKeys, Verifier};
use holm_core::secret::Secret;
use holm_link::Publisher;
use holm_pgwire::scram::keys;
use holm_proxy::postgres::{ProxyConfig, start};

/// The first argument that makes this program a proxy.
pub(crate) const MODE: &str = "--serve";
/// The salt that the benchmark's role has on the server.
pub(crate) const SALT: &[u8] = b"sixteen bytes...";
/// PostgreSQL's default.
pub(crate) const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
/// Password of the credential and of the role.
pub(crate) const SECRET: &str = "benchmark";

/// Serves until standard input is closed. Arguments: workers, server port, database, role.
pub(crate) fn serve(args: &[String]) {
    let [workers, port, database, role] = args else { panic!("{MODE} workers port database role") };
    let publisher = Publisher::default();
    let config = ProxyConfig {
        listen: "127.0.0.1:0".parse().expect("an address"),
        tls: None,
        tls_required: false,
        login_timeout: Duration::from_secs(10),
        clients_max: 1000,
        workers: workers.parse().expect("a number"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let proxy = runtime.block_on(start(config, publisher.subscribe())).expect("the proxy starts");
    publisher.publish(publisher.table().with(RouteVersion(1), changes(port.parse().expect("a port"), database, role)));
    println!("{}", proxy.local_addr().port());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    runtime.block_on(proxy.shutdown(Duration::ZERO));
}

fn changes(port: u16, database: &str, role: &str) -> [RouteChange; 4] {
    let keys = keys::LoginKeys::derive(SECRET.as_bytes(), SALT, ROUNDS);
    let verifier = keys.verifier(SALT, ROUNDS);
    let cluster = "clu_00000000000000000000000000000001".parse().expect("an id");
    let environment = || "production".parse().expect("a name");
    let login = |_| ServerLogin {
        role: role.parse().expect("a role"),
        keys: LoginKeys { client_key: Secret::new(keys.client_key), server_key: Secret::new(keys.server_key) },
    };
    [
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
            address: ServerAddress { host: "127.0.0.1".into(), port },
            connections_max: 500,
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
        RouteChange::Route(Route {
            tenant: "ten_00000000000000000000000000000001".parse().expect("an id"),
            slug: "bench".parse().expect("a slug"),
            environment: environment(),
            state: RouteState::Serving,
            epoch: 1,
            cluster,
            database: database.parse().expect("a name"),
            logins: Level::ALL.map(login).into(),
            next_logins: None,
            parameters: Box::new([]),
            aliases: Box::new([]),
        }),
    ]
}
