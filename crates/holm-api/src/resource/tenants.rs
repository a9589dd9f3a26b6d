//! `/v1/environments/{environment}/tenants`

use std::time::Duration;

use axum::extract::State;
use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::parameter::TenantParameter;
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use holm_engine::tenant::{self, NewTenant, delete, pause};
use holm_store::page::Page;
use holm_store::tenant::version::TenantVersion;
use serde::Deserialize;
use utoipa::IntoParams;

use super::residency;
use crate::Api;
use crate::auth::Signed;
use crate::deadline::WAIT_MAX;
use crate::description::{Begun, Refusals};
use crate::envelope::{Accepted, Answer, Created, Data, Envelope, Failure, Refusal};
use crate::etag::{self, IfMatch, Tagged};
use crate::extract::{Body, EnvironmentPath, NoParams, Params, TenantPath};
use crate::page::PageParams;
use crate::view::{CreateTenant, ListView, TenantView};
use crate::{page, refusal, suggest};

/// Long enough for a database that must be made first, which takes about 3 s, and for most transactions.
const WAIT_DEFAULT: Duration = Duration::from_secs(30);

/// How long to wait.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitParams {
    /// Seconds to wait until the tenant can be used: 1 to 60, 30 when absent. It is made all the same when they are over.
    #[param(minimum = 1, maximum = 60)]
    wait: Option<u64>,
}

