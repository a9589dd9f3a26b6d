//! `/v1/operations/{id}/events`: an operation's journal, part by part, or as it is written.
//!
//! Promises: a follower that comes back with `Last-Event-ID` misses nothing and sees nothing twice; a stream ends with the
//! operation, after five minutes, or when the server stops, whichever is first, and whoever follows comes back.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use holm_core::access::Permission;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_engine::operation::show;
use holm_store::operation::Operation;
use holm_store::page::Page;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Data, Envelope, Failure, Refusal};
use crate::extract::{OperationPath, Params};
use crate::page::{self, PageParams};
use crate::serve::Stopping;
use crate::shown::operation::{event, names};
use crate::view::ListView;
use crate::view::operation::{EventView, OperationView};

/// Long enough that coming back costs nothing, short enough that the forgotten are let go of.
const STREAM_MAX: Duration = Duration::from_secs(300);

/// Proxies on the way give up on what is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Lists the journal of an operation, or follows it
#[utoipa::path(
    get,
    path = "/v1/operations/{id}/events",
    operation_id = "list_events",
    tag = "operations",
    description = "With `Accept: text/event-stream` the rows come as they are written: events of type `journal`, whose id is \
                   the row's number and whose data is the row, and at the end one of type `over` with the operation. \
                   `Last-Event-ID` goes on after a row.",
    params(("id" = String, Path, description = "The operation's id"), PageParams),
    responses(
        (status = 200, description = "Some rows", content(
            (Envelope<ListView<EventView>> = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 404, description = "No such operation", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Signed(caller): Signed,
    OperationPath(id): OperationPath,
    Params(params): Params<PageParams>,
    stopping: Option<Extension<Stopping>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (after, limit) = (params.after::<u64>()?, params.limit()?);
    let operation = show::show(&api.control, id).await?;
    auth::require_at(&api, &caller, Permission::ReadOperations, operation.environment.as_ref()).await?;
    let first = show::journal(&api.control, id, &Page { after: None, limit: 1 }).await?;
    let names = names(first.first());
    if wants_stream(request.headers()) {
        let after = last_event_id(request.headers())?.or(after).unwrap_or(0);
        let place = api.followers.clone().try_acquire_owned().map_err(|_| too_many())?;
        let stop = stopping.map(|Extension(Stopping(stop))| stop).unwrap_or_default();
        return Ok(follow(Following { api, id, names, after, operation, stop, _place: place }));
    }
    let rows = show::journal(&api.control, id, &Page { after, limit }).await?;
    let next = page::next(limit, rows.len(), rows.last().map(|row| row.seq));
    Ok(Data(ListView { items: rows.iter().map(|row| event(row, &names)).collect(), next }).into_response())
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    accepted.filter_map(|one| one.split(';').next()).any(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Problem::new(ErrorCode::InvalidValue, "`Last-Event-ID` is not the number of a row"))
}

fn too_many() -> Problem {
    Problem::new(ErrorCode::RateLimited, "too many journals are being followed")
        .next("ask with `GET /v1/operations/{id}?wait=30&seen=…` instead")
}

/// A journal while somebody follows it.
struct Following {
    api: Api,
    id: OperationId,
    names: Vec<String>,
    after: u64,
    operation: Operation,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

fn follow(following: Following) -> Response {
    let (deadline, stop) = (Instant::now() + STREAM_MAX, following.stop.clone());
    let parts = stream::unfold(Some(following), move |following| async move { next_part(following?, deadline).await });
    let events = futures_util::StreamExt::flat_map(parts, stream::iter);
    let ended = async move { stop.cancelled().await };
    let events = futures_util::StreamExt::take_until(events, Box::pin(ended));
    respond(events)
}

fn respond(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// What there is, or after a wait what there is then. A catalog that does not answer ends the stream: the follower comes back.
async fn next_part(mut following: Following, deadline: Instant) -> Option<(Vec<Result<Event, Infallible>>, Option<Following>)> {
    loop {
        let page = Page { after: Some(following.after), limit: 100 };
        let rows = show::journal(&following.api.control, following.id, &page).await.ok()?;
        if let Some(last) = rows.last() {
            following.after = last.seq;
            let events = rows.iter().map(|row| Ok(journal(&event(row, &following.names)))).collect();
            return Some((events, Some(following)));
        }
        if following.operation.finished_at.is_some() {
            return Some((vec![Ok(over(following.operation))], None));
        }
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        following.operation = show::wait(&following.api.control, following.id, Some(following.after), left).await.ok()?;
    }
}

fn journal(row: &EventView) -> Event {
    Event::default().event("journal").id(row.seq.to_string()).data(serde_json::to_string(row).expect("a row is JSON"))
}

fn over(operation: Operation) -> Event {
    Event::default().event("over").data(serde_json::to_string(&OperationView::from(operation)).expect("an operation is JSON"))
}
