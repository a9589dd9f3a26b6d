//! Paths and methods that the API does not have, in the envelope as well.

use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use holm_core::error::{ErrorCode, Problem};

use crate::envelope::Refusal;

/// Answers a path that is not in the description.
pub(crate) async fn path_not_found(uri: Uri) -> Refusal {
    let shown: String = uri.path().chars().take(200).collect();
    Refusal(Problem::new(ErrorCode::PathNotFound, format!("there is nothing at `{shown}`")).next("the paths are in `/openapi.json`"))
}

/// Answers a method that a path does not take; axum adds `Allow`. `OPTIONS` asks for exactly that header. No CORS header
/// is ever sent: a browser's script has no business here.
pub(crate) async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let shown: String = uri.path().chars().take(200).collect();
    let problem = Problem::new(ErrorCode::MethodNotAllowed, format!("`{shown}` does not take `{method}`"));
    Refusal(problem.next("the header `Allow` says what it takes")).into_response()
}
