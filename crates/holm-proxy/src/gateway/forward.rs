//! One request: whose it is, what the app is sent, what the client gets back.
//!
//! Promises: the tenant is decided once, from the Host, on one version of the route table, and a session is open for it
//! before the app hears of the request; every way out is counted; a client that goes away takes its request to the app
//! with it. Path and query are passed on byte for byte. Refuses to retry: only hyper's pool may, and only what it has not
//! begun to send.

use std::convert::Infallible;
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{ACCEPT, CONTENT_LENGTH};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body, Incoming, SizeHint};
use hyper::upgrade::OnUpgrade;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::admission::{self, Addressee, admit};
use super::body::{RequestBody, ResponseBody, Upload};
use super::connection::Client;
use super::counters::Count;
use super::headers::{self, ENVIRONMENT, Peer, SIGNATURE, SUBDOMAIN, TENANT};
use super::refusal::Refusal;
use super::sessions::Session;
use super::signature::{self, Claim};
use super::tunnel::{self, Ends};
use super::{Shared, host};

/// What waits for the app's answer to become a tunnel.
struct Upgrade {
    client: OnUpgrade,
}

/// Answers a request; never fails, since a refusal is an answer.
///
/// # Cancel safety
/// Safe: dropping it drops the request to the app and ends the session.
pub(super) async fn answer(
    shared: Arc<Shared>,
    client: Arc<Client>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let accept = HeaderMap::from_iter(request.headers().get(ACCEPT).map(|accept| (ACCEPT, accept.clone())));
    let target = target(request.uri());
    let answered = carry(&shared, &client, request).await;
    Ok(answered.unwrap_or_else(|refusal| {
        count(&shared, &refusal).add(1);
        debug!(peer.addr = %client.peer.address, code = %refusal.problem().code, reason = ?refusal, "gateway refused a request");
        refusal.response(&accept, &target)
    }))
}

fn count<'a>(shared: &'a Shared, refusal: &Refusal) -> &'a Count {
    let counters = &*shared.counters;
    match refusal {
        Refusal::Host(_) | Refusal::Connect => &counters.requests_malformed,
        Refusal::UnknownHost(_) => &counters.requests_unknown_host,
        Refusal::Suspended(_) => &counters.requests_suspended,
        Refusal::Deleted(_) => &counters.requests_deleted,
        Refusal::Renamed(_) => &counters.requests_renamed,
        Refusal::NoApp => &counters.requests_without_app,
        Refusal::Unreachable | Refusal::BrokenOff | Refusal::WrongProtocol => &counters.requests_unanswered,
        Refusal::TimedOut => &counters.requests_timed_out,
        Refusal::Incomplete(_) => &counters.requests_incomplete,
    }
}

async fn carry(shared: &Arc<Shared>, client: &Arc<Client>, mut request: Request<Incoming>) -> Result<Response<ResponseBody>, Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    let host = host::of_request(request.uri(), request.headers()).map_err(Refusal::Host)?.to_owned();
    let (addressee, session) = admit(|| Arc::clone(&shared.routes.load()), &shared.sessions, &host)?;
    let app = shared.config.app.as_ref().ok_or(Refusal::NoApp)?;
    let upgrade = upgrade_of(&mut request);
    let upload = Upload::new();
    let (mut head, body) = request.into_parts();
    let body = RequestBody::new(body, shared.config.body_idle_timeout, Arc::clone(&upload));
    let forged = address(&mut head, &body.size_hint(), client.peer, &addressee, app);
    shared.counters.headers_forged.add(forged);
    if upgrade.is_some() {
        headers::set_websocket(&mut head.headers);
    }
    let request = Request::from_parts(head, body);
    let response = tokio::select! {
        response = shared.app.request(request) => response.map_err(|error| failed(shared, &upload, &error))?,
        () = late(upload.progress(), shared.config.response_timeout) => return Err(Refusal::TimedOut),
        () = session.stopped() => return Err(closed(shared, &addressee)),
    };
    app_answers(shared);
    incoming(shared, client, &addressee, session, upgrade, response)
}

/// The client's end of a WebSocket, if the request asks for one. A handshake is a GET without a body (RFC 6455, section 4.1).
fn upgrade_of(request: &mut Request<Incoming>) -> Option<Upgrade> {
    let handshake = request.method() == Method::GET && request.body().is_end_stream() && headers::wants_websocket(request.headers());
    handshake.then(|| Upgrade { client: hyper::upgrade::on(request) })
}

/// Makes a request's head what the app gets; returns how many fields a client had forged.
fn address(head: &mut Parts, body: &SizeHint, peer: Peer, addressee: &Addressee, app: &Uri) -> usize {
    let sent_length = head.headers.contains_key(CONTENT_LENGTH);
    let forged = headers::clean_request(&mut head.headers, peer, &addressee.host);
    headers::set_framing(&mut head.headers, body, sent_length);
    let target = target(&head.uri);
    set_tenant(&mut head.headers, addressee, &head.method, target.as_str());
    head.uri = at(app, target);
    head.version = Version::HTTP_11;
    head.extensions.clear();
    forged
}