/// Lists the tenants of an environment by name
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/tenants",
    operation_id = "list_tenants",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), PageParams),
    responses(
        (status = 200, description = "Some of them", body = Envelope<ListView<TenantView>>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    EnvironmentPath(environment): EnvironmentPath,
    Params(params): Params<PageParams>,
) -> Answer<ListView<TenantView>> {
    let limit = params.limit()?;
    let after = params.after::<TenantSlug>()?.map(|slug| (environment.clone(), slug));
    let listed = tenant::list(&api.control, Some(&environment), Page { after, limit }).await;
    let tenants = listed.map_err(|problem| meant(&api, problem, &environment, None))?;
    let next = page::next(limit, tenants.len(), tenants.last().map(|tenant| &tenant.slug));
    Ok(Data(ListView { items: tenants.into_iter().map(Into::into).collect(), next }))
}

/// Makes a tenant and waits until it can be used
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants",
    operation_id = "create_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), WaitParams),
    request_body = CreateTenant,
    responses(
        (status = 201, description = "It can be used", body = Envelope<TenantView>, headers(("Location" = String, description = "Its path"))),
        (status = 404, description = "No such environment, cluster or profile", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "The name is in use", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        (status = 422, description = "Its migrations or its seed failed", body = Failure, content_type = "application/problem+json"),
        (status = 507, description = "The cluster is full", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Signed(caller): Signed,
    EnvironmentPath(environment): EnvironmentPath,
    Params(WaitParams { wait }): Params<WaitParams>,
    Body(wanted): Body<CreateTenant>,
) -> Result<Created<TenantView>, Refusal> {
    let patience = patience(wait)?;
    residency::may_choose(&api, &caller, &environment, wanted.profile.as_deref()).await?;
    let new = new_tenant(environment.clone(), wanted)?;
    let created =
        tenant::create(&api.control, &caller.actor, new, patience).await.map_err(|problem| meant(&api, problem, &environment, None))?;
    let location = format!("/v1/environments/{}/tenants/{}", created.environment, created.slug);
    Ok(Created { location, data: created.into() })
}

/// Shows a tenant
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/tenants/{slug}",
    operation_id = "show_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    responses(
        (status = 200, description = "The tenant", body = Envelope<TenantView>, headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 304, description = "It is still what `If-None-Match` says"),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Tagged<TenantView>, Refusal> {
    let TenantPath { environment, slug } = path;
    let shown = tenant::show(&api.control, &environment, &slug).await;
    let shown = shown.map_err(|problem| meant(&api, problem, &environment, Some(&slug)))?;
    let id = shown.id;
    let waits = shown.state == TenantState::Creating && shown.database.is_none();
    let is_placed = waits && (shown.profile.is_some() || shown.near.is_some());
    let mut tagged = etag::tenant(shown);
    if is_placed {
        // No part of the tag: nobody changed the tenant.
        let barred = tenant::waiting::barred(&api.control).await?;
        tagged.data.waits_for = barred.into_iter().find(|barred| barred.tenant.tenant == id).map(|barred| barred.why);
    }
    Ok(tagged)
}

/// Lets no session in any more and closes those that are open
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants/{slug}/suspend",
    operation_id = "suspend_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    responses(
        (status = 200, description = "It is suspended, on every node of the data plane", body = Envelope<TenantView>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It is not in a state in which that can be done", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "It was changed since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn suspend(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
    IfMatch(seen): IfMatch<TenantVersion>,
) -> Result<Tagged<TenantView>, Refusal> {
    let TenantPath { environment, slug } = path;
    let suspended = tenant::suspend_at(&api.control, &caller.actor, &environment, &slug, seen).await;
    Ok(etag::tenant(suspended.map_err(|problem| meant(&api, problem, &environment, Some(&slug)))?))
}

/// How long to wait until nothing of it is under way.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PauseParams {
    /// Seconds: 1 to 60, 30 when absent. It is paused all the same when they are over.
    #[param(minimum = 1, maximum = 60)]
    wait: Option<u64>,
}

/// Has transactions wait until it is resumed, and waits until none is under way
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants/{slug}/pause",
    operation_id = "pause_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name"), PauseParams),
    responses(
        (status = 200, description = "It is paused on every node of the data plane, and no session of it is on its server", body = Envelope<TenantView>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It is not in a state in which that can be done", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "It was changed since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn pause(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(PauseParams { wait }): Params<PauseParams>,
    IfMatch(seen): IfMatch<TenantVersion>,
) -> Result<Tagged<TenantView>, Refusal> {
    let TenantPath { environment, slug } = path;
    let paused = pause::pause_at(&api.control, &caller.actor, &environment, &slug, patience(wait)?, seen).await;
    Ok(etag::tenant(paused.map_err(|problem| meant(&api, problem, &environment, Some(&slug)))?))
}

/// Lets sessions in again, and transactions go on
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants/{slug}/resume",
    operation_id = "resume_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    responses(
        (status = 200, description = "It is in use again", body = Envelope<TenantView>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It is not in a state in which that can be done", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "It was changed since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn resume(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
    IfMatch(seen): IfMatch<TenantVersion>,
) -> Result<Tagged<TenantView>, Refusal> {
    let TenantPath { environment, slug } = path;
    let resumed = tenant::resume_at(&api.control, &caller.actor, &environment, &slug, seen).await;
    Ok(etag::tenant(resumed.map_err(|problem| meant(&api, problem, &environment, Some(&slug)))?))
}

/// What a deletion is told.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteParams {
    /// How long it can be brought back: `30d` when absent, `0` for not at all, a year at the most.
    #[param(example = "30d")]
    grace: Option<String>,
    /// Why; kept with the operation.
    reason: Option<String>,
}

/// Closes a tenant at once, and drops it with all that it has when its grace period is over
#[utoipa::path(
    delete,
    path = "/v1/environments/{environment}/tenants/{slug}",
    operation_id = "delete_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name"), DeleteParams),
    responses(
        Begun,
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It is not in a state in which that can be done, or another operation is at work on it", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "It was changed since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(DeleteParams { grace, reason }): Params<DeleteParams>,
    IfMatch(seen): IfMatch<TenantVersion>,
) -> Result<Accepted, Refusal> {
    let TenantPath { environment, slug } = path;
    let grace = grace.map_or(Ok(delete::GRACE), |text| refusal::span("grace period", &text))?;
    let reason = reason.as_deref().map(refusal::reason).transpose()?;
    let begun = delete::delete_at(&api.control, &caller.actor, &environment, &slug, grace, reason, seen).await;
    let id = begun.map_err(|problem| meant(&api, problem, &environment, Some(&slug)))?;
    Accepted::of(&api.control, id).await
}

/// Brings a deleted tenant back as it was, as long as its grace period is not over
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/tenants/{slug}/undelete",
    operation_id = "undelete_tenant",
    tag = "tenants",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    responses(
        (status = 200, description = "It is back, on every node of the data plane", body = Envelope<TenantView>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It is not deleted, or it is too late", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "It was changed since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn undelete(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: TenantPath,
    Params(NoParams {}): Params<NoParams>,
    IfMatch(seen): IfMatch<TenantVersion>,
) -> Result<Tagged<TenantView>, Refusal> {
    let TenantPath { environment, slug } = path;
    let back = delete::undelete_at(&api.control, &caller.actor, &environment, &slug, seen).await;
    Ok(etag::tenant(back.map_err(|problem| meant(&api, problem, &environment, Some(&slug)))?))
}

fn patience(wait: Option<u64>) -> Result<Duration, Problem> {
    let patience = wait.map_or(WAIT_DEFAULT, Duration::from_secs);
    if (Duration::from_secs(1)..=WAIT_MAX).contains(&patience) {
        return Ok(patience);
    }
    Err(Problem::new(ErrorCode::InvalidValue, format!("`wait={}` is not 1 to {} seconds", patience.as_secs(), WAIT_MAX.as_secs())))
}

fn new_tenant(environment: EnvironmentName, wanted: CreateTenant) -> Result<NewTenant, Problem> {
    let cluster: Option<ClusterName> = wanted.cluster.map(|name| refusal::value("cluster's name", &name)).transpose()?;
    let parameters = wanted.parameters.iter().map(|(name, value)| TenantParameter::new(name, value)).collect::<Result<Vec<_>, _>>();
    let parameters = parameters.map_err(|error| Problem::new(ErrorCode::InvalidValue, "a parameter cannot be used").because(error))?;
    let ttl = wanted.ttl.as_deref().map(|text| refusal::span("time to live", text)).transpose()?;
    Ok(NewTenant { environment, slug: refusal::slug(&wanted.slug)?, cluster, parameters, ttl, profile: wanted.profile, near: wanted.near })
}

fn meant(api: &Api, problem: Problem, environment: &EnvironmentName, slug: Option<&TenantSlug>) -> Problem {
    suggest::add(problem, &api.control.publisher().table(), environment, slug)
}
