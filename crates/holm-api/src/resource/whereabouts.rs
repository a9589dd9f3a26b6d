//! `/v1/environments/{environment}/tenants/{slug}/where`

use axum::extract::State;
use holm_engine::residency::answer;

use crate::Api;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{NoParams, Params, TenantPath};
use crate::view::ListView;
use crate::view::answers::WhereView;

/// Says where every copy of a tenant's data is, and by whose word
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/tenants/{slug}/where",
    operation_id = "show_whereabouts",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    responses(
        (status = 200, description = "Every copy; none, while the tenant has no database", body = Envelope<ListView<WhereView>>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(State(api): State<Api>, path: TenantPath, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<WhereView>> {
    let (_, copies) = answer::whereabouts(&api.control, &path.environment, &path.slug).await?;
    Ok(Data(ListView { items: copies.into_iter().map(Into::into).collect(), next: None }))
}
