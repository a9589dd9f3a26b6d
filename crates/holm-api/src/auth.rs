//! Who may ask: whoever holds a bearer token that the catalog knows by its hash.
//!
//! Promises: a missing, a malformed, an unknown and a revoked token are answered alike, so that trying tells nothing.

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use holm_core::error::{ErrorCode, Problem};
use holm_engine::token;

use crate::Api;
use crate::envelope::Refusal;

/// Lets a request pass that is signed in.
pub(crate) async fn require(State(api): State<Api>, request: Request, next: Next) -> Response {
    let known = match bearer(&request) {
        Some(token) => token::authenticate(&api.control, token).await,
        None => Ok(None),
    };
    match known {
        Ok(Some(_)) => next.run(request).await,
        Ok(None) => Refusal(not_signed_in()).into_response(),
        Err(problem) => Refusal(problem).into_response(),
    }
}

/// RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn not_signed_in() -> Problem {
    Problem::new(ErrorCode::NotSignedIn, "not signed in")
        .because("the request has no bearer token that this server knows")
        .next("send `Authorization: Bearer <token>`; `holm dev` keeps its token in the file that `endpoints.json` names")
}
