//! The one shape of every answer, success or failure.
//!
//! Promises: `ok`, `data`, `error` and `operation` are always there, so that a program reads one shape; a failure has the
//! status of its code, `application/problem+json` and the members of RFC 9457 beside the four. What goes on after the
//! answer is answered with `Accepted`, always 202.

use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_engine::control::Control;
use holm_engine::operation::show;
use holm_store::operation::Operation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::etag;
use crate::status::status;
use crate::view::operation::OperationView;

/// A path is shorter; what is longer is somebody's joke.
const INSTANCE_MAX: usize = 200;

/// What every answer looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Envelope<T> {
    /// Whether it was done.
    pub ok: bool,
    /// What was asked for; null on failure.
    pub data: Option<T>,
    /// Why it was not done; null on success.
    #[schema(value_type = Option<ProblemView>)]
    pub error: Option<Problem>,
    /// The operation that goes on after the answer; null when there is none.
    pub operation: Option<String>,
    /// What RFC 9457 says of a failure, beside the four.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub details: Option<Box<Details>>,
}

/// The members of RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Where the page of the error is, on the server that answered.
    pub r#type: String,
    /// What the code means, whatever it happened to.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What happened, to what, and why.
    pub detail: String,
    /// The path that was asked for; not on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

impl Details {
    fn of(problem: &Problem) -> Self {
        Self {
            r#type: format!("/errors/{}", problem.code),
            title: problem.code.title().to_owned(),
            status: status(problem.code).as_u16(),
            detail: problem.why.as_ref().map_or_else(|| problem.what.clone(), |why| format!("{}: {why}", problem.what)),
            instance: None,
        }
    }
}

impl<T> Envelope<T> {
    /// An answer.
    pub const fn success(data: T) -> Self {
        Self { ok: true, data: Some(data), error: None, operation: None, details: None }
    }

    /// A refusal or a failure.
    pub fn failure(problem: Problem) -> Self {
        let details = Some(Box::new(Details::of(&problem)));
        Self { ok: false, data: None, error: Some(problem), operation: None, details }
    }

    /// With the operation that goes on.
    #[must_use]
    pub fn operation(mut self, id: impl ToString) -> Self {
        self.operation = Some(id.to_string());
        self
    }
}

/// How a problem looks; for the description only, the type itself is `holm_core::error::Problem`.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct ProblemView {
    /// The code; each has a page under `docs/errors`.
    #[schema(pattern = "^HOLM-[0-9]{4}$", example = "HOLM-1104")]
    code: String,
    /// What did not happen, and to what.
    #[schema(example = "no tenant `gotborg` in `production`")]
    what: String,
    /// The reason, where one is known beyond `what`.
    why: Option<String>,
    /// Whether anything is different from before: `nothing`, `something` or `unknown`.
    #[schema(example = "nothing")]
    changed: String,
    /// What to do now, a command where there is one.
    next: Vec<String>,
}

/// An answer with a problem, for the description of every route.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Failure {
    /// Always false.
    #[schema(example = false)]
    ok: bool,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    data: Option<()>,
    /// Why it was not done.
    error: ProblemView,
    /// The operation that goes on all the same; null when there is none.
    operation: Option<String>,
    /// Where the page of the error is, on the server that answered.
    #[schema(example = "/errors/HOLM-1104")]
    r#type: String,
    /// What the code means, whatever it happened to.
    #[schema(example = "No such tenant in that environment.")]
    title: String,
    /// The status of the answer.
    #[schema(example = 404, minimum = 400, maximum = 599)]
    status: u16,
    /// What happened, to what, and why.
    #[schema(example = "no tenant `gotborg` in `production`")]
    detail: String,
    /// The path that was asked for.
    #[schema(nullable = false, example = "/v1/environments/production/tenants/gotborg")]
    instance: Option<String>,
}

/// A problem on its way out as an HTTP answer.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Problem);

/// The problem of an answer, for whoever handles the answer further.
#[derive(Clone, Debug)]
pub(crate) struct Refused(pub(crate) Arc<Problem>);

