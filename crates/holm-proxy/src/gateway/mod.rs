//! The HTTP gateway: from a host name to a tenant, and on to the app with the tenant's name on the request.
//!
//! Promises: what the app reads in `x-subdomain` and `x-holm-…` is the gateway's word (R76); a host that is nobody's
//! reaches no app (R77); the same label under two environments is two tenants (R1); both bodies are streamed; every wait
//! on a peer has a deadline. A route table is acknowledged when what it forbids is closed. The app needs nothing of
//! Holm's but the header (R78). Refuses TLS and HTTP/2 to the browser, which a load balancer in front does, and any
//! protocol change but a WebSocket.
//!
//! A request goes `connection` (one client) → `forward` (one request) → `admission` and `host` (whose it is) → `headers`
//! and `signature` (what the app may believe) → the app → `body` or `tunnel`; `sessions` knows what is open, `refusal`
//! what to say.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::route::RouteTable;
use holm_link::{Feed, Routes};
use http::Uri;
use hyper_util::client::legacy::Client as AppClient;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use self::body::RequestBody;
use self::connection::Client;
use self::connector::Connector;
use self::counters::Counters;
use self::sessions::Sessions;

mod admission;
mod body;
mod connection;
mod connector;
pub mod counters;
mod forward;
mod headers;
pub mod host;
mod patience;
mod refusal;
mod sessions;
pub mod signature;
mod socket;
mod tunnel;

/// A pause after the system refused a connection for want of something that others may give back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Closing sockets takes no time; a node that cannot in this long must not say that it has.
const END_SESSIONS: Duration = Duration::from_secs(10);

/// How a gateway listens, where it passes requests on to, and how long it waits for whom.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// The app: `http://host:port`. Without one every request is answered with how to name one.
    pub app: Option<Uri>,
    /// Proxies in front of the gateway whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; none by default.
    pub trusted_proxies: Vec<IpAddr>,
    /// How many client connections there may be at once, tunnels included.
    pub clients_max: usize,
    /// How long a client may take over the head of a request; also how long a connection may stay unused.
    pub head_timeout: Duration,
    /// How long a client may pause within a request's body.
    pub body_idle_timeout: Duration,
    /// How long a client may take nothing of what it is sent.
    pub write_timeout: Duration,
    /// How long a connection to the app may take to be there.
    pub connect_timeout: Duration,
    /// How long the app may take to begin its response, counted from the last it took of the request.
    pub response_timeout: Duration,
    /// How long the app may pause within a response's body.
    pub response_idle_timeout: Duration,
    /// How long a tunnel may carry nothing.
    pub tunnel_idle_timeout: Duration,
    /// How long a connection to the app is kept for the next request.
    pub app_idle_timeout: Duration,
}

impl GatewayConfig {
    /// The defaults, listening at an address.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            app: None,
            trusted_proxies: Vec::new(),
            // Two descriptors each leave room below the usual hard limit of 524,288 and above the usual need.
            clients_max: 10_000,
            // As nginx's keepalive_timeout is 75 s and its client_header_timeout 60 s; a slow-loris client gets less here.
            head_timeout: Duration::from_secs(30),
            body_idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            // Long reports are made within a request; nginx's proxy_read_timeout.
            response_timeout: Duration::from_secs(60),
            // Server-sent events need not come more often than a heartbeat, which libraries send every 15 s to 2 min.
            response_idle_timeout: Duration::from_secs(300),
            tunnel_idle_timeout: Duration::from_secs(3600),
            // Below the shortest keep-alive of the usual app servers (gunicorn: 2 s, Node: 5 s), so that the app does not
            // close a connection just as a request goes out on it.
            app_idle_timeout: Duration::from_millis(1500),
        }
    }
}

/// What every task of the gateway sees.
#[derive(Debug)]
struct Shared {
    config: GatewayConfig,
    routes: Routes,
    sessions: Arc<Sessions>,
    app: AppClient<Connector, RequestBody>,
    app_trouble: AtomicBool,
    counters: Arc<Counters>,
    tasks: TaskTracker,
    /// No new connection, no new request.
    drain: CancellationToken,
    /// No connection at all.
    cut: CancellationToken,
}

/// A gateway that is listening. Dropping it cuts everything off; [`Gateway::shutdown`] lets requests finish.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
}

