//! `/v1/doctor`

use axum::extract::State;
use holm_engine::doctor;

use crate::Api;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope};
use crate::extract::{NoParams, Params};
use crate::view::{FindingView, ListView};

/// Looks at the catalog, the clusters and the data plane, and says what is wrong
#[utoipa::path(
    get,
    path = "/v1/doctor",
    operation_id = "examine",
    tag = "health",
    responses((status = 200, description = "What was found, good or bad", body = Envelope<ListView<FindingView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn examine(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<FindingView>> {
    let findings = doctor::examine(&api.control).await;
    Ok(Data(ListView { items: findings.into_iter().map(Into::into).collect(), next: None }))
}
