//! `/v1/environments/{environment}/tenants`

use std::time::Duration;

use axum::extract::State;
use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::parameter::TenantParameter;
use holm_core::slug::TenantSlug;
use holm_engine::tenant::{self, NewTenant};
use holm_store::page::Page;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Api;
use crate::deadline::WAIT_MAX;
use crate::description::Refusals;
use crate::envelope::{Answer, Created, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, EnvironmentPath, NoParams, Params, TenantPath};
use crate::page::PageParams;
use crate::view::{CreateTenant, ListView, TenantView};
use crate::{page, refusal, suggest};

/// Long enough for a database that must be made first, which takes about 3 s.
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
        (status = 404, description = "No such environment or cluster", body = Failure, content_type = "application/problem+json"),
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
    EnvironmentPath(environment): EnvironmentPath,
    Params(WaitParams { wait }): Params<WaitParams>,
    Body(wanted): Body<CreateTenant>,
) -> Result<Created<TenantView>, Refusal> {
    let patience = patience(wait)?;
    let new = new_tenant(environment.clone(), wanted)?;
    let created = tenant::create(&api.control, new, patience).await.map_err(|problem| meant(&api, problem, &environment, None))?;
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
        (status = 200, description = "The tenant", body = Envelope<TenantView>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(State(api): State<Api>, path: TenantPath, Params(NoParams {}): Params<NoParams>) -> Answer<TenantView> {
    let TenantPath { environment, slug } = path;
    let shown = tenant::show(&api.control, &environment, &slug).await;
    Ok(Data(shown.map_err(|problem| meant(&api, problem, &environment, Some(&slug)))?.into()))
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
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn suspend(State(api): State<Api>, path: TenantPath, Params(NoParams {}): Params<NoParams>) -> Answer<TenantView> {
    let TenantPath { environment, slug } = path;
    let suspended = tenant::suspend(&api.control, &environment, &slug).await;
    Ok(Data(suspended.map_err(|problem| meant(&api, problem, &environment, Some(&slug)))?.into()))
}

/// Lets sessions in again
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
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn resume(State(api): State<Api>, path: TenantPath, Params(NoParams {}): Params<NoParams>) -> Answer<TenantView> {
    let TenantPath { environment, slug } = path;
    let resumed = tenant::resume(&api.control, &environment, &slug).await;
    Ok(Data(resumed.map_err(|problem| meant(&api, problem, &environment, Some(&slug)))?.into()))
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
    Ok(NewTenant { environment, slug: refusal::slug(&wanted.slug)?, cluster, parameters })
}

fn meant(api: &Api, problem: Problem, environment: &EnvironmentName, slug: Option<&TenantSlug>) -> Problem {
    suggest::add(problem, &api.control.publisher().table(), environment, slug)
}
