//! A whole Holm in one process: servers, catalog, control plane, data plane, API; started in order, stopped in reverse.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use holm_api::ApiConfig;
use holm_core::actor::Actor;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::access::bootstrap;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::mail::MailConfig;
use holm_engine::node::{NodeConfig, NodeRole};
use holm_engine::programs::Programs;
use holm_link::Publisher;
use holm_postgres::account::private_root;
use holm_postgres::finder::Finder;
use holm_postgres::server::Server;
use holm_proxy::gateway::{self, Gateway, GatewayConfig};
use holm_proxy::postgres::{self as proxy, Proxy, ProxyConfig, TlsFiles};
use holm_store::catalog::Catalog;
use holm_store::environment::Seed;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::directory::Directory;
use super::environments::{self, DevEnvironment};
use super::servers::{SUPERUSER, Servers};
use super::{Args, credentials, demo, regions};
use crate::client_certificates::client_certificates;
use crate::master_keys::{self, Settings};
use crate::{metrics, private_file, usage};

/// The catalog's server; those of the environments are called `env-<name>`.
const CATALOG: &str = "catalog";

/// Who everything that this command does is done by.
const PRINCIPAL: &str = "holm dev";

/// Sessions that are in a transaction get this long to end it.
const DRAIN: Duration = Duration::from_secs(5);

/// Databases kept ready in each environment: enough that a person who creates tenants never waits.
const POOL_SIZE: u32 = 3;

/// More would only queue behind the catalog's one disk.
const CATALOG_CONNECTIONS: usize = 16;

/// A running installation.
pub(super) struct Installation {
    postgres: holm_postgres::installation::Installation,
    environments: Vec<DevEnvironment>,
    servers: Servers,
    control: Control,
    proxy: Proxy,
    gateway: Gateway,
    api: Api,
}

struct Api {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Installation {
    /// Starts everything and returns when a client may connect.
    ///
    /// # Errors
    /// The first thing that did not start; servers that did are ended.
    pub(super) async fn start(args: &Args, directory: &Directory) -> Result<Self, Problem> {
        let (known, mail) = (environments::of(args, directory)?, args.mail.config()?);
        let postgres = find(args, directory).await?;
        // Listeners before servers: an address in use is found out in a millisecond, not after initdb.
        let api_listener = TcpListener::bind(args.api_listen).await.map_err(|error| cannot_listen("API", args.api_listen, &error))?;
        let publisher = Publisher::default();
        let proxy = proxy::start(proxy_config(args), publisher.subscribe()).await?;
        let gateway = gateway::start(gateway_config(args)?, publisher.subscribe()).await?;

        let names: Vec<String> = std::iter::once(CATALOG.to_owned())
            .chain(known.environments.iter().map(server_name))
            .chain(known.demo.then(regions::more_servers).into_iter().flatten())
            .collect();
        let servers = Servers::start(directory, &postgres, &names).await?;
        let control = control(directory, &postgres, &servers, publisher, mail).await?;
        control.start();
        let by = ensure_token(&control, directory).await?;
        for environment in &known.environments {
            adopt(&control, &by, environment, &servers).await?;
        }
        if known.demo {
            regions::ensure(&control, &by, &servers).await?;
        }
        let names: Vec<EnvironmentName> = known.environments.iter().map(|environment| environment.name.clone()).collect();
        credentials::ensure(&control, &by, directory, &names).await?;
        let api = Api::start(api_listener, &control, &proxy, &gateway);
        if known.demo {
            demo::ensure_tenants(&control, &by, directory, proxy.local_addr()).await?;
        }
        Ok(Self { postgres, environments: known.environments, servers, control, proxy, gateway, api })
    }

    pub(super) fn proxy_address(&self) -> SocketAddr {
        self.proxy.local_addr()
    }

    pub(super) fn gateway_address(&self) -> SocketAddr {
        self.gateway.local_addr()
    }

    pub(super) fn api_address(&self) -> SocketAddr {
        self.api.address
    }

    pub(super) fn postgres(&self) -> &holm_postgres::installation::Installation {
        &self.postgres
    }

    pub(super) fn environments(&self) -> &[DevEnvironment] {
        &self.environments
    }

    /// Waits until a part ends that must not. Cancel safe: it only waits.
    pub(super) async fn ended(&mut self) -> Problem {
        self.servers.ended().await
    }