/// Starts a gateway on the runtime of the caller.
///
/// # Errors
/// [`ErrorCode::InvalidConfig`] when the app's address cannot be used, [`ErrorCode::CannotListen`] when the own one
/// cannot.
///
/// # Cancel safety
/// Safe: nothing runs before it returns.
pub async fn start(config: GatewayConfig, feed: Feed) -> Result<Gateway, Problem> {
    let listen = config.listen;
    let cannot_listen = |error| {
        Problem::new(ErrorCode::CannotListen, format!("listen for HTTP at `{listen}`"))
            .because(error)
            .next("choose another address with `--gateway-listen`, port 0 for any free one")
    };
    let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
    let local_addr = listener.local_addr().map_err(cannot_listen)?;
    if let Some(app) = &config.app {
        check_app(app, local_addr)?;
    }
    let shared = Arc::new(Shared {
        app: app_client(&config),
        routes: feed.routes(),
        sessions: Arc::default(),
        app_trouble: AtomicBool::new(false),
        counters: Arc::default(),
        tasks: TaskTracker::new(),
        drain: CancellationToken::new(),
        cut: CancellationToken::new(),
        config,
    });
    shared.tasks.spawn(accept(Arc::clone(&shared), listener));
    // Not among the tasks that a shutdown waits for: it goes on until everything else is over.
    tokio::spawn(follow(Arc::clone(&shared), feed));
    info!(listen = %local_addr, app = ?shared.config.app, "gateway listens");
    Ok(Gateway { shared, local_addr })
}

fn check_app(app: &Uri, local_addr: SocketAddr) -> Result<(), Problem> {
    let refuse = |why: &str| {
        Err(Problem::new(ErrorCode::InvalidConfig, format!("use `{app}` as the app behind the gateway"))
            .because(why)
            .next("give an address of the form `http://127.0.0.1:3000`"))
    };
    let Some(authority) = app.authority() else {
        return refuse("it names no host");
    };
    if app.scheme_str() != Some("http") {
        return refuse("its scheme is not `http`");
    }
    if app.path_and_query().is_some_and(|path| path != "/") || authority.as_str().contains('@') {
        return refuse("it has more than a host and a port");
    }
    if host::Authority::parse(authority.as_str()).is_err() {
        return refuse("it is not a host name with a port");
    }
    let own_host = app.host().is_some_and(|host| host == "localhost" || host == local_addr.ip().to_string());
    if own_host && app.port_u16().unwrap_or(80) == local_addr.port() {
        return refuse("it is where the gateway itself listens");
    }
    Ok(())
}

fn app_client(config: &GatewayConfig) -> AppClient<Connector, RequestBody> {
    AppClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(config.app_idle_timeout)
        .set_host(false)
        .build(Connector { timeout: config.connect_timeout })
}

/// Takes clients in until the gateway drains.
async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(shared.config.clients_max.min(Semaphore::MAX_PERMITS)));
    loop {
        let accepted = tokio::select! {
            () = shared.drain.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => welcome(&shared, &places, stream),
            Err(error) => {
                warn!(%error, "gateway cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn welcome(shared: &Arc<Shared>, places: &Arc<Semaphore>, stream: TcpStream) {
    let Ok(permit) = Arc::clone(places).try_acquire_owned() else {
        shared.counters.connections_refused.add(1);
        turn_away(&stream);
        return;
    };
    // A client that is gone already has no address.
    let Ok(client) = Client::new(shared, &stream, permit) else { return };
    shared.counters.connections_accepted.add(1);
    shared.tasks.spawn(connection::serve(Arc::clone(shared), client, stream));
}

/// Says so, if the client can hear it at once: a reason is worth one packet, not a wait.
fn turn_away(stream: &TcpStream) {
    let body = format!("{}: the gateway has as many connections as it may; try again in a moment\n", ErrorCode::TooManyClients);
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.try_write(answer.as_bytes());
}

/// Acknowledges tables, each after what it forbids is over.
async fn follow(shared: Arc<Shared>, mut feed: Feed) {
    loop {
        let table = tokio::select! {
            () = shared.cut.cancelled() => return,
            table = feed.next() => table,
        };
        // Without a control plane the last table stays good.
        let Some(table) = table else { return };
        match tokio::time::timeout(END_SESSIONS, shared.sessions.end(|tenant| !serves(&table, tenant))).await {
            Ok(cut) => {
                shared.counters.sessions_cut.add(cut);
                feed.acknowledge(table.version());
            }
            Err(_) => error!(version = %table.version(), "sessions that a route table forbids are still open; it is not acknowledged"),
        }
    }
}

fn serves(table: &RouteTable, tenant: holm_core::id::TenantId) -> bool {
    table.route_of(tenant).is_some_and(|route| route.state.lets_in())
}

impl Gateway {
    /// Where it listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Its numbers, for as long as anybody likes to read them.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Stops listening, lets requests and tunnels finish until the deadline, then cuts off the rest; says how many
    /// connections that were.
    ///
    /// # Cancel safety
    /// Dropping it cuts everything off at once.
    pub async fn shutdown(self, deadline: Duration) -> u64 {
        self.shared.drain.cancel();
        self.shared.tasks.close();
        let drained = tokio::time::timeout(deadline, self.shared.tasks.wait()).await;
        let left = if drained.is_ok() { 0 } else { self.shared.counters.connections_open.get() };
        self.shared.cut.cancel();
        self.shared.tasks.wait().await;
        info!(cut = left, "gateway stopped");
        left
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.drain.cancel();
        self.shared.cut.cancel();
    }
}
