//! A gateway between an app that a test writes as a function and clients that send what a test spells out.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::Stream;
use holm_core::credential::Level;
use holm_core::environment::{Environment, EnvironmentKind};
use holm_core::role::RoleName;
use holm_core::route::{Route, RouteChange, RouteState, RouteVersion, ServerLogin};
use holm_core::scram::LoginKeys;
use holm_core::secret::Secret;
use holm_link::Publisher;
use holm_proxy::gateway::signature::{self, Claim};
use holm_proxy::gateway::{self, Gateway, GatewayConfig};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
pub(crate) type AppBody = BoxBody<Bytes, std::io::Error>;

/// Production at `localhost` with goteborg and malmo, staging at `staging.localhost` with goteborg.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) publisher: Publisher,
    version: AtomicU64,
}

impl World {
    pub(crate) async fn new(app: Option<SocketAddr>) -> Self {
        Self::with(app, |_| {}).await
    }

    pub(crate) async fn with(app: Option<SocketAddr>, adapt: impl FnOnce(&mut GatewayConfig)) -> Self {
        let publisher = Publisher::default();
        let mut config = GatewayConfig::new("127.0.0.1:0".parse().unwrap());
        config.app = app.map(|app| format!("http://{app}").parse().unwrap());
        adapt(&mut config);
        let gateway = gateway::start(config, publisher.subscribe()).await.unwrap();
        let world = Self { gateway, publisher, version: AtomicU64::new(0) };
        let changes = [
            RouteChange::Environment(environment("production", "localhost")),
            RouteChange::Environment(environment("staging", "staging.localhost")),
            RouteChange::Route(route(1, "goteborg", "production")),
            RouteChange::Route(route(2, "malmo", "production")),
            RouteChange::Route(route(3, "goteborg", "staging")),
        ];
        world.publish(changes).await;
        world
    }

    /// Publishes changes; returns when the gateway has acknowledged them.
    pub(crate) async fn publish(&self, changes: impl IntoIterator<Item = RouteChange>) {
        let version = RouteVersion(self.version.fetch_add(1, Ordering::Relaxed) + 1);
        self.publisher.publish(self.publisher.table().with(version, changes));
        self.publisher.acknowledged(version, DEADLINE).await.unwrap();
    }

    pub(crate) async fn suspend(&self, number: u8, slug: &str, environment: &str) {
        self.publish([RouteChange::Route(Route { state: RouteState::Suspended, ..route(number, slug, environment) })]).await;
    }

