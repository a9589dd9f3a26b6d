//! Answers: REST under /v1, with its OpenAPI description.
//!
//! Promises: the description is made from the same routes that answer, so that they cannot drift; every answer has one
//! shape ([`envelope::Envelope`]); every error code has one status ([`status::status`]). Refuses to decide anything:
//! handlers read a request, call one function of the engine and show what it returned.

pub mod alone;
mod auth;
mod bodiless;
mod deadline;
mod description;
pub mod envelope;
mod etag;
mod extract;
mod guesses;
mod metrics;
mod nearest;
mod nowhere;
mod once;
pub mod page;
mod permissions;
mod probe;
pub mod rate;
pub mod refusal;
mod resource;
pub mod serve;
mod shown;
pub mod status;
mod suggest;
pub mod view;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use holm_core::environment::EnvironmentName;
use holm_core::id::TokenId;
use holm_engine::control::Control;
use holm_engine::idempotency;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use guesses::Guesses;
use rate::{Limiter, Rate};
pub use resource::usage::answering;
use view::usage::CarriedView;

/// No request of the API needs more.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Who uses a process: its tenants in an environment, so many at the most. Dropping the answer is safe: it only looks.
pub type UsageOf = Arc<dyn Fn(EnvironmentName, usize) -> Pin<Box<dyn Future<Output = Option<CarriedView>> + Send>> + Send + Sync>;

/// What an installation adds to the API.
#[derive(Clone)]
pub struct ApiConfig {
    /// Metrics of the other parts of the process, in Prometheus' text form; asked at every scrape.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Who uses this process, in one environment, at most so many tenants; nothing when it carries no sessions. Asked at every look.
    pub usage: UsageOf,
    /// How many requests a token may make.
    pub token_rate: Rate,
    /// How many wrong tokens may come from an address before it is held up.
    pub guess_rate: Rate,
    /// How long a request waits for the answer of the same one that is under way.
    pub same_request_patience: Duration,
    /// Cancelled when the process is about to stop: from then on it says that it is not ready.
    pub draining: CancellationToken,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            metrics: Arc::new(String::new),
            usage: Arc::new(|_, _| Box::pin(async { None })),
            same_request_patience: idempotency::PATIENCE,
            draining: CancellationToken::new(),
            // A person never gets there; a script that does is served on as fast as it may.
            token_rate: Rate { per_second: 50, burst: 200 },
            // A wrong token in a script is found out at leisure; 2^128 of them are not tried.
            guess_rate: Rate { per_second: 1, burst: 60 },
        }
    }
}

impl fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiConfig").finish_non_exhaustive()
    }
}

/// What handlers work with.
#[derive(Clone)]
struct Api {
    control: Control,
    config: ApiConfig,
    tokens: Arc<Limiter<TokenId>>,
    guesses: Arc<Guesses>,
    /// Journals that are being followed: each keeps a connection.
    followers: Arc<Semaphore>,
}

/// As many as leave most of the connections to others.
const FOLLOWERS_MAX: usize = 64;

/// The whole API, ready to be served.
pub fn router(control: Control, config: ApiConfig) -> Router {
    control.answers_with(answering(Arc::clone(&config.usage)));
    let (tokens, guesses) = (Arc::new(Limiter::new(config.token_rate)), Arc::new(Guesses::new(config.guess_rate)));
    let api = Api { control, config, tokens, guesses, followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)) };
    let (signed_in, _) = signed_in_routes().split_for_parts();
    let (open, _) = open_routes().split_for_parts();
    // From the inside out.
    let signed_in = signed_in
        .route_layer(middleware::from_fn(bodiless::refuse))
        .route_layer(middleware::from_fn(etag::refuse_unheeded))
        .route_layer(middleware::from_fn_with_state(api.clone(), once::once))
        .route_layer(middleware::from_fn(etag::not_modified))
        .route_layer(middleware::from_fn_with_state(api.clone(), auth::require))
        .route_layer(middleware::from_fn_with_state(api.clone(), guesses::hold));
    signed_in
        .merge(open)
        .fallback(nowhere::path_not_found)
        .method_not_allowed_fallback(nowhere::method_not_allowed)
        .layer(middleware::from_fn_with_state(deadline::DEADLINE, deadline::hold))
        .layer(middleware::from_fn(envelope::name_instance))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api)
}

/// The description of the API, as `/openapi.json` gives it.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let described = OpenApiRouter::with_openapi(description::Frame::openapi()).merge(signed_in_routes()).merge(open_routes());
    description::with_headers(described.into_openapi())
}

