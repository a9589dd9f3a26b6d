//! What a process answers while it serves its tenants from its disk, and there is no catalog to ask anything.
//!
//! Promises: probes and metrics answer at once, and say that it is so; everything else is refused with the reason, whoever
//! asks, since nobody can be known. [`Answers`] puts the whole API in its place without a connection being closed.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use holm_core::error::Problem;
use holm_core::route::RouteTable;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::envelope::{self, Answer, Data, Refusal};
use crate::metrics;
use crate::probe;
use crate::resource::errors;
use crate::view::ProbeView;

/// What there is to say without a catalog.
#[derive(Clone)]
pub struct Alone {
    /// The routes that are served.
    pub routes: Arc<dyn Fn() -> Arc<RouteTable> + Send + Sync>,
    /// Metrics of the other parts of the process, as in [`ApiConfig`](crate::ApiConfig).
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Why nothing else is answered.
    pub why: Arc<dyn Fn() -> Problem + Send + Sync>,
    /// Cancelled when the process is about to stop.
    pub draining: CancellationToken,
    /// Whether the process is one that never answers more: then it is ready as it is, for those who look at `/readyz` to know
    /// whether it takes sessions.
    pub carries: bool,
}

impl fmt::Debug for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alone").finish_non_exhaustive()
    }
}

/// The little that is answered.
pub fn router(alone: Alone) -> Router {
    let ready = if alone.carries { get(ready) } else { get(refuse) };
    Router::new()
        .route("/healthz", get(probe::alive))
        // Where the API is expected, to send requests of it here is of no use.
        .route("/readyz", ready)
        .route("/metrics", get(show_metrics))
        .route("/errors/{code}", get(errors::show))
        .fallback(refuse)
        .layer(middleware::from_fn(envelope::name_instance))
        .with_state(alone)
}

async fn show_metrics(State(alone): State<Alone>) -> impl IntoResponse {
    let mut text = metrics::own(&(alone.routes)());
    text.push_str(&(alone.metrics)());
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
}

async fn ready(State(alone): State<Alone>) -> Answer<ProbeView> {
    if alone.draining.is_cancelled() { Err(probe::stopping().into()) } else { Ok(Data(probe::view("ready"))) }
}

async fn refuse(State(alone): State<Alone>) -> Refusal {
    if alone.draining.is_cancelled() {
        return Refusal(probe::stopping());
    }
    Refusal((alone.why)())
}

/// What a listener answers with; another may take its place at any moment, also for connections that are open.
#[derive(Clone, Debug)]
pub struct Answers(Arc<RwLock<Router>>);

impl Answers {
    /// Begins with a router.
    pub fn new(first: Router) -> Self {
        Self(Arc::new(RwLock::new(first)))
    }

    /// Answers every request from now on with another.
    pub fn replace(&self, next: Router) {
        // A router is assigned whole, whatever panicked elsewhere.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// A router that passes every request on to the one of the moment.
    pub fn router(&self) -> Router {
        Router::new().fallback(pass).with_state(self.clone())
    }

    fn current(&self) -> Router {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn pass(State(answers): State<Answers>, request: Request) -> Response {
    match answers.current().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
