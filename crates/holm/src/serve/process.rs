//! The parts of a serving process: started in order, stopped in reverse.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use holm_api::ApiConfig;
use holm_core::error::{ErrorCode, Problem};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::node::NodeConfig;
use holm_engine::programs::Programs;
use holm_link::Publisher;
use holm_proxy::gateway::{self, Gateway};
use holm_proxy::postgres::{self as proxy, Proxy};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use crate::catalog::init::nobody;
use crate::catalog::open::is_catalog;
use crate::metrics;

/// More would only queue behind the catalog's one disk.
const CATALOG_CONNECTIONS: usize = 8;

/// A transaction gets this long once its client did not leave by itself; an API request too.
const DRAIN: Duration = Duration::from_secs(5);

/// A process that serves.
pub(super) struct Process {
    control: Control,
    data: Option<DataPlane>,
    api: Api,
    linger: Duration,
}

struct DataPlane {
    proxy: Proxy,
    gateway: Gateway,
}

struct Api {
    address: SocketAddr,
    draining: CancellationToken,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Process {
    /// Starts everything and returns when a client may connect.
    ///
    /// # Errors
    /// The first thing that did not start.
    pub(super) async fn start(config: Config) -> Result<Self, Problem> {
        let api_listener = TcpListener::bind(config.api_listen).await.map_err(|error| cannot_listen(config.api_listen, &error))?;
        let (catalog, keys) = (config.catalog.open(CATALOG_CONNECTIONS)?, config.catalog.master_keys()?);
        // Nothing is made silently: neither a catalog out of an empty database nor a master key.
        if !is_catalog(&catalog).await? {
            return Err(not_ready());
        }
        catalog.migrate().await?;
        let parts = ControlConfig {
            checkpoints: config.audit_checkpoints.clone(),
            mail: config.mail.clone(),
            programs: config.pg_bin.clone().map(|directory| Programs { directory, library_path: None }),
            node: Some(node(&config)),
            ..ControlConfig::new(catalog, keys, Publisher::default())
        };
        let control = Control::open(parts).await?;
        match DataPlane::start(&config, &control).await {
            Ok(data) => {
                control.start();
                let api = Api::start(api_listener, &control, data.as_ref());
                Ok(Self { control, data, api, linger: config.linger })
            }
            Err(problem) => {
                // It has joined; nobody should wait for it.
                control.shutdown().await;
                Err(problem)
            }
        }
    }

    /// What to tell whoever started it.
    pub(super) fn ready(&self) -> String {
        let mut said = "Holm is ready:".to_owned();
        if let Some(data) = &self.data {
            let (proxy, gateway) = (data.proxy.local_addr(), data.gateway.local_addr());
            write!(said, " proxy {proxy}, gateway {gateway},").expect("writing to a string does not fail");
        }
        write!(said, " API http://{}/v1", self.api.address).expect("writing to a string does not fail");
        said
    }

    /// Waits until it must stop. Cancel safe: it only waits.
    pub(super) async fn ended(&self) -> Problem {
        self.control.alone_too_long().await
    }

    /// Stops: unready, no new sessions, those that are open get time, then the API, then the tasks; last it leaves the others.
    pub(super) async fn stop(self) {
        self.api.draining.cancel();
        if let Some(DataPlane { proxy, gateway }) = self.data {
            tokio::join!(gateway.shutdown(self.linger + DRAIN), proxy.shutdown_after(self.linger, DRAIN));
        }
        self.api.stop.cancel();
        if tokio::time::timeout(DRAIN, self.api.task).await.is_err() {
            tracing::warn!("some API requests were cut off");
        }
        self.control.shutdown().await;
    }
}

impl DataPlane {
    /// Only now that the routes are there: before, every tenant would be unknown.
    async fn start(config: &Config, control: &Control) -> Result<Option<Self>, Problem> {
        if nobody(control).await? {
            return Err(not_ready());
        }
        if !config.role.carries() {
            return Ok(None);
        }
        let publisher = control.publisher();
        let proxy = proxy::start(config.proxy.clone(), publisher.subscribe()).await?;
        let gateway = gateway::start(config.gateway.clone(), publisher.subscribe()).await?;
        Ok(Some(Self { proxy, gateway }))
    }
}

impl Api {
    fn start(listener: TcpListener, control: &Control, data: Option<&DataPlane>) -> Self {
        let address = listener.local_addr().expect("a bound listener has an address");
        let (draining, stop) = (CancellationToken::new(), CancellationToken::new());
        let counters = data.map(|data| (data.proxy.counters(), data.gateway.counters()));
        let metrics = move || counters.as_ref().map_or_else(String::new, |(proxy, gateway)| metrics::render(proxy, gateway));
        let router =
            holm_api::router(control.clone(), ApiConfig { metrics: Arc::new(metrics), draining: draining.clone(), ..ApiConfig::default() });
        let task = tokio::spawn(holm_api::serve::serve(listener, router, stop.clone()));
        Self { address, draining, stop, task }
    }
}

fn node(config: &Config) -> NodeConfig {
    let listen = if config.role.carries() { config.proxy.listen } else { config.api_listen };
    // A port that the kernel picks is not known yet.
    let port = if listen.port() == 0 { std::process::id() } else { listen.port().into() };
    NodeConfig {
        name: config.node_name.clone().unwrap_or_else(|| format!("{}:{port}", machine_name())),
        role: config.role,
        holm_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn not_ready() -> Problem {
    Problem::new(ErrorCode::CatalogNotReady, "the catalog was never made ready: nobody could sign in")
        .next("make it ready, once: `holm init`")
        .next("or restore a backup into it: `holm catalog restore FILE`")
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Problem {
    Problem::new(ErrorCode::CannotListen, format!("the API cannot listen on `{address}`"))
        .because(error)
        .next("choose another address with `--api-listen`, or port 0 for any free one")
}

/// As the kernel has it; every machine has one.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "holm".to_owned() } else { name.to_owned() }
}