/// Path and query as the client wrote them; an absolute target without a path means `/` (RFC 9112, section 3.2.1).
fn target(uri: &Uri) -> PathAndQuery {
    let written = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    PathAndQuery::from_maybe_shared(written).unwrap_or_else(|_| PathAndQuery::from_static("/"))
}

fn at(app: &Uri, target: PathAndQuery) -> Uri {
    let mut parts = app.clone().into_parts();
    parts.path_and_query = Some(target);
    Uri::from_parts(parts).expect("scheme, authority and path are all there")
}

fn set_tenant(headers: &mut HeaderMap, addressee: &Addressee, method: &Method, target: &str) {
    let Addressee { host, route, environment } = addressee;
    let host = host.to_str().expect("a host name is ASCII");
    let claim = Claim { tenant: route.tenant, slug: &route.slug, environment: &environment.name, method, target, host };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let value = |text: &str| HeaderValue::try_from(text).expect("names, ids and signatures are visible ASCII");
    headers.insert(SUBDOMAIN, value(route.slug.as_str()));
    headers.insert(TENANT, value(&route.tenant.to_string()));
    headers.insert(ENVIRONMENT, value(environment.name.as_str()));
    headers.insert(SIGNATURE, value(&signature::sign(&environment.header_key, now, &claim)));
}

/// Done when the app has neither taken any of the upload nor answered for too long.
async fn late(mut progress: watch::Receiver<u64>, patience: Duration) {
    while let Ok(moved) = timeout(patience, progress.changed()).await {
        moved.expect("whoever waits holds the upload");
    }
}

fn failed(shared: &Shared, upload: &Upload, error: &hyper_util::client::legacy::Error) -> Refusal {
    if let Some(failure) = upload.failure() {
        return Refusal::Incomplete(failure);
    }
    // Once a change, not once a request.
    if !shared.app_trouble.swap(true, Ordering::Relaxed) {
        let reason = error.source().map(ToString::to_string).unwrap_or_default();
        warn!(app = ?shared.config.app, %error, reason, "the app behind the gateway does not answer");
    }
    if error.is_connect() { Refusal::Unreachable } else { Refusal::BrokenOff }
}

fn app_answers(shared: &Shared) {
    if shared.app_trouble.swap(false, Ordering::Relaxed) {
        info!("the app behind the gateway answers again");
    }
}

/// The response as the client gets it.
fn incoming(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    addressee: &Addressee,
    mut session: Session,
    upgrade: Option<Upgrade>,
    mut response: Response<Incoming>,
) -> Result<Response<ResponseBody>, Refusal> {
    let stopped = |_| closed(shared, addressee);
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let upgrade = upgrade.filter(|_| headers::wants_websocket(response.headers())).ok_or(Refusal::WrongProtocol)?;
        let stop = shared.cut.child_token();
        session.stop_by(stop.clone()).map_err(stopped)?;
        let ends = Ends { client: upgrade.client, app: hyper::upgrade::on(&mut response) };
        open_tunnel(shared, Arc::clone(client), session, ends, stop);
        shared.counters.requests_forwarded.add(1);
        let (mut head, body) = response.into_parts();
        headers::clean_response(&mut head.headers, &body.size_hint());
        headers::set_websocket(&mut head.headers);
        return Ok(Response::from_parts(head, ResponseBody::own("")));
    }
    session.stop_by(client.cut.clone()).map_err(stopped)?;
    shared.counters.requests_forwarded.add(1);
    let (mut head, body) = response.into_parts();
    headers::clean_response(&mut head.headers, &body.size_hint());
    // How the app's side was framed says nothing about the client's.
    head.version = Version::HTTP_11;
    head.extensions.clear();
    Ok(Response::from_parts(head, ResponseBody::app(body, shared.config.response_idle_timeout, session)))
}

/// Why a session was ended: as the newest table has it.
fn closed(shared: &Shared, addressee: &Addressee) -> Refusal {
    let table = shared.routes.load();
    admission::closed(table.route_of(addressee.route.tenant).unwrap_or(&addressee.route))
}

fn open_tunnel(shared: &Arc<Shared>, client: Arc<Client>, session: Session, ends: Ends, stop: tokio_util::sync::CancellationToken) {
    let open = Count::hold(&shared.counters, |counters| &counters.tunnels_open);
    shared.counters.tunnels_opened.add(1);
    let idle_timeout = shared.config.tunnel_idle_timeout;
    shared.tasks.spawn(async move {
        let reason = tunnel::carry(ends, stop, idle_timeout).await;
        debug!(peer.addr = %client.peer.address, reason, "tunnel closed");
        // The sockets are closed by now; only then is the session over.
        drop((session, open));
    });
}
