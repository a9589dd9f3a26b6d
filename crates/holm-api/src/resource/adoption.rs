//! `/v1/environments/{environment}/tenants/{slug}/adopt`

use axum::extract::State;
use holm_core::secret::Secret;
use holm_engine::cluster::url::{Beside, ServerUrl};
use holm_engine::tenant::adopt::{self, NewAdoption};

use super::residency;
use crate::Api;
use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Accepted, Envelope, Failure, Refusal};
use crate::extract::{Body, NoParams, Params, TenantPath};
use crate::refusal;
use crate::view::cluster::AdoptTenant;
use crate::view::operation::OperationView;

/// Makes a database that exists a tenant's, without a change to it
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants/{slug}/adopt",
    operation_id = "adopt_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    request_body = AdoptTenant,
    responses(
        (status = 202, description = "It is being adopted", body = Envelope<OperationView>, headers(("Location" = String, description = "The operation"))),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "The name, the database or its server is in use", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        (status = 422, description = "The database cannot be adopted", body = Failure, content_type = "application/problem+json"),
        (status = 502, description = "The server refused", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn adopt(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<AdoptTenant>,
) -> Result<Accepted, Refusal> {
    let TenantPath { environment, slug } = path;
    let beside = Beside {
        password: wanted.password.map(Secret::new),
        sslmode: wanted.sslmode,
        ssl_root_cert: wanted.ssl_root_cert,
        client_cert: wanted.client_cert,
        client_key: wanted.client_key.map(Secret::new),
    };
    let url = ServerUrl::read(&Secret::new(wanted.url), &beside)?;
    let cluster = wanted.cluster.map(|name| refusal::value("cluster's name", &name)).transpose()?;
    residency::may_choose(&api, &caller, &environment, wanted.profile.as_deref()).await?;
    let new = NewAdoption { environment, slug, url, cluster, claim: wanted.place.map(Into::into), profile: wanted.profile };
    let begun = adopt::adopt(&api.control, &caller.actor, new, None).await?;
    Accepted::of(&api.control, begun).await
}
