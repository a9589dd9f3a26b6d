//! `/v1/environments/{environment}/tenants/{slug}/where`

use axum::extract::State;
use holm_engine::residency::answer;

use crate::Api;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{Params, TenantPath};
use crate::resource::as_of::AsOfParams;
use crate::view::answers::WhereaboutsView;

/// Says where every copy of a tenant's data is, and by whose word
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/tenants/{slug}/where",
    operation_id = "show_whereabouts",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name"), AsOfParams),
    responses(
        (status = 200, description = "Every copy; none, while the tenant has no database", body = Envelope<WhereaboutsView>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(State(api): State<Api>, path: TenantPath, Params(asked): Params<AsOfParams>) -> Answer<WhereaboutsView> {
    Ok(Data(answer::whereabouts_as_of(&api.control, &path.environment, &path.slug, asked.read()?).await?.into()))
}