    /// Stops in reverse: no new work, then those who work, then what they work on.
    pub(super) async fn stop(self) {
        self.api.stop.cancel();
        if tokio::time::timeout(DRAIN, self.api.task).await.is_err() {
            tracing::warn!("some API requests were cut off");
        }
        tokio::join!(self.gateway.shutdown(DRAIN), self.proxy.shutdown(DRAIN));
        self.control.shutdown().await;
        self.servers.stop().await;
    }
}

fn server_name(environment: &DevEnvironment) -> String {
    format!("env-{}", environment.name)
}

/// Looks for PostgreSQL off the runtime: the search runs programs and may download. Data that is there already wants the
/// major version that made it.
async fn find(args: &Args, directory: &Directory) -> Result<holm_postgres::installation::Installation, Problem> {
    let finder = Finder { explicit: args.pg_bin.clone(), ..Finder::from_env() };
    let data = private_root(directory.path()).join(CATALOG);
    tokio::task::spawn_blocking(move || finder.find_for(&data)).await.expect("the search does not panic")
}

async fn control(
    directory: &Directory,
    postgres: &holm_postgres::installation::Installation,
    servers: &Servers,
    publisher: Publisher,
    mail: Option<MailConfig>,
) -> Result<Control, Problem> {
    let master_key = master_keys::of(&Settings::from_environment(), directory.file("master.key"))?;
    let url = catalog_url(servers.named(CATALOG), &servers.password(CATALOG));
    let catalog = Catalog::open(url.expose(), CATALOG_CONNECTIONS)?;
    catalog.migrate().await?;
    let programs = Programs { directory: postgres.bin.clone(), library_path: postgres.library_path.clone() };
    let checkpoints = Some(directory.file("audit.checkpoints"));
    // Its catalog is on the same machine: there is nothing to outlive.
    let node = NodeConfig {
        name: "holm dev".to_owned(),
        role: NodeRole::All,
        holm_version: env!("CARGO_PKG_VERSION").to_owned(),
        keeps_routes: false,
    };
    let node = Some(node);
    let parts = ControlConfig::new(catalog, master_key, publisher);
    Control::open(ControlConfig { checkpoints, mail, programs: Some(programs), node, ..parts }).await
}

/// The catalog lives in the server's `postgres` database: the server has no other purpose.
fn catalog_url(server: &Server, password: &Secret<String>) -> Secret<String> {
    let address = server.address();
    Secret::new(format!("postgresql://{SUPERUSER}:{}@{}:{}/postgres", password.expose(), address.host, address.port))
}

async fn adopt(control: &Control, by: &Actor, environment: &DevEnvironment, servers: &Servers) -> Result<(), Problem> {
    let name = server_name(environment);
    let new = NewEnvironment {
        name: environment.name.clone(),
        kind: environment.kind,
        domain: environment.domain.clone(),
        pool_size: POOL_SIZE,
        migrations: environment.migrations.clone(),
        seed: environment.seed.clone().map(Seed::SqlFile),
    };
    environment::ensure(control, by, new).await?;
    let cluster = NewCluster {
        name: format!("{}-1", environment.name).parse().expect("an environment's name, a hyphen and a digit"),
        environment: environment.name.clone(),
        address: servers.named(&name).address().clone(),
        admin_role: SUPERUSER.parse().expect("a constant that is a name"),
        admin_password: servers.password(&name),
        connections_max: None,
    };
    cluster::register(control, by, cluster).await.map(|_| ())
}

/// The principal that this command acts as, and its token: made once, stored hashed in the catalog and plain in a file of the
/// directory.
async fn ensure_token(control: &Control, directory: &Directory) -> Result<Actor, Problem> {
    let path = directory.file("token");
    let keep = |text: &str| {
        private_file::write(&path, text.as_bytes())
            .map_err(|error| Problem::new(ErrorCode::InvalidConfig, format!("`{}` cannot be written", path.display())).because(error))
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().to_owned(),
        Err(_) => credentials::random_secret(),
    };
    keep(&text)?;
    let name = PRINCIPAL.parse().expect("a constant that is a name");
    match bootstrap::ensure(control, &name, Secret::new(text)).await {
        // The stored one was revoked, or somebody cut it off: it is good for nothing, so another one takes its place.
        Err(problem) if problem.code == ErrorCode::InvalidValue => {
            let another = credentials::random_secret();
            keep(&another)?;
            bootstrap::ensure(control, &name, Secret::new(another)).await
        }
        ensured => ensured,
    }
}

fn proxy_config(args: &Args) -> ProxyConfig {
    let clients = client_certificates(args.tls_client_ca.clone(), args.tls_client_crl.clone(), args.tls_client_names);
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    let tls = tls.map(|(certificate, key)| TlsFiles { clients, ..TlsFiles::new(certificate, key) });
    ProxyConfig { tls, pooling: args.proxy_pooling.into(), reset: args.proxy_reset.into(), ..ProxyConfig::new(args.proxy_listen) }
}

fn gateway_config(args: &Args) -> Result<GatewayConfig, Problem> {
    let app = args.app.as_deref().map(str::parse).transpose().map_err(|error| {
        Problem::new(ErrorCode::InvalidConfig, "`--app` is not a URL").because(error).next("write it as `--app http://127.0.0.1:3000`")
    })?;
    Ok(GatewayConfig { app, ..GatewayConfig::new(args.gateway_listen) })
}

fn cannot_listen(what: &str, address: SocketAddr, error: &std::io::Error) -> Problem {
    Problem::new(ErrorCode::CannotListen, format!("the {what} cannot listen on `{address}`"))
        .because(error)
        .next("choose another address, or port 0 for any free one")
}

impl Api {
    fn start(listener: TcpListener, control: &Control, proxy: &Proxy, gateway: &Gateway) -> Self {
        let address = listener.local_addr().expect("a bound listener has an address");
        let stop = CancellationToken::new();
        let usage = usage::of(proxy.counters(), proxy.gauges());
        let (proxy, gauges, gateway) = (proxy.counters(), proxy.gauges(), gateway.counters());
        let config = ApiConfig { usage, metrics: Arc::new(move || metrics::render(&proxy, &gauges, &gateway)), ..ApiConfig::default() };
        let router = holm_api::router(control.clone(), config);
        let task = tokio::spawn(holm_api::serve::serve(listener, router, stop.clone()));
        Self { address, stop, task }
    }
}
