//! `/v1/environments/{environment}/copies`: copies of its data that Holm neither makes nor sees, as somebody registered them

use axum::extract::State;
use holm_core::access::Permission;
use holm_engine::residency::placed::Claim;
use holm_engine::residency::registered::{self, Wanted};

use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Created, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, EnvironmentPath, NoParams, Params, RegisteredPath};
use crate::view::ListView;
use crate::view::residency::record::{AddCopy, RegisteredCopyView};

/// Lists the copies that are registered in an environment, all at once
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/copies",
    operation_id = "list_copies",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment")),
    responses(
        (status = 200, description = "The copies", body = Envelope<ListView<RegisteredCopyView>>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Signed(caller): Signed,
    EnvironmentPath(environment): EnvironmentPath,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<ListView<RegisteredCopyView>> {
    auth::require_in(&api, &caller, Permission::ReadTenants, &environment).await?;
    let copies = registered::list(&api.control, &environment).await?;
    Ok(Data(ListView { items: copies.into_iter().map(Into::into).collect(), next: None }))
}

/// Registers a copy that every tenant of the environment has from then on; everything is judged anew
///
/// Refused where a profile that is used there denies it, or cannot say, unless `in_breach` says that it is there all the same.
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/copies",
    operation_id = "add_copy",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment")),
    request_body = AddCopy,
    responses(
        (status = 201, description = "It counts", body = Envelope<RegisteredCopyView>, headers(("Location" = String, description = "Its path"))),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn add(
    State(api): State<Api>,
    Signed(caller): Signed,
    EnvironmentPath(environment): EnvironmentPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<AddCopy>,
) -> Result<Created<RegisteredCopyView>, Refusal> {
    auth::require_in(&api, &caller, Permission::ManageResidency, &environment).await?;
    let AddCopy { role, name, provider, region, plan, evidence, key_holder, in_breach } = wanted;
    let claim = Claim { provider, region, plan, evidence };
    let wanted = Wanted { environment, role, name, claim, key_holder, in_breach };
    let kept = registered::register(&api.control, &caller.actor, wanted).await?;
    Ok(Created { location: format!("/v1/environments/{}/copies/{}", kept.environment, kept.copy), data: kept.into() })
}

/// Forgets a copy: it is nobody's any more; everything is judged anew
#[utoipa::path(
    delete,
    path = "/v1/environments/{environment}/copies/{copy}",
    operation_id = "remove_copy",
    tag = "residency",
    params(
        ("environment" = String, Path, description = "The environment"),
        ("copy" = String, Path, description = "What it is called among the copies of a tenant"),
    ),
    responses(
        (status = 200, description = "It counts no more", body = Envelope<RegisteredCopyView>),
        (status = 404, description = "No such environment, or no such copy", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn remove(
    State(api): State<Api>,
    Signed(caller): Signed,
    RegisteredPath { environment, copy }: RegisteredPath,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<RegisteredCopyView> {
    auth::require_in(&api, &caller, Permission::ManageResidency, &environment).await?;
    Ok(Data(registered::forget(&api.control, &caller.actor, &environment, &copy).await?.into()))
}
