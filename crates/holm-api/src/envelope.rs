//! The one shape of every answer, success or failure.
//!
//! Promises: `ok`, `data`, `error` and `operation` are always there, so that a program reads one shape; a failure has the
//! status of its code and `application/problem+json` (RFC 9457, whose own members are all optional).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use holm_core::error::{ErrorCode, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::status::status;

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
}

impl<T> Envelope<T> {
    /// An answer.
    pub const fn success(data: T) -> Self {
        Self { ok: true, data: Some(data), error: None, operation: None }
    }

    /// A refusal or a failure.
    pub const fn failure(problem: Problem) -> Self {
        Self { ok: false, data: None, error: Some(problem), operation: None }
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
}

/// A problem on its way out as an HTTP answer.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Problem);

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
        let mut response = (status, Json(Envelope::<()>::failure(self.0))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if code == ErrorCode::NotSignedIn {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"holm\""));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_and_failure_have_the_same_four_members() {
        let success = serde_json::to_string(&Envelope::success(1)).unwrap();
        assert_eq!(success, r#"{"ok":true,"data":1,"error":null,"operation":null}"#);
        let failure = serde_json::to_string(&Envelope::<()>::failure(Problem::new(ErrorCode::SlugTaken, "taken").next("rename"))).unwrap();
        assert_eq!(
            failure,
            r#"{"ok":false,"data":null,"error":{"code":"HOLM-1102","what":"taken","why":null,"changed":"nothing","next":["rename"]},"operation":null}"#
        );
    }
}
