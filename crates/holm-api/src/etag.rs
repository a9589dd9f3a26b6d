//! `ETag`, `If-Match` and `If-None-Match`: a change only of what the caller saw, an answer only if it is another one.
//!
//! Promises: a tag is strong (RFC 9110, section 8.8.1): it is made of the version that a change is compared with and of a
//! digest of the answer, so that it differs whenever the answer does. `If-Match` compares the version, under the lock of the
//! row that is changed; what moves without anybody's decision, such as the progress of a step, is no reason to refuse.
//! A condition that a route cannot heed is refused, since it would be a wish that is not heard.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use holm_core::error::{ErrorCode, Problem};
use holm_store::operation::Operation;
use holm_store::tenant::Tenant;
use holm_store::tenant::version::TenantVersion;
use serde::Serialize;

use crate::envelope::{Data, Refusal};
use crate::permissions;
use crate::view::TenantView;
use crate::view::operation::OperationView;

/// Data with its tag.
#[derive(Debug)]
pub(crate) struct Tagged<T> {
    pub(crate) tag: String,
    pub(crate) data: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, self.tag)], Data(self.data)).into_response()
    }
}

/// A tenant with its tag.
pub(crate) fn tenant(tenant: Tenant) -> Tagged<TenantView> {
    let version = TenantVersion::of(&tenant);
    let data = TenantView::from(tenant);
    Tagged { tag: tag(&version.to_string(), &data), data }
}

/// The tag of an operation as it stands.
pub(crate) fn operation(operation: &Operation) -> String {
    tag(&operation.last_seq.to_string(), &OperationView::from(operation.clone()))
}

/// A version, and a digest that tells apart what has the same version.
pub(crate) fn tag(version: &str, data: &impl Serialize) -> String {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(data).expect("what is shown is JSON").hash(&mut hasher);
    format!("\"{version}-{:016x}\"", hasher.finish())
}

/// What the caller saw, if it is a condition. `*` is none: a route that changes something refuses what is not there.
pub(crate) struct IfMatch<V>(pub(crate) Option<V>);

impl<S: Sync, V: FromStr> FromRequestParts<S> for IfMatch<V> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut given = parts.headers.get_all(header::IF_MATCH).iter();
        let Some(value) = given.next() else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        if given.next().is_some() || text.contains(',') {
            return Err(Refusal(several()));
        }
        if text == "*" {
            return Ok(Self(None));
        }
        version(text).map(|version| Self(Some(version))).ok_or_else(|| Refusal(never()))
    }
}

/// The version of a tag; a weak one has none that a change may be compared with (RFC 9110, section 13.1.1).
fn version<V: FromStr>(tag: &str) -> Option<V> {
    let (version, digest) = tag.strip_prefix('"')?.strip_suffix('"')?.split_once('-')?;
    let whole = digest.len() == 16 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    whole.then(|| version.parse().ok())?
}

/// Passes a change on that has no condition, or one that is heeded: which routes do is in one table.
pub(crate) async fn refuse_unheeded(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let conditional = request.headers().contains_key(header::IF_MATCH) && !request.method().is_safe();
    if !conditional || permissions::heeds_if_match(request.method(), path) {
        return next.run(request).await;
    }
    Refusal(unheeded(request.method(), path)).into_response()
}

fn unheeded(method: &Method, path: &str) -> Problem {
    Problem::new(ErrorCode::NoVersion, format!("`{method} {path}` cannot heed `If-Match`"))
        .because("what it changes has no version that could be compared")
        .next("leave `If-Match` out")
}

fn several() -> Problem {
    Problem::new(ErrorCode::InvalidValue, "`If-Match` has more than one tag").next("send the `ETag` of the answer that you saw last")
}

fn never() -> Problem {
    Problem::new(ErrorCode::PreconditionFailed, "`If-Match` is not a tag that this was ever shown with")
        .next("send the `ETag` of an answer to `GET`, with its quotation marks and without `W/`")
}

/// Answers 304 to who has it already.
pub(crate) async fn not_modified(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let had: Vec<HeaderValue> = request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect();
    let mut response = next.run(request).await;
    if reads && response.status() == StatusCode::OK && is_among(response.headers(), &had) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}

/// The weak comparison: `W/` makes no difference.
fn is_among(headers: &HeaderMap, had: &[HeaderValue]) -> bool {
    let Some(tag) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return false };
    let mut tags = had.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    tags.any(|one| matches!(one.trim(), "*") || one.trim().trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_differs_when_the_answer_does_and_gives_its_version_back() {
        let (one, other) = (tag("7", &"a"), tag("7", &"b"));
        assert!(one != other && one == tag("7", &"a"));
        assert_eq!(version::<u64>(&one), Some(7));
        for refused in ["", "7", "\"7\"", "W/\"7-0123456789abcdef\"", "\"7-x\"", "\"x-0123456789abcdef\"", "\"7-0123456789abcdeg\""] {
            assert_eq!(version::<u64>(refused), None, "{refused}");
        }
    }

    #[test]
    fn who_has_the_tag_in_a_list_or_weakly_has_it() {
        let headers = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("\"7-a\""))]);
        for (had, expected) in
            [("\"7-a\"", true), ("W/\"7-a\"", true), ("\"6-a\", \"7-a\"", true), ("*", true), ("\"7-b\"", false), ("", false)]
        {
            assert_eq!(is_among(&headers, &[HeaderValue::from_static(had)]), expected, "{had}");
        }
    }
}
