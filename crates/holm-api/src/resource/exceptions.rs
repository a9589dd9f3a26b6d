//! `/v1/residency/exceptions` and those of one tenant: a rule that does not count for a copy, for a time

use axum::extract::State;
use holm_core::access::Permission;
use holm_engine::residency::exception::{self, Wanted};
use holm_engine::tenant;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::roles::environment;
use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Created, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, IdPath, NoParams, Params, TenantPath};
use crate::view::ListView;
use crate::view::residency::record::{ExceptionView, GrantException};

/// Of where.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExceptionParams {
    /// Only those of this environment.
    environment: Option<String>,
}

/// Lists the exceptions of environments that the caller may see, by tenant, ended ones too, all at once
#[utoipa::path(
    get,
    path = "/v1/residency/exceptions",
    operation_id = "list_exceptions",
    tag = "residency",
    params(ExceptionParams),
    responses(
        (status = 200, description = "The exceptions", body = Envelope<ListView<ExceptionView>>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(params): Params<ExceptionParams>,
) -> Answer<ListView<ExceptionView>> {
    let only = environment(params.environment.as_deref())?;
    if let Some(name) = &only {
        auth::require_in(&api, &caller, Permission::ReadTenants, name).await?;
        holm_engine::environment::show(&api.control, name).await?;
    }
    let mut listed = exception::list(&api.control).await?;
    listed.retain(|one| {
        only.as_ref().is_none_or(|only| *only == one.environment)
            && auth::may_see(&api, &caller, Permission::ReadTenants, Some(&one.environment))
    });
    Ok(Data(ListView { items: listed.into_iter().map(Into::into).collect(), next: None }))
}

/// Lists a tenant's exceptions, ended ones too, all at once
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/tenants/{slug}/exceptions",
    operation_id = "list_tenant_exceptions",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    responses(
        (status = 200, description = "The exceptions", body = Envelope<ListView<ExceptionView>>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn of_tenant(
    State(api): State<Api>,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<ListView<ExceptionView>> {
    let found = tenant::show(&api.control, &path.environment, &path.slug).await?;
    let listed = exception::list(&api.control).await?.into_iter().filter(|one| one.granted.exception.tenant == found.id);
    Ok(Data(ListView { items: listed.map(Into::into).collect(), next: None }))
}

/// Grants an exception; the tenant is judged anew
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants/{slug}/exceptions",
    operation_id = "grant_exception",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    request_body = GrantException,
    responses(
        (status = 201, description = "The rule does not count until then", body = Envelope<ExceptionView>, headers(("Location" = String, description = "Its path"))),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn grant(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<GrantException>,
) -> Result<Created<ExceptionView>, Refusal> {
    let GrantException { copy, rule, owner, reason, measure, until } = wanted;
    let wanted = Wanted { copy, rule, owner, reason, measure, until };
    let granted = exception::grant(&api.control, &caller.actor, &path.environment, &path.slug, wanted).await?;
    Ok(Created { location: format!("/v1/residency/exceptions/{}", granted.granted.exception.id), data: granted.into() })
}

/// Revokes an exception; the tenant is judged anew
#[utoipa::path(
    delete,
    path = "/v1/residency/exceptions/{id}",
    operation_id = "revoke_exception",
    tag = "residency",
    params(("id" = String, Path, description = "The exception's id")),
    responses(
        (status = 200, description = "The rule counts again", body = Envelope<ExceptionView>),
        (status = 404, description = "None that the caller may see", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn revoke(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    IdPath(id): IdPath<Uuid>,
) -> Answer<ExceptionView> {
    let found = exception::show(&api.control, id).await?;
    if !auth::may_see(&api, &caller, Permission::ReadTenants, Some(&found.environment)) {
        return Err(exception::not_found(id).into());
    }
    auth::require_in(&api, &caller, Permission::ManageResidency, &found.environment).await?;
    Ok(Data(exception::revoke(&api.control, &caller.actor, id).await?.into()))
}
