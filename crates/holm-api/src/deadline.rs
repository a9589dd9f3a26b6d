//! No request takes for ever: its body is read and its answer made before a deadline, or it is told so.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use holm_core::error::{Changed, ErrorCode, Problem};

use crate::envelope::Refusal;

/// The longest that a caller may ask to wait for a tenant.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(60);

/// The longest wait, and time to say how it ended.
pub(crate) const DEADLINE: Duration = Duration::from_secs(WAIT_MAX.as_secs() + 5);

/// Answers in time, if only to say that there is no answer.
pub(crate) async fn hold(State(deadline): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal(too_slow(deadline)).into_response(),
    }
}

fn too_slow(deadline: Duration) -> Problem {
    Problem::new(ErrorCode::RequestTooSlow, format!("the request was not answered within {} s", deadline.as_secs()))
        .changed(Changed::Unknown)
        .next("see how things stand: `holm tenant list`, `holm doctor`")
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::routing::post;
    use axum::{Router, middleware};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_answered_in_time_and_nothing_is_claimed_about_it() {
        let router = Router::new().route("/", post(async |_: String| "done"));
        let router = router.layer(middleware::from_fn_with_state(Duration::from_millis(20), hold));
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let response = router.oneshot(Request::post("/").body(endless).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), 504);
        let envelope: serde_json::Value = serde_json::from_slice(&to_bytes(response.into_body(), 10_000).await.unwrap()).unwrap();
        assert_eq!((&envelope["error"]["code"], &envelope["error"]["changed"]), (&"HOLM-1008".into(), &"unknown".into()));
    }
}
