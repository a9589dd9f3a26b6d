//! `/healthz` and `/readyz`: whether to restart this process, and whether to send it requests.

use std::time::Duration;

use axum::extract::State;
use holm_core::error::{ErrorCode, Problem};
use holm_engine::environment;

use crate::Api;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{NoParams, Params};
use crate::view::ProbeView;

/// Shorter than the timeout of most probes, so that they get the reason.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the process runs
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    tag = "health",
    responses(
        (status = 200, description = "It runs", body = Envelope<ProbeView>),
        (status = 400, description = "There are no parameters", body = Failure, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn alive(Params(NoParams {}): Params<NoParams>) -> Answer<ProbeView> {
    Ok(Data(view("alive")))
}

/// Whether the catalog answers
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "health",
    responses(
        (status = 200, description = "It does", body = Envelope<ProbeView>),
        (status = 400, description = "There are no parameters", body = Failure, content_type = "application/problem+json"),
        (status = 503, description = "It does not; tenants are served all the same", body = Failure, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn ready(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ProbeView> {
    if api.config.draining.is_cancelled() {
        return Err(stopping().into());
    }
    let answered = tokio::time::timeout(PATIENCE, environment::list(&api.control)).await;
    let silent = || Problem::new(ErrorCode::CatalogUnavailable, format!("the catalog has not answered within {} s", PATIENCE.as_secs()));
    answered.map_err(|_| silent())??;
    Ok(Data(view("ready")))
}

pub(crate) fn stopping() -> Problem {
    Problem::new(ErrorCode::ShuttingDown, "this process is about to stop").next("send requests to another")
}

pub(crate) fn view(status: &str) -> ProbeView {
    ProbeView { status: status.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}
