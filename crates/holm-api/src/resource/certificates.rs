//! `/v1/environments/{environment}/tenants/{slug}/certificate`

use axum::extract::State;
use holm_engine::residency::certified;

use crate::Api;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{NoParams, Params, TenantPath};
use crate::view::certificate::CertificateView;

/// Shows the placement certificate that a tenant's sessions are served under
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/tenants/{slug}/certificate",
    operation_id = "show_certificate",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    responses(
        (status = 200, description = "As the data plane has it", body = Envelope<CertificateView>),
        (status = 404, description = "No such environment or tenant, or nobody is let in to it", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(State(api): State<Api>, path: TenantPath, Params(NoParams {}): Params<NoParams>) -> Answer<CertificateView> {
    Ok(Data(certified::of(&api.control, &path.environment, &path.slug).await?.into()))
}
