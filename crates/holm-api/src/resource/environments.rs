//! `/v1/environments`

use axum::extract::State;
use holm_engine::environment;

use crate::Api;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope};
use crate::extract::{NoParams, Params};
use crate::view::{EnvironmentView, ListView};

/// Lists the environments, all at once
#[utoipa::path(
    get,
    path = "/v1/environments",
    operation_id = "list_environments",
    tag = "environments",
    responses((status = 200, description = "The environments", body = Envelope<ListView<EnvironmentView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<EnvironmentView>> {
    let environments = environment::list(&api.control).await?;
    Ok(Data(ListView { items: environments.into_iter().map(Into::into).collect(), next: None }))
}
