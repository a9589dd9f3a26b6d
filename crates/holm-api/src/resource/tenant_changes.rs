//! `/v1/environments/{environment}/tenants/{slug}/rename`, `/copy`, `/extend`, `/limits` and `/rotate-roles`

use axum::extract::State;
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::limits::LimitsChange;
use holm_core::slug::TenantSlug;
use holm_engine::tenant::copy::{self, NewTenantCopy};
use holm_engine::tenant::extend;
use holm_engine::tenant::limits;
use holm_engine::tenant::rename::{self, NewName};
use holm_engine::tenant::rotate_roles;
use holm_store::tenant::version::TenantVersion;

use crate::auth::Signed;
use crate::description::{Begun, Refusals};
use crate::envelope::{Accepted, Answer, Data, Envelope, Failure, Refusal};
use crate::etag::{self, IfMatch, Tagged};
use crate::extract::{Body, NoParams, Params, TenantPath};
use crate::view::{CopyTenant, ExtendTenant, LimitTenant, RenameTenant, TenantView};
use crate::{Api, refusal, suggest};

/// Gives a tenant another name; the old one is kept for it for a while, and leads there
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants/{slug}/rename",
    operation_id = "rename_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    request_body = RenameTenant,
    responses(
        Begun,
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "The name is in use or kept for another tenant, or the tenant cannot be renamed now", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "The tenant was changed since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn rename(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
    IfMatch(seen): IfMatch<TenantVersion>,
    Body(wanted): Body<RenameTenant>,
) -> Result<Accepted, Refusal> {
    let TenantPath { environment, slug } = path;
    let grace = wanted.grace.as_deref().map_or(Ok(rename::GRACE), |text| refusal::span("grace period", text))?;
    let reason = wanted.reason.as_deref().map(refusal::reason).transpose()?;
    let new = NewName { to: refusal::slug(&wanted.to)?, grace, reason };
    let begun = rename::rename_at(&api.control, &caller.actor, &environment, &slug, new, seen).await;
    let id = begun.map_err(|problem| meant(&api, problem, &environment, &slug))?;
    Accepted::of(&api.control, id).await
}

/// Gives the roles of a tenant's database new passwords while it is in use
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants/{slug}/rotate-roles",
    operation_id = "rotate_tenant_roles",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    responses(
        Begun,
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It is not in use, its roles are not Holm's, or another operation is at work on it", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "The tenant was changed since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn rotate(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
    IfMatch(seen): IfMatch<TenantVersion>,
) -> Result<Accepted, Refusal> {
    let TenantPath { environment, slug } = path;
    let begun = rotate_roles::rotate_roles_at(&api.control, &caller.actor, &environment, &slug, seen).await;
    let id = begun.map_err(|problem| meant(&api, problem, &environment, &slug))?;
    Accepted::of(&api.control, id).await
}

/// Makes a new tenant with the content of another one, which stays in use
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants/{slug}/copy",
    operation_id = "copy_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The name of the tenant that is copied")),
    request_body = CopyTenant,
    responses(
        Begun,
        (status = 404, description = "No such environment, tenant or cluster", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "The name is in use or kept for another tenant, the cluster is another environment's, or the tenant cannot be copied now", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "The tenant was changed since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        (status = 422, description = "The cluster cannot take the content", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn copy(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
    IfMatch(seen): IfMatch<TenantVersion>,
    Body(wanted): Body<CopyTenant>,
) -> Result<Accepted, Refusal> {
    let TenantPath { environment, slug } = path;
    let new = NewTenantCopy {
        slug: refusal::slug(&wanted.slug)?,
        cluster: wanted.cluster.as_deref().map(|name| refusal::value("cluster's name", name)).transpose()?,
        ttl: wanted.ttl.as_deref().map(|text| refusal::span("time to live", text)).transpose()?,
        reason: wanted.reason.as_deref().map(refusal::reason).transpose()?,
    };
    let begun = copy::copy_at(&api.control, &caller.actor, &environment, &slug, new, seen).await;
    let id = begun.map_err(|problem| meant(&api, problem, &environment, &slug))?;
    Accepted::of(&api.control, id).await
}

/// Lets a tenant that ends by itself live for so long from now on
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants/{slug}/extend",
    operation_id = "extend_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    request_body = ExtendTenant,
    responses(
        (status = 200, description = "It ends then", body = Envelope<TenantView>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It has no end", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "The tenant was changed since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn extend(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
    IfMatch(seen): IfMatch<TenantVersion>,
    Body(wanted): Body<ExtendTenant>,
) -> Answer<TenantView> {
    let TenantPath { environment, slug } = path;
    let ttl = refusal::span("time to live", &wanted.ttl)?;
    let extended = extend::extend_at(&api.control, &caller.actor, &environment, &slug, ttl, seen).await;
    Ok(Data(extended.map_err(|problem| meant(&api, problem, &environment, &slug))?.into()))
}

/// Changes how many of its cluster's connections a tenant may have, while it is in use
#[utoipa::path(
    patch,
    path = "/v1/environments/{environment}/tenants/{slug}/limits",
    operation_id = "limit_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    request_body = LimitTenant,
    responses(
        (status = 200, description = "The data plane goes by them", body = Envelope<TenantView>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It is not in a state in which that can be done", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "The tenant was changed since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        (status = 507, description = "The cluster has no room for the minimum", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn limit(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
    IfMatch(seen): IfMatch<TenantVersion>,
    Body(wanted): Body<LimitTenant>,
) -> Result<Tagged<TenantView>, Refusal> {
    let TenantPath { environment, slug } = path;
    let LimitTenant { reset, min, max, weight } = wanted;
    let change = LimitsChange { reset, min, max, weight };
    let limited = limits::limit_at(&api.control, &caller.actor, &environment, &slug, change, seen).await;
    Ok(etag::tenant(limited.map_err(|problem| meant(&api, problem, &environment, &slug))?))
}

fn meant(api: &Api, problem: Problem, environment: &EnvironmentName, slug: &TenantSlug) -> Problem {
    suggest::add(problem, &api.control.publisher().table(), environment, Some(slug))
}
