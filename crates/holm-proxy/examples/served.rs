//! A throwaway PostgreSQL and a proxy before it, for programs that are to be tried against both: `suites/` runs those of others.
//!
//! `cargo run -p holm-proxy --example served -- POOLING NAME[,NAME…] DATABASE [SETTING=VALUE…]` prints two URLs, a line each: of
//! the server itself and of the proxy, which pools by `transaction` or `session`. Behind both are the same database and the same
//! role, a superuser called NAME with the password `password`, so that nothing but the way there differs; a further NAME is one
//! more such role and credential, of the first one's rights. The settings are the server's. Ends when its standard input does;
//! nothing is left of it.

use std::io::Read as _;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_core::cluster::Cluster;
use holm_core::cluster::tls::ServerTls;
use holm_core::credential::{Credential, Level, Scope};
use holm_core::environment::{Environment, EnvironmentKind};
use holm_core::limits::TenantLimits;
use holm_core::placement::{Allows, Authority, Claims, Placement};
use holm_core::role::DatabaseName;
use holm_core::route::{Route, RouteChange, RouteState, RouteVersion, ServerLogin};
use holm_core::scram::{LoginKeys, Verifier};
use holm_core::secret::Secret;
use holm_link::Publisher;
use holm_link::certificate::SigningKey;
use holm_pgwire::scram::keys;
use holm_proxy::postgres::{Pooling, ProxyConfig, start};
use holm_testkit::{TestServer, new_server};
use jiff::Timestamp;

/// Of a role that is gone with its server, on this machine only.
const PASSWORD: &str = "password";
const SALT: &[u8] = b"sixteen bytes...";
/// PostgreSQL's default.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
/// Of the server's 100, some are for superusers and some for who comes directly.
const CONNECTIONS_MAX: u32 = 60;

/// Who connects, and where to.
struct Names {
    /// The credentials and the roles.
    users: Vec<String>,
    /// The tenant and its database.
    database: String,
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(pooling), Some(users), Some(database)) = (args.next(), args.next(), args.next()) else {
        panic!("served POOLING NAME[,NAME…] DATABASE [SETTING=VALUE…]")
    };
    let pooling = match pooling.as_str() {
        "session" => Pooling::Session,
        "transaction" => Pooling::Transaction,
        other => panic!("`{other}` is not `session` or `transaction`"),
    };
    let names = Names { users: users.split(',').map(str::to_owned).collect(), database };
    let settings: Vec<String> = args.collect();
    let settings: Vec<(&str, &str)> = settings.iter().map(|one| one.split_once('=').expect("SETTING=VALUE")).collect();
    let server = new_server(&settings).await;
    furnish(&server, &names).await;

    let publisher = Publisher::default();
    let mut config = ProxyConfig::new("127.0.0.1:0".parse().expect("an address"));
    config.pooling = pooling;
    let proxy = start(config, publisher.subscribe()).await.expect("the proxy starts");
    publisher.publish(publisher.table().with(RouteVersion(1), changes(&server, &names)));

    let Names { users, database } = &names;
    let user = &users[0];
    println!("postgresql://{user}:{PASSWORD}@{}/{database}", server.address);
    println!("postgresql://{user}:{PASSWORD}@{}/{database}", proxy.local_addr());
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = ended.await;
    proxy.shutdown(Duration::ZERO).await;
    server.stop().await;
}

/// Makes the role and the database, if the server does not have them from its beginning.
async fn furnish(server: &TestServer, Names { users, database }: &Names) {
    let admin = server.connect("postgres").await;
    let keys = keys::LoginKeys::derive(PASSWORD.as_bytes(), SALT, ROUNDS).verifier(SALT, ROUNDS);
    let [salt, stored, served] = [SALT, &keys.stored_key, &keys.server_key].map(|bytes| STANDARD.encode(bytes));
    for user in users {
        let sql = format!(
            "CREATE ROLE {user} SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS LOGIN PASSWORD 'SCRAM-SHA-256$4096:{salt}${stored}:{served}'"
        );
        admin.batch_execute(&sql).await.expect("make the role");
    }
    if database != "postgres" {
        admin.batch_execute(&format!("CREATE DATABASE {database} TEMPLATE template0")).await.expect("make the database");
    }
}

/// One environment with one cluster, one tenant, and a credential for each name.
fn changes(server: &TestServer, Names { users, database }: &Names) -> Vec<RouteChange> {
    let keys = keys::LoginKeys::derive(PASSWORD.as_bytes(), SALT, ROUNDS);
    let verifier = keys.verifier(SALT, ROUNDS);
    let cluster = "clu_00000000000000000000000000000001".parse().expect("an id");
    let environment = || "production".parse().expect("a name");
    let login = |_| ServerLogin {
        role: users[0].parse().expect("a name of a role"),
        keys: LoginKeys { client_key: Secret::new(keys.client_key), server_key: Secret::new(keys.server_key) },
    };
    let tenant = "ten_00000000000000000000000000000001".parse().expect("an id");
    let name: DatabaseName = database.parse().expect("a name of a database");
    let signs = SigningKey::from_seed(&Secret::new([7; 32]));
    let issued_at = Timestamp::now();
    let expires_at = issued_at + Duration::from_secs(48 * 3600);
    let claims =
        Claims { tenant, cluster, server: Some(server.system_identifier()), judged_by: None, allows: Allows::All, issued_at, expires_at };
    let mut changes = vec![
        RouteChange::Authority(Authority { key: signs.public(), told_at: issued_at }),
        RouteChange::Environment(Environment {
            name: environment(),
            kind: EnvironmentKind::Production,
            domain: "served.test".parse().expect("a domain"),
            header_key: Secret::new([0; 32]),
        }),
        RouteChange::Cluster(Cluster {
            id: cluster,
            name: "served".parse().expect("a name"),
            environment: environment(),
            address: server.address.clone(),
            tls: ServerTls::Disable,
            client_certificate: None,
            connections_max: CONNECTIONS_MAX,
        }),
        RouteChange::Route(Route {
            tenant,
            slug: database.parse().expect("a name of a tenant"),
            environment: environment(),
            state: RouteState::Serving,
            epoch: 1,
            cluster,
            placement: Placement::Certified(Arc::new(signs.sign(claims, &environment(), &name))),
            database: name,
            logins: Level::ALL.map(login).into(),
            next_logins: None,
            parameters: Box::new([]),
            limits: TenantLimits::default(),
            aliases: Box::new([]),
        }),
    ];
    changes.extend(users.iter().zip(1..).map(|(user, number)| {
        RouteChange::Credential(Credential {
            id: format!("cred_{number:032}").parse().expect("an id"),
            name: user.parse().expect("a name of a credential"),
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
        })
    }));
    changes
}
