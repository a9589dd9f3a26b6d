//! `/v1/environments`

use axum::extract::State;
use holm_core::access::Permission;
use holm_engine::environment;

use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope};
use crate::extract::{NoParams, Params};
use crate::view::{EnvironmentView, ListView};

/// Lists the environments that the caller may see, all at once
#[utoipa::path(
    get,
    path = "/v1/environments",
    operation_id = "list_environments",
    tag = "environments",
    responses((status = 200, description = "The environments", body = Envelope<ListView<EnvironmentView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<ListView<EnvironmentView>> {
    let environments = environment::list(&api.control).await?;
    let seen = environments.into_iter().filter(|known| auth::may_see(&api, &caller, Permission::ReadEnvironments, Some(&known.name)));
    Ok(Data(ListView { items: seen.map(Into::into).collect(), next: None }))
}
