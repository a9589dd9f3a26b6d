//! `/v1/clusters/{name}/breach-scope`

use axum::extract::State;
use holm_core::access::Permission;
use holm_engine::residency::breach_scope;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{ClusterNamePath, Params};
use crate::page::{self, PageParams};
use crate::view::surveys::BreachScopeView;

/// Since when.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BreachScopeParams {
    /// Since when somebody knows of it; the answer then says when 72 hours are over.
    #[param(value_type = Option<String>, format = DateTime)]
    known_since: Option<Timestamp>,
    /// How many tenants at the most: 1 to 1000, 100 when absent. The counts are of all.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the part before.
    cursor: Option<String>,
}

/// Says whose data is on a server, which copies, in which countries
#[utoipa::path(
    get,
    path = "/v1/clusters/{name}/breach-scope",
    operation_id = "show_breach_scope",
    tag = "residency",
    params(("name" = String, Path, description = "The cluster's name"), BreachScopeParams),
    responses(
        (status = 200, description = "What is there", body = Envelope<BreachScopeView>),
        (status = 404, description = "No such cluster", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    Signed(caller): Signed,
    ClusterNamePath(name): ClusterNamePath,
    Params(BreachScopeParams { known_since, limit, cursor }): Params<BreachScopeParams>,
) -> Answer<BreachScopeView> {
    let environment = breach_scope::environment_of(&api.control, &name).await?;
    auth::require_in(&api, &caller, Permission::ReadTenants, &environment).await?;
    let mut scope: BreachScopeView = breach_scope::breach_scope(&api.control, &name, known_since).await?.into();
    (scope.tenants, scope.next) = page::part(&PageParams::new(limit, cursor), scope.tenants, |one| &one.tenant)?;
    Ok(Data(scope))
}
