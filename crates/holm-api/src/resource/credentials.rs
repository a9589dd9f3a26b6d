//! `/v1/environments/{environment}/credentials`

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use holm_core::credential::CredentialName;
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_engine::credential::rotate::{self, Rotation};
use holm_engine::credential::{self, CredentialScope, NewCredential};
use holm_store::page::Page;

use crate::Api;
use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Answer, Created, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, CredentialPath, EnvironmentPath, NoParams, Params};
use crate::page::PageParams;
use crate::view::{
    CreateCredential, CredentialView, IssuedCredentialView, ListView, RevokedCredentialView, RotateCredential, RotatedCredentialView,
};
use crate::{page, refusal, suggest};

/// Lists the credentials of an environment by name, without their secrets
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/credentials",
    operation_id = "list_credentials",
    tag = "credentials",
    params(("environment" = String, Path, description = "The environment's name"), PageParams),
    responses(
        (status = 200, description = "Some of them", body = Envelope<ListView<CredentialView>>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    EnvironmentPath(environment): EnvironmentPath,
    Params(params): Params<PageParams>,
) -> Answer<ListView<CredentialView>> {
    let page = Page { after: params.after::<CredentialName>()?, limit: params.limit()? };
    let credentials = credential::list(&api.control, &environment, &page).await.map_err(|problem| meant(&api, problem, &environment))?;
    let next = page::next(page.limit, credentials.len(), credentials.last().map(|credential| &credential.name));
    Ok(Data(ListView { items: credentials.into_iter().map(Into::into).collect(), next }))
}

/// Makes a credential; its secret is in the answer and nowhere else
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/credentials",
    operation_id = "create_credential",
    tag = "credentials",
    params(("environment" = String, Path, description = "The environment's name")),
    request_body = CreateCredential,
    responses(
        (status = 201, description = "It can be used", body = Envelope<IssuedCredentialView>, headers(("Location" = String, description = "Its path"))),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "The name is in use", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    Signed(caller): Signed,
    EnvironmentPath(environment): EnvironmentPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<CreateCredential>,
) -> Result<Created<IssuedCredentialView>, Refusal> {
    let new = new_credential(environment.clone(), wanted)?;
    let issued = credential::issue(&api.control, &caller.actor, new).await.map_err(|problem| meant(&api, problem, &environment))?;
    let credential = CredentialView::from(issued.credential);
    let location = format!("/v1/environments/{}/credentials/{}", credential.environment, credential.name);
    Ok(Created { location, data: IssuedCredentialView { credential, secret: issued.secret.expose().clone() } })
}

/// Gives a credential a new secret; the old one stays good until the overlap is over
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/credentials/{name}/rotate",
    operation_id = "rotate_credential",
    tag = "credentials",
    params(("environment" = String, Path, description = "The environment's name"), ("name" = String, Path, description = "The user name")),
    request_body = RotateCredential,
    responses(
        (status = 202, description = "Both secrets are good; the operation ends the old one", body = Envelope<RotatedCredentialView>, headers(("Location" = String, description = "The operation"))),
        (status = 404, description = "No such environment or credential", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It is being rotated already", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn rotate(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: CredentialPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<RotateCredential>,
) -> Result<Response, Refusal> {
    let CredentialPath { environment, name } = path;
    let overlap = wanted.overlap.as_deref().map_or(Ok(rotate::OVERLAP), |text| refusal::span("overlap", text))?;
    let begun = rotate::rotate(&api.control, &caller.actor, &environment, &name, overlap, None).await;
    let Rotation { operation, secret } = begun.map_err(|problem| meant(&api, problem, &environment))?;
    let headers = [(header::LOCATION, format!("/v1/operations/{operation}")), (header::CACHE_CONTROL, "no-store".to_owned())];
    let shown = RotatedCredentialView { name, environment, secret: secret.expose().clone(), operation };
    Ok((StatusCode::ACCEPTED, headers, Json(Envelope::success(shown).operation(operation))).into_response())
}

/// Ends a credential for good; sessions that were opened with it are closed
#[utoipa::path(
    delete,
    path = "/v1/environments/{environment}/credentials/{name}",
    operation_id = "revoke_credential",
    tag = "credentials",
    params(("environment" = String, Path, description = "The environment's name"), ("name" = String, Path, description = "The user name")),
    responses(
        (status = 200, description = "It is revoked, on every node of the data plane", body = Envelope<RevokedCredentialView>),
        (status = 404, description = "No such environment or credential", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn revoke(
    State(api): State<Api>,
    Signed(caller): Signed,
    path: CredentialPath,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<RevokedCredentialView> {
    let CredentialPath { environment, name } = path;
    credential::revoke(&api.control, &caller.actor, &environment, &name).await.map_err(|problem| meant(&api, problem, &environment))?;
    Ok(Data(RevokedCredentialView { name, environment }))
}

fn new_credential(environment: EnvironmentName, wanted: CreateCredential) -> Result<NewCredential, Problem> {
    let scope = match wanted.tenant {
        None => CredentialScope::App,
        Some(slug) => CredentialScope::Tenant(refusal::slug(&slug)?),
    };
    let name = refusal::value("credential's name", &wanted.name)?;
    Ok(NewCredential { environment, name, scope, level: refusal::level(&wanted.level)?, secret: None })
}

fn meant(api: &Api, problem: Problem, environment: &EnvironmentName) -> Problem {
    suggest::add(problem, &api.control.publisher().table(), environment, None)
}
