//! `Idempotency-Key`: a change that is sent twice is made once, and answered twice with the same answer.
//!
//! Promises: it works for every `POST`, `PUT`, `PATCH` and `DELETE` of `/v1` without a line in its handler; a change that
//! was begun is finished although the caller went away. An answer is kept for 24 h, sealed, since it may hold a new
//! credential's secret; one that says that nothing changed and that it may work later (5xx) is not kept.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::idempotency::{self, Answer, Answered};

use crate::envelope::{Envelope, Refusal, Refused};
use crate::{Api, auth, extract};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A UUID with room to spare.
const KEY_LENGTH_MAX: usize = 200;

/// What belongs to an answer; the rest is made anew.
const KEPT: [HeaderName; 5] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG, header::CACHE_CONTROL, header::RETRY_AFTER];

/// As much as any answer to a change has, many times over.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Passes a change on, once.
pub(crate) async fn once(State(api): State<Api>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    match carry_out(&api, request, next).await {
        Ok(Answered::Now(answer)) => spoken(answer),
        Ok(Answered::Before(answer)) => {
            let mut response = spoken(answer);
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn carry_out(api: &Api, request: Request, next: Next) -> Result<Answered, Refusal> {
    let token = auth::token(&request).ok_or_else(|| Problem::new(ErrorCode::Internal, "a key without a token"))?;
    let key = key(&request)?;
    let (parts, body) = request.into_parts();
    // With the limit that the router set.
    let whole = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await.map_err(extract::unread)?;
    let asked =
        idempotency::Request { token, key, line: format!("{} {}", parts.method, parts.uri.path()), content: content(&parts, &whole) };
    let act = async move { heard(next.run(Request::from_parts(parts, Body::from(whole))).await).await };
    Ok(idempotency::once(&api.control, asked, api.config.same_request_patience, act).await?)
}

fn key(request: &Request) -> Result<Secret<String>, Problem> {
    let mut given = request.headers().get_all(KEY).iter();
    let text = given.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let valid = (1..=KEY_LENGTH_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) && given.next().is_none();
    if valid {
        return Ok(Secret::new(text.to_owned()));
    }
    Err(Problem::new(ErrorCode::InvalidValue, format!("the `Idempotency-Key` is not 1 to {KEY_LENGTH_MAX} visible ASCII characters"))
        .next("use a random UUID"))
}

/// What else makes it this request: no part can end where another begins, since none but the last has a zero byte.
fn content(parts: &Parts, body: &[u8]) -> Vec<u8> {
    let header = |name| parts.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    [query, header(header::IF_MATCH), header(header::CONTENT_TYPE), body].join(&b'\0')
}

/// From what a handler answered to what can be kept.
async fn heard(response: Response) -> Answer {
    let refused = response.extensions().get::<Refused>().cloned();
    let (parts, body) = response.into_parts();
    let text = to_bytes(body, ANSWER_BYTES_MAX).await.ok().and_then(|bytes| String::from_utf8(bytes.into()).ok());
    let kept = |(name, value): (&HeaderName, &HeaderValue)| {
        let text = value.to_str().ok().filter(|_| KEPT.contains(name))?;
        Some((name.as_str().to_owned(), text.to_owned()))
    };
    let may_work_later = parts.status.is_server_error() && refused.is_none_or(|Refused(problem)| problem.changed != Changed::Something);
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().filter_map(kept).collect(),
        keep: !may_work_later && text.is_some(),
        body: text.unwrap_or_default(),
    }
}

/// From what was kept to what is answered. A refusal is made anew, so that it is handled as one on its way out.
fn spoken(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let refused = if status.is_success() { None } else { serde_json::from_str::<Envelope<()>>(&answer.body).ok() };
    let mut response = match refused.and_then(|envelope| envelope.error) {
        Some(problem) => Refusal(problem).into_response(),
        None => (status, answer.body).into_response(),
    };
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
