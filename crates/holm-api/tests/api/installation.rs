//! A small installation behind a real listener: one PostgreSQL that is both catalog and cluster, two environments, a token.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use holm_api::ApiConfig;
use holm_api::rate::Rate;
use holm_core::actor::{Actor, SystemActor};
use holm_core::environment::EnvironmentKind;
use holm_core::secret::Secret;
use holm_engine::access::bootstrap;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::control::{Control, ControlConfig};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::secret::master_key::MasterKey;
use holm_store::catalog::Catalog;
use holm_testkit::{TestServer, new_server};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "a-token-of-this-test-0123456789";

pub(crate) struct Installation {
    /// Its own, where it has a cluster.
    pub(crate) server: Option<TestServer>,
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) task: tokio::task::JoinHandle<()>,
    pub(crate) control: Control,
    /// The name of its catalog.
    pub(crate) catalog: String,
    http: reqwest::Client,
}

impl Installation {
    /// Two environments and one cluster in `production`, on a server of its own that has the catalog too.
    pub(crate) async fn start() -> Self {
        Self::start_with(config()).await
    }

    /// The same, with limits of the test's choice.
    pub(crate) async fn start_with(config: ApiConfig) -> Self {
        let server = new_server(&[]).await;
        let control = control(&server, "holm_catalog").await;
        cluster::register(&control, &Actor::system(SystemActor::Dev), new_cluster(&server)).await.unwrap();
        Self::listening(Some(server), control, "holm_catalog".to_owned(), config).await
    }

    /// Two environments and no cluster: for what is refused before one is asked.
    pub(crate) async fn without_cluster() -> Self {
        Self::without_cluster_with(config()).await
    }

    /// The same, with limits of the test's choice.
    pub(crate) async fn without_cluster_with(config: ApiConfig) -> Self {
        /// The server is everybody's.
        static CATALOGS: AtomicU32 = AtomicU32::new(0);
        let name = format!("catalog_{}", CATALOGS.fetch_add(1, Ordering::Relaxed));
        let control = control(holm_testkit::server().await, &name).await;
        Self::listening(None, control, name, config).await
    }

    async fn listening(server: Option<TestServer>, control: Control, catalog: String, config: ApiConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = holm_api::router(control.clone(), config);
        let stop = CancellationToken::new();
        let task = tokio::spawn(holm_api::serve::serve(listener, router, stop.clone()));
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { server, address, stop, task, control, catalog, http }
    }

    /// A session in the catalog, past Holm.
    pub(crate) async fn catalog(&self) -> tokio_postgres::Client {
        match &self.server {
            Some(server) => server.connect(&self.catalog).await,
            None => holm_testkit::server().await.connect(&self.catalog).await,
        }
    }

    /// A request without a token.
    pub(crate) fn unsigned(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address)).timeout(Duration::from_secs(70))
    }

    /// A request with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.unsigned(method, path).bearer_auth(TOKEN)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        read(self.request(Method::POST, path).json(&body).send().await.unwrap()).await
    }

    pub(crate) async fn create(&self, slug: &str) -> Value {
        let (status, answer) = self.post("/v1/environments/production/tenants?wait=60", serde_json::json!({ "slug": slug })).await;
        assert_eq!(status, 201, "{answer}");
        answer["data"].clone()
    }
}

/// Tests make more requests, and more wrong ones, than anybody else.
pub(crate) fn config() -> ApiConfig {
    let plenty = Rate { per_second: 10_000, burst: 10_000 };
    ApiConfig {
        metrics: std::sync::Arc::new(|| "holm_proxy_clients 7\n".to_owned()),
        token_rate: plenty,
        guess_rate: plenty,
        ..ApiConfig::default()
    }
}

/// A control plane on a catalog.
async fn opened(url: &str) -> Control {
    let catalog = Catalog::open(url, 8).unwrap();
    let _ = catalog.migrate().await.unwrap();
    let control = Control::open(ControlConfig::new(catalog, MasterKey::from_bytes([7; 32]), Default::default())).await.unwrap();
    control.start();
    control
}

/// A second control plane on the same catalog.
pub(crate) async fn another(holm: &Installation) -> Control {
    opened(&holm.server.as_ref().expect("one with a server of its own").url(&holm.catalog)).await
}

/// A control plane on a new catalog, with two environments and a token.
async fn control(server: &TestServer, catalog: &str) -> Control {
    let create = format!("CREATE DATABASE {catalog}");
    let close = format!("REVOKE CONNECT, TEMPORARY ON DATABASE {catalog} FROM PUBLIC");
    let postgres = server.connect("postgres").await;
    postgres.batch_execute(&create).await.unwrap();
    postgres.batch_execute(&close).await.unwrap();
    let control = opened(&server.url(catalog)).await;
    let by = bootstrap::ensure(&control, &"test".parse().unwrap(), Secret::new(TOKEN.to_owned())).await.unwrap();
    for (name, kind, domain) in
        [("production", EnvironmentKind::Production, "localhost"), ("staging", EnvironmentKind::Staging, "staging.localhost")]
    {
        let domain = domain.parse().unwrap();
        let new = NewEnvironment { name: name.parse().unwrap(), kind, domain, pool_size: 1, migrations: None, seed: None };
        environment::ensure(&control, &by, new).await.unwrap();
    }
    control
}

fn new_cluster(server: &TestServer) -> NewCluster {
    NewCluster {
        name: "production-1".parse().unwrap(),
        environment: "production".parse().unwrap(),
        address: server.address.clone(),
        admin_role: server.superuser.clone(),
        admin_password: server.password.clone(),
        connections_max: None,
    }
}

/// The published description.
pub(crate) fn description() -> &'static Value {
    static DESCRIPTION: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| serde_json::to_value(holm_api::openapi()).unwrap());
    &DESCRIPTION
}

/// Status and envelope; every answer of the API has one, and says which shape it has.
pub(crate) async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let path = response.url().path().to_owned();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let text = response.text().await.unwrap();
    let envelope: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {error}: {text}"));
    let members: Vec<&String> = envelope.as_object().unwrap().keys().collect();
    let succeeded = (200..300).contains(&status);
    if succeeded {
        assert_eq!(members, ["data", "error", "ok", "operation"], "{text}");
    } else {
        assert_eq!(members, ["data", "detail", "error", "instance", "ok", "operation", "status", "title", "type"], "{text}");
        assert_eq!((&envelope["status"], &envelope["instance"]), (&status.into(), &path.into()), "{text}");
        assert_eq!(envelope["type"], format!("/errors/{}", envelope["error"]["code"].as_str().unwrap()));
        let faults = holm_testkit::json_schema::faults(description(), &description()["components"]["schemas"]["Failure"], &envelope);
        assert!(faults.is_empty(), "{faults:#?}\n{text}");
    }
    assert_eq!(envelope["ok"], succeeded, "{status} {text}");
    assert_eq!((envelope["data"].is_null(), envelope["error"].is_null()), (!succeeded, succeeded), "{text}");
    assert_eq!(kind, if succeeded { "application/json" } else { "application/problem+json" });
    (status, envelope)
}