    pub(crate) async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.gateway.local_addr()).await.unwrap() }
    }

    /// Sends bytes on a connection of their own and returns all that comes back until the gateway closes it.
    pub(crate) async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.send(request).await;
        client.rest().await
    }

    /// A GET that wants JSON and closes.
    pub(crate) async fn get(&self, host: &str, target: &str) -> String {
        self.exchange(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.gateway.counters().read().into_iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Waits until a counter has a value.
    pub(crate) async fn counted(&self, name: &str, value: u64) {
        let reached = async {
            while self.count(name) != value {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        assert!(timeout(DEADLINE, reached).await.is_ok(), "{name} is {} and not {value}", self.count(name));
    }
}

pub(crate) fn environment(name: &str, domain: &str) -> Environment {
    Environment {
        name: name.parse().unwrap(),
        kind: EnvironmentKind::Production,
        domain: domain.parse().unwrap(),
        header_key: header_key(name),
    }
}

/// A key of each environment's own.
pub(crate) fn header_key(environment: &str) -> Secret<[u8; 32]> {
    Secret::new(std::array::from_fn(|i| environment.as_bytes()[i % environment.len()]))
}

pub(crate) fn tenant_id(number: u8) -> String {
    format!("ten_{number:032x}")
}

pub(crate) fn route(number: u8, slug: &str, environment: &str) -> Route {
    let database = format!("t_{number:032x}").parse().unwrap();
    let login = |level| ServerLogin {
        role: RoleName::of(&database, level),
        keys: LoginKeys { client_key: Secret::new([1; 32]), server_key: Secret::new([2; 32]) },
    };
    Route {
        tenant: tenant_id(number).parse().unwrap(),
        slug: slug.parse().unwrap(),
        environment: environment.parse().unwrap(),
        state: RouteState::Serving,
        epoch: 1,
        cluster: format!("clu_{number:032x}").parse().unwrap(),
        logins: Level::ALL.map(login).into(),
        next_logins: None,
        database,
        parameters: Box::new([]),
        limits: holm_core::limits::TenantLimits::default(),
        aliases: Box::new([]),
        placement: holm_core::placement::Placement::Withheld(holm_core::placement::Withheld::Unjudged),
    }
}

/// A client that sends exactly what it is told to.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
}

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        timeout(DEADLINE, self.stream.write_all(bytes.as_ref())).await.expect("the gateway takes bytes in time").unwrap();
    }

    /// Reads until what came ends in `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let byte = timeout(DEADLINE, self.stream.read_u8()).await;
            match byte {
                Ok(Ok(byte)) => text.push(byte),
                other => panic!("{other:?} instead of {end:?} after {:?}", String::from_utf8_lossy(&text)),
            }
        }
        String::from_utf8(text).unwrap()
    }

    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Reads until the gateway closes, cleanly or not.
    pub(crate) async fn rest(&mut self) -> String {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match timeout(DEADLINE, self.stream.read(&mut buffer)).await.expect("the gateway closes in time") {
                Ok(0) | Err(_) => return String::from_utf8_lossy(&text).into_owned(),
                Ok(length) => text.extend_from_slice(&buffer[..length]),
            }
        }
    }
}

/// Runs a function as an HTTP server for as long as the returned set lives.
pub(crate) async fn app<F, R>(handler: F) -> (SocketAddr, JoinSet<()>)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<AppBody>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let handler = handler.clone();
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let answer = handler(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                // An end that a client or a suspension brought about is what some tests are about.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
            });
        }
    });
    (address, tasks)
}

pub(crate) fn text(text: impl Into<Bytes>) -> AppBody {
    Full::new(text.into()).map_err(|never| match never {}).boxed()
}

/// An app that answers with what it saw: request line, header fields in alphabetical order, body, trailers.
pub(crate) async fn mirror(request: Request<Incoming>) -> Response<AppBody> {
    let (head, body) = request.into_parts();
    let target = head.uri.to_string();
    let mut lines: Vec<String> =
        head.headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))).collect();
    lines.sort();
    let signature = verdict(&head, &target);
    let collected = body.collect().await;
    let (content, trailers) = match collected {
        Ok(body) => {
            let trailers = body.trailers().cloned().unwrap_or_default();
            (String::from_utf8_lossy(&body.to_bytes()).into_owned(), format!("{trailers:?}"))
        }
        Err(error) => (format!("broken: {error}"), String::new()),
    };
    let text_seen =
        format!("saw {} {target}\n{}\nsignature {signature}\nbody {content}\ntrailers {trailers}\n", head.method, lines.join("\n"));
    Response::new(text(text_seen))
}

/// What an app that checks the signature makes of a request.
fn verdict(head: &http::request::Parts, target: &str) -> String {
    let field = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let environment = field("x-holm-environment");
    let claim = Claim {
        tenant: field("x-holm-tenant").parse().unwrap(),
        slug: &field("x-subdomain").parse().unwrap(),
        environment: &environment.parse().unwrap(),
        method: &head.method,
        target,
        host: field("host"),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let skew = Duration::from_secs(30);
    signature::verify(&header_key(environment), field("x-holm-signature"), &claim, now, skew)
        .map_or_else(|error| error.to_string(), |()| "good".to_owned())
}

/// A body of the frames that a stream gives.
pub(crate) fn streamed(frames: impl Stream<Item = std::io::Result<Frame<Bytes>>> + Send + Sync + 'static) -> AppBody {
    StreamBody::new(frames).boxed()
}
