//! Answers: REST under /v1, with its OpenAPI description.
//!
//! Promises: the description is made from the same routes that answer, so that they cannot drift; every answer has one
//! shape ([`envelope::Envelope`]); every error code has one status ([`status::status`]). Refuses to decide anything:
//! handlers read a request, call one function of the engine and show what it returned.

mod auth;
mod deadline;
mod description;
pub mod envelope;
mod extract;
mod metrics;
mod nearest;
mod nowhere;
mod page;
mod probe;
pub mod refusal;
mod resource;
pub mod serve;
mod shown;
pub mod status;
mod suggest;
pub mod view;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use holm_engine::control::Control;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// No request of the API needs more.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What an installation adds to the API.
#[derive(Clone)]
pub struct ApiConfig {
    /// Metrics of the other parts of the process, in Prometheus' text form; asked at every scrape.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { metrics: Arc::new(String::new) }
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
}

/// The whole API, ready to be served.
pub fn router(control: Control, config: ApiConfig) -> Router {
    let api = Api { control, config };
    let (signed_in, _) = signed_in_routes().split_for_parts();
    let (open, _) = open_routes().split_for_parts();
    let signed_in = signed_in.route_layer(middleware::from_fn_with_state(api.clone(), auth::require));
    signed_in
        .merge(open)
        .fallback(nowhere::path_not_found)
        .method_not_allowed_fallback(nowhere::method_not_allowed)
        .layer(middleware::from_fn_with_state(deadline::DEADLINE, deadline::hold))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api)
}

/// The description of the API, as `/openapi.json` gives it.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let described = OpenApiRouter::with_openapi(description::Frame::openapi()).merge(signed_in_routes()).merge(open_routes());
    described.into_openapi()
}

/// Routes that want a token.
fn signed_in_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(resource::environments::list))
        .routes(routes!(resource::clusters::list))
        .routes(routes!(resource::tenants::list, resource::tenants::create))
        .routes(routes!(resource::tenants::show))
        .routes(routes!(resource::tenants::suspend))
        .routes(routes!(resource::tenants::resume))
        .routes(routes!(resource::credentials::list, resource::credentials::create))
        .routes(routes!(resource::credentials::revoke))
        .routes(routes!(resource::doctor::examine))
}

/// Routes for load balancers, monitoring and people who read the description; they show no names of customers.
fn open_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(probe::alive))
        .routes(routes!(probe::ready))
        .routes(routes!(metrics::show))
        .routes(routes!(description::show))
}
