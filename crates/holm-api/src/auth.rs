//! Who may ask: whoever holds a bearer token that the catalog knows by its hash, and may what the route needs.
//!
//! Promises: a missing, a malformed, an unknown and a revoked token, and one of a disabled principal, are answered alike, so
//! that trying tells nothing. Whether a caller may is decided before anything of the request's body is read.

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use holm_core::access::{Permission, Place};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::TokenId;
use holm_engine::access::{self, Caller};

use crate::Api;
use crate::envelope::Refusal;
use crate::permissions::{self, Needs};
use crate::rate;

/// Lets a request pass that is signed in and may.
pub(crate) async fn require(State(api): State<Api>, request: Request, next: Next) -> Response {
    let known = match bearer(&request) {
        Some(token) => access::authenticate(&api.control, token).await,
        None => Ok(None),
    };
    match known.and_then(|caller| caller.ok_or_else(not_signed_in)) {
        Ok(caller) => rate::hold(&api, caller.bearer.token, pass(&api, caller, request, next)).await,
        Err(problem) => Refusal(problem).into_response(),
    }
}

async fn pass(api: &Api, caller: Caller, request: Request, next: Next) -> Response {
    match authorize(api, caller, request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn authorize(api: &Api, caller: Caller, request: Request) -> Result<Request, Refusal> {
    let (mut parts, body) = request.into_parts();
    let path = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let needs = permissions::needs(&parts.method, &path)
        .ok_or_else(|| Problem::new(ErrorCode::Internal, format!("no permission is set for {} {path}", parts.method)))?;
    allowed(api, &caller, needs, &mut parts).await?;
    parts.extensions.insert(caller);
    Ok(Request::from_parts(parts, body))
}

async fn allowed(api: &Api, caller: &Caller, needs: Needs, parts: &mut Parts) -> Result<(), Problem> {
    match needs {
        Needs::SignedIn => Ok(()),
        Needs::Everywhere(permission) => caller.require(&api.control, permission, Place::Installation).await,
        Needs::Somewhere(permission) if somewhere(api, caller, permission) => Ok(()),
        Needs::Somewhere(permission) => caller.require(&api.control, permission, Place::Installation).await,
        Needs::InPath(permission) => match environment(parts).await {
            Some(name) => require_in(api, caller, permission, &name).await,
            // No environment has such a name: the handler says so.
            None => Ok(()),
        },
    }
}

/// Goes on if the caller may, in one environment.
///
/// # Errors
/// [`ErrorCode::NotAllowed`].
pub(crate) async fn require_in(api: &Api, caller: &Caller, permission: Permission, name: &EnvironmentName) -> Result<(), Problem> {
    let kind = api.control.publisher().table().environment(name).map(|known| known.kind);
    caller.require(&api.control, permission, Place::Environment(name, kind)).await
}

/// Goes on if the caller may, in the environment that is named, or everywhere if none is.
///
/// # Errors
/// [`ErrorCode::NotAllowed`].
pub(crate) async fn require_at(
    api: &Api,
    caller: &Caller,
    permission: Permission,
    environment: Option<&EnvironmentName>,
) -> Result<(), Problem> {
    match environment {
        Some(name) => require_in(api, caller, permission, name).await,
        None => caller.require(&api.control, permission, Place::Installation).await,
    }
}

/// Whether the caller may see what is of an environment, or of none; for lists.
pub(crate) fn may_see(api: &Api, caller: &Caller, permission: Permission, environment: Option<&EnvironmentName>) -> bool {
    let place = match environment {
        Some(name) => Place::Environment(name, api.control.publisher().table().environment(name).map(|known| known.kind)),
        None => Place::Installation,
    };
    caller.may(permission, place)
}

fn somewhere(api: &Api, caller: &Caller, permission: Permission) -> bool {
    let table = api.control.publisher().table();
    let mut places = table.environments().map(|known| Place::Environment(&known.name, Some(known.kind)));
    caller.may(permission, Place::Installation) || places.any(|place| caller.may(permission, place))
}

/// `{environment}` of the path, if it can be the name of one.
async fn environment(parts: &mut Parts) -> Option<EnvironmentName> {
    let path = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    path.iter().find_map(|(key, value)| (key == "environment").then(|| value.parse().ok()))?
}

/// The caller that was let through.
pub(crate) struct Signed(pub(crate) Caller);

impl<S: Sync> FromRequestParts<S> for Signed {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Caller>().cloned().map(Self).ok_or_else(|| Refusal(not_signed_in()))
    }
}

/// The token of a request that was let through.
pub(crate) fn token(request: &Request) -> Option<TokenId> {
    request.extensions().get::<Caller>().map(|caller| caller.bearer.token)
}

/// RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1).
pub(crate) fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn not_signed_in() -> Problem {
    Problem::new(ErrorCode::NotSignedIn, "not signed in")
        .because("the request has no bearer token that this server knows")
        .next("send `Authorization: Bearer <token>`; `holm dev` keeps its token in the file that `endpoints.json` names")
}
