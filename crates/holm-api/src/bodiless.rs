//! A route that wants no body refuses one, since a field that is ignored is a wish that is not heard.
//!
//! Promises: which routes want one is read from the description, so that no handler has to say that it wants none. Nothing,
//! `null` and `{}` are no body.

use std::collections::HashSet;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::extract::MaybeBody;

/// `POST /v1/approvals`, and all others that want a body.
static WITH_BODY: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let mut found = HashSet::new();
    for (path, item) in crate::openapi().paths.paths {
        for (method, operation) in [("POST", item.post), ("PUT", item.put), ("PATCH", item.patch), ("DELETE", item.delete)] {
            if operation.is_some_and(|operation| operation.request_body.is_some()) {
                found.insert(format!("{method} {path}"));
            }
        }
    }
    found
});

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFields {}

/// Passes a request on that has no body, or may have one.
pub(crate) async fn refuse(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if request.method().is_safe() || WITH_BODY.contains(&format!("{} {path}", request.method())) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match MaybeBody::<NoFields>::from_request(Request::from_parts(parts.clone(), body), &()).await {
        Ok(MaybeBody(NoFields {})) => next.run(Request::from_parts(parts, Body::empty())).await,
        Err(refusal) => refusal.into_response(),
    }
}