/// Says in a refusal on its way out which path was asked for; only here is it known for every answer.
pub(crate) async fn name_instance(request: Request, next: Next) -> Response {
    let path: String = request.uri().path().chars().take(INSTANCE_MAX).collect();
    let mut response = next.run(request).await;
    if let Some(Refused(problem)) = response.extensions().get::<Refused>().cloned() {
        let mut envelope = Envelope::<()>::failure((*problem).clone());
        if let Some(details) = &mut envelope.details {
            details.instance = Some(path);
        }
        *response.body_mut() = serde_json::to_vec(&envelope).expect("an envelope is JSON").into();
    }
    response
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = self.0.code;
        let status = status(code);
        if status.is_server_error() {
            tracing::warn!(code = %code, why = self.0.why.as_deref(), "api request failed: {}", self.0.what);
        }
        let mut response = (status, Json(Envelope::<()>::failure(self.0.clone()))).into_response();
        response.extensions_mut().insert(Refused(Arc::new(self.0)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if code == ErrorCode::NotSignedIn {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"holm\""));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if code == ErrorCode::IdempotencyInProgress {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

/// An answer with data, or a problem.
pub(crate) type Answer<T> = Result<Data<T>, Refusal>;

/// Data on its way out: status 200 and the envelope.
#[derive(Debug)]
pub(crate) struct Data<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        // Answers carry names and sometimes a secret: no cache on the way may keep them.
        ([(header::CACHE_CONTROL, "no-store")], Json(Envelope::success(self.0))).into_response()
    }
}

/// Something new on its way out: status 201, where it is, and the envelope.
#[derive(Debug)]
pub(crate) struct Created<T> {
    /// Its path.
    pub(crate) location: String,
    /// What it is.
    pub(crate) data: T,
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, [(header::LOCATION, self.location)], Data(self.data)).into_response()
    }
}

/// Work that goes on after the answer: status 202 always, however fast it is; where to watch it in `Location`, its id in
/// the envelope's `operation`, and how it stands in `data`.
///
/// A route that starts an operation, or says something to one, ends so; the engine's function gives the operation's id:
///
/// ```ignore
/// #[utoipa::path(post, path = "/v1/environments/{environment}/tenants/{slug}/rename", …,
///     responses(Begun, (status = 404, …), (status = 409, …), Refusals))]
/// pub(crate) async fn rename(State(api): State<Api>, path: TenantPath, …) -> Result<Accepted, Refusal> {
///     let id = rename::rename(&api.control, …).await.map_err(|problem| meant(&api, problem, …))?;
///     Accepted::of(&api.control, id).await
/// }
/// ```
///
/// `Idempotency-Key`, rate limits and the members of RFC 9457 are added around the route; `If-Match` is a parameter of the
/// handler ([`IfMatch`](crate::etag::IfMatch)). The command that calls it reads the answer with `Client::change` and waits
/// with `cli::waiting`.
#[derive(Debug)]
pub(crate) struct Accepted(Box<Operation>);

impl Accepted {
    /// An operation as it stands now.
    ///
    /// # Errors
    /// The catalog does not answer; what was begun goes on.
    pub(crate) async fn of(control: &Control, id: OperationId) -> Result<Self, Refusal> {
        let shown = show::show(control, id).await.map_err(|problem| problem.changed(Changed::Something))?;
        Ok(shown.into())
    }
}

impl From<Operation> for Accepted {
    fn from(operation: Operation) -> Self {
        Self(Box::new(operation))
    }
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let id = self.0.id;
        let tag = etag::operation(&self.0);
        let headers =
            [(header::LOCATION, format!("/v1/operations/{id}")), (header::ETAG, tag), (header::CACHE_CONTROL, "no-store".to_owned())];
        (StatusCode::ACCEPTED, headers, Json(Envelope::success(OperationView::from(*self.0)).operation(id))).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_and_failure_have_the_same_four_members_and_a_failure_those_of_rfc_9457() {
        let success = serde_json::to_string(&Envelope::success(1)).unwrap();
        assert_eq!(success, r#"{"ok":true,"data":1,"error":null,"operation":null}"#);
        let failure = serde_json::to_string(&Envelope::<()>::failure(Problem::new(ErrorCode::SlugTaken, "taken").next("rename"))).unwrap();
        assert_eq!(
            failure,
            r#"{"ok":false,"data":null,"error":{"code":"HOLM-1102","what":"taken","why":null,"changed":"nothing","next":["rename"]},"operation":null,"type":"/errors/HOLM-1102","title":"A tenant slug is in use in that environment.","status":409,"detail":"taken"}"#
        );
        let read: Envelope<u8> = serde_json::from_str(&failure).unwrap();
        assert_eq!(read.details.unwrap().status, 409);
        assert_eq!(serde_json::from_str::<Envelope<u8>>(&success).unwrap(), Envelope::success(1));
    }
}
