//! How a request is read: paths, query parameters and bodies, each refused by name when it is not understood.
//!
//! Promises: a parameter or field that does not exist is an error and never ignored, since an ignored one once gave write
//! access to somebody who had asked for read-only (supabase/mcp#212). Every refusal is in the envelope.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use holm_core::actor::PrincipalName;
use holm_core::cluster::ClusterName;
use holm_core::credential::CredentialName;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{MessageId, OperationId};
use holm_core::slug::TenantSlug;
use holm_core::webhook::WebhookName;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::envelope::Refusal;
use crate::refusal;

/// Query parameters; `NoParams` for a route that has none.
pub(crate) struct Params<T>(pub(crate) T);

/// A route without query parameters says so, and refuses any.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let Query(params) = Query::try_from_uri(&parts.uri).map_err(|rejection| {
            let why = rejection.body_text();
            let code = if why.contains("unknown field `") { ErrorCode::UnknownParameter } else { ErrorCode::InvalidValue };
            let why = why.strip_prefix("Failed to deserialize query string: ").unwrap_or(&why).to_owned();
            Problem::new(code, "a query parameter cannot be used").because(why).next("see `/openapi.json`")
        })?;
        Ok(Self(params))
    }
}

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if !is_json(&request) {
            let problem = Problem::new(ErrorCode::NotJson, "the body is not declared as JSON");
            return Err(problem.next("send the header `Content-Type: application/json`").into());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        // A list of values in the order of the fields would be read as well.
        if bytes.trim_ascii_start().first().is_some_and(|&first| first != b'{') {
            return Err(Problem::new(ErrorCode::MalformedRequest, "the body is not a JSON object").next("see `/openapi.json`").into());
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| unreadable(&error).into())
    }
}

/// A JSON body that may be left out, and is then the default.
pub(crate) struct MaybeBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await.map_err(unread)?;
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            return Ok(Self(T::default()));
        }
        Body::from_request(Request::from_parts(parts, bytes.into()), state).await.map(|Body(body)| Self(body))
    }
}

fn is_json(request: &Request) -> bool {
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    declared.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

pub(crate) fn unread(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(ErrorCode::BodyTooLarge, format!("the body is larger than {} bytes", crate::BODY_BYTES_MAX))
            .next("send only the fields in `/openapi.json`, which need far less")
    } else {
        Problem::new(ErrorCode::MalformedRequest, "the body cannot be read").because(rejection.body_text())
    }
}

fn unreadable(error: &serde_json::Error) -> Problem {
    let why = error.to_string();
    if !error.is_data() {
        return Problem::new(ErrorCode::MalformedRequest, "the body is not JSON").because(why);
    }
    let code = if why.starts_with("unknown field `") { ErrorCode::UnknownParameter } else { ErrorCode::InvalidValue };
    Problem::new(code, "a field of the body cannot be used").because(why).next("see `/openapi.json`")
}

/// `{environment}` of a path.
pub(crate) struct EnvironmentPath(pub(crate) EnvironmentName);

/// `{environment}` and `{slug}` of a path.
pub(crate) struct TenantPath {
    pub(crate) environment: EnvironmentName,
    pub(crate) slug: TenantSlug,
}

/// `{id}` of a path.
pub(crate) struct OperationPath(pub(crate) OperationId);

impl<S: Send + Sync> FromRequestParts<S> for OperationPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = path(parts, state).await?;
        let id = refusal::value("operation's id", segment(&path, "id")).map_err(|problem| problem.next("list them: `holm op list`"))?;
        Ok(Self(id))
    }
}

/// `{environment}` and `{name}` of a path.
pub(crate) struct CredentialPath {
    pub(crate) environment: EnvironmentName,
    pub(crate) name: CredentialName,
}

/// `{name}` of a path to a principal.
pub(crate) struct PrincipalPath(pub(crate) PrincipalName);

/// `{name}` of a path to what has a name.
pub(crate) struct NamePath<T>(pub(crate) T);

/// `{name}` and `{id}` of a path to a message.
pub(crate) struct MessagePath {
    pub(crate) webhook: WebhookName,
    pub(crate) id: MessageId,
}

/// `{id}` of a path.
pub(crate) struct IdPath<T>(pub(crate) T);

/// `{name}` of a path, which is a cluster's.
pub(crate) struct ClusterNamePath(pub(crate) ClusterName);

/// `{environment}` and `{name}` of a path, which is a cluster's.
pub(crate) struct ClusterPath {
    pub(crate) environment: EnvironmentName,
    pub(crate) name: ClusterName,
}

/// `{environment}` and `{copy}` of a path: whatever it is called, what is not there is not found.
pub(crate) struct RegisteredPath {
    pub(crate) environment: EnvironmentName,
    pub(crate) copy: String,
}

impl<S: Send + Sync> FromRequestParts<S> for RegisteredPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = path(parts, state).await?;
        Ok(Self { environment: refusal::environment(segment(&path, "environment"))?, copy: segment(&path, "copy").to_owned() })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PrincipalPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = path(parts, state).await?;
        Ok(Self(refusal::value("principal's name", segment(&path, "name"))?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClusterNamePath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = path(parts, state).await?;
        Ok(Self(refusal::value("cluster's name", segment(&path, "name"))?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClusterPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = path(parts, state).await?;
        let environment = refusal::environment(segment(&path, "environment"))?;
        Ok(Self { environment, name: refusal::value("cluster's name", segment(&path, "name"))? })
    }
}

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for IdPath<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = path(parts, state).await?;
        Ok(Self(refusal::value("id", segment(&path, "id"))?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for EnvironmentPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = path(parts, state).await?;
        Ok(Self(refusal::environment(segment(&path, "environment"))?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TenantPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = path(parts, state).await?;
        let environment = refusal::environment(segment(&path, "environment"))?;
        Ok(Self { environment, slug: refusal::slug(segment(&path, "slug"))? })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CredentialPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = path(parts, state).await?;
        let environment = refusal::environment(segment(&path, "environment"))?;
        Ok(Self { environment, name: refusal::value("credential's name", segment(&path, "name"))? })
    }
}

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for NamePath<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = path(parts, state).await?;
        Ok(Self(refusal::value("name", segment(&path, "name"))?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MessagePath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = path(parts, state).await?;
        let webhook = refusal::value("webhook's name", segment(&path, "name"))?;
        Ok(Self { webhook, id: refusal::value("id", segment(&path, "id"))? })
    }
}

async fn path<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, Refusal> {
    RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|rejection| Problem::new(ErrorCode::MalformedRequest, "the path cannot be read").because(rejection.body_text()).into())
}

/// A segment that the route names; an extractor on a route without it reads an empty one, which no name is.
fn segment<'a>(path: &'a RawPathParams, name: &str) -> &'a str {
    path.iter().find_map(|(key, value)| (key == name).then_some(value)).unwrap_or_default()
}