/// Routes that want a token.
fn signed_in_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(fleet_routes())
        .merge(residency_routes())
        .routes(routes!(resource::whoami::show))
        .routes(routes!(resource::environments::list))
        .routes(routes!(resource::environments::require_approval))
        .merge(cluster_routes())
        .routes(routes!(resource::tenants::list, resource::tenants::create))
        .routes(routes!(resource::tenants::show, resource::tenants::delete))
        .routes(routes!(resource::tenants::undelete))
        .routes(routes!(resource::adoption::adopt))
        .routes(routes!(resource::tenants::pause))
        .routes(routes!(resource::tenants::suspend))
        .routes(routes!(resource::tenants::resume))
        .routes(routes!(resource::tenant_changes::rename))
        .routes(routes!(resource::tenant_changes::rotate))
        .routes(routes!(resource::tenant_changes::copy))
        .routes(routes!(resource::tenant_changes::extend))
        .routes(routes!(resource::tenant_changes::limit))
        .routes(routes!(resource::credentials::list, resource::credentials::create))
        .routes(routes!(resource::credentials::revoke))
        .routes(routes!(resource::credentials::rotate))
        .routes(routes!(resource::principals::list, resource::principals::create))
        .routes(routes!(resource::principals::disable))
        .routes(routes!(resource::roles::list, resource::roles::grant, resource::roles::revoke))
        .routes(routes!(resource::tokens::list, resource::tokens::create))
        .routes(routes!(resource::tokens::revoke))
        .routes(routes!(resource::break_glass::list, resource::break_glass::open))
        .routes(routes!(resource::break_glass::close))
        .routes(routes!(resource::approvals::list, resource::approvals::request))
        .routes(routes!(resource::approvals::show))
        .routes(routes!(resource::approvals::approve))
        .routes(routes!(resource::approvals::reject))
        .routes(routes!(resource::audit::search))
        .routes(routes!(resource::audit::export))
        .routes(routes!(resource::audit::verify))
        .routes(routes!(resource::audit::checkpoint))
        // access: manage keys
        .routes(routes!(resource::keys::list))
        .routes(routes!(resource::keys::rotate))
        .routes(routes!(resource::keys::rewrap))
        .routes(routes!(resource::webhooks::list, resource::webhooks::create))
        .routes(routes!(resource::webhooks::delete))
        .routes(routes!(resource::webhooks::rotate))
        .routes(routes!(resource::webhooks::test))
        .routes(routes!(resource::webhooks::deliveries))
        .routes(routes!(resource::webhooks::replay))
        .routes(routes!(resource::doctor::examine))
        .routes(routes!(resource::nodes::list))
        .routes(routes!(resource::nodes::forget))
        .routes(routes!(resource::node_keys::list, resource::node_keys::add))
        .routes(routes!(resource::node_keys::remove))
        .routes(routes!(resource::operations::list))
        .routes(routes!(resource::operations::show))
        .routes(routes!(resource::events::list))
        .routes(routes!(resource::words::pause))
        .routes(routes!(resource::words::resume))
        .routes(routes!(resource::words::cancel))
        .routes(routes!(resource::words::retry))
        .routes(routes!(resource::words::proceed))
        .routes(routes!(resource::words::abandon))
}

/// Routes about servers; they want a token too.
fn cluster_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(resource::clusters::list))
        .routes(routes!(resource::clusters::show))
        .routes(routes!(resource::clusters::add))
        .routes(routes!(resource::clusters::set_server))
        .routes(routes!(resource::clusters::set_client_cert))
        .routes(routes!(resource::clusters::remove_client_cert))
        .routes(routes!(resource::clusters::drain))
        .routes(routes!(resource::clusters::rotate))
        .routes(routes!(resource::clusters::remove))
}

/// Routes about environments and all that is in them; they want a token too.
fn fleet_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(resource::parity::show))
        .routes(routes!(resource::parity::waive))
        .routes(routes!(resource::parity::list))
        .routes(routes!(resource::parity::revoke))
        .routes(routes!(resource::usage::show))
        .routes(routes!(resource::statistics::ask))
}

/// Routes about where data may lie and where it does; they want a token too.
fn residency_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(resource::residency::environment_profile))
        .routes(routes!(resource::residency::set_environment_profile))
        .routes(routes!(resource::residency::set_place))
        .routes(routes!(resource::residency::set_tenant_profile))
        .routes(routes!(resource::residency::profiles, resource::residency::add_profile))
        .routes(routes!(resource::whereabouts::show))
        .routes(routes!(resource::explanations::show))
        .routes(routes!(resource::explanations::decision))
        .routes(routes!(resource::certificates::show))
        .routes(routes!(resource::matrix::show))
        .routes(routes!(resource::places::find))
        .routes(routes!(resource::what_if::ask))
        .routes(routes!(resource::breach_scope::show))
        .routes(routes!(resource::reports::sub_processors))
        .routes(routes!(resource::reports::record))
        .routes(routes!(resource::facts::list, resource::facts::add))
        .routes(routes!(resource::facts::remove))
        .routes(routes!(resource::papers::list, resource::papers::add))
        .routes(routes!(resource::papers::remove))
        .routes(routes!(resource::copies::list, resource::copies::add))
        .routes(routes!(resource::copies::remove))
        .routes(routes!(resource::exceptions::list))
        .routes(routes!(resource::exceptions::revoke))
        .routes(routes!(resource::exceptions::of_tenant, resource::exceptions::grant))
}

/// Routes for load balancers, monitoring, people who read the description, and nodes whose word is sealed; they show nobody
/// else names of customers.
fn open_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(probe::alive))
        .routes(routes!(probe::ready))
        .routes(routes!(resource::node_keys::answer))
        .routes(routes!(metrics::show))
        .routes(routes!(resource::errors::show))
        .routes(routes!(description::show))
}
