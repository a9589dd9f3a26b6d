//! What a browser or a program is told when a request does not reach the app: one table from reason to status, code,
//! words and what to do next.
//!
//! Promises: JSON in the one envelope, HTML for whoever prefers it; nothing of the request but the host is repeated, and
//! that escaped; nothing is said of where the app runs. Nothing of it may be cached.

use std::fmt::Write as _;

use holm_core::error::{ErrorCode, Problem};
use holm_core::slug::TenantSlug;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER,
};
use http::uri::PathAndQuery;
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use super::body::{ResponseBody, UploadFailure};
use super::host::HostRefusal;

/// How long a client of a suspended tenant should wait before it asks again: an operator's decision, so not seconds.
const SUSPENDED_RETRY_SECONDS: u16 = 300;
/// An app that is being started or deployed is back in seconds.
const APP_RETRY_SECONDS: u16 = 5;

/// Why a request does not reach the app.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// It does not say which host it is for.
    Host(HostRefusal),
    /// Its method opens a tunnel to anywhere.
    Connect,
    /// The host is nobody's (R77).
    UnknownHost(Box<str>),
    /// The tenant is suspended.
    Suspended(TenantSlug),
    /// The tenant is deleted, and not dropped yet.
    Deleted(TenantSlug),
    /// The tenant has another host now: this one.
    Renamed(Box<str>),
    /// There is no app to pass it on to.
    NoApp,
    /// The app cannot be connected to.
    Unreachable,
    /// The app broke off before it answered.
    BrokenOff,
    /// The app did not answer in time.
    TimedOut,
    /// The app changed the protocol without being asked to, or to another one.
    WrongProtocol,
    /// The client did not send the whole of its request.
    Incomplete(UploadFailure),
}

impl Refusal {
    /// Whether nothing more is read from the client: where a request ends can be in doubt, or its tenant is cut off.
    const fn closes(&self) -> bool {
        matches!(self, Self::Host(_) | Self::Connect | Self::Incomplete(_) | Self::Suspended(_) | Self::Deleted(_))
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Host(_) | Self::Connect | Self::Incomplete(UploadFailure::Broken) => StatusCode::BAD_REQUEST,
            Self::Incomplete(UploadFailure::Stalled) => StatusCode::REQUEST_TIMEOUT,
            Self::UnknownHost(_) => StatusCode::NOT_FOUND,
            Self::Suspended(_) | Self::NoApp => StatusCode::SERVICE_UNAVAILABLE,
            Self::Deleted(_) => StatusCode::GONE,
            // Unlike 301 and 302, it keeps the method (RFC 9110, section 15.4.9).
            Self::Renamed(_) => StatusCode::PERMANENT_REDIRECT,
            Self::Unreachable | Self::BrokenOff | Self::WrongProtocol => StatusCode::BAD_GATEWAY,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    const fn retry_after(&self) -> Option<u16> {
        match self {
            Self::Suspended(_) => Some(SUSPENDED_RETRY_SECONDS),
            Self::NoApp | Self::Unreachable => Some(APP_RETRY_SECONDS),
            _ => None,
        }
    }

    /// The refusal in words.
    pub(super) fn problem(&self) -> Problem {
        let unreachable = |what: &str| Problem::new(ErrorCode::AppUnreachable, what).next("try again in a moment");
        match self {
            Self::Host(refusal) => Problem::new(ErrorCode::BadGatewayRequest, "the request does not say which tenant it is for")
                .because(refusal)
                .next("send one Host header of the form `<tenant>.<domain>`"),
            Self::Connect => Problem::new(ErrorCode::BadGatewayRequest, "the gateway does not carry the method `CONNECT`")
                .next("send the request to the tenant's own address"),
            Self::UnknownHost(host) => Problem::new(ErrorCode::UnknownHost, format!("no tenant at `{host}`"))
                .next("check the first part of the address")
                .next("list the tenants with `holm tenant list`"),
            Self::Suspended(slug) => Problem::new(ErrorCode::HostSuspended, format!("`{slug}` is suspended"))
                .because("an operator has stopped its requests; its data is kept whole")
                .next(format!("let requests in again with `holm tenant resume {slug}`")),
            Self::Deleted(slug) => Problem::new(ErrorCode::HostDeleted, format!("`{slug}` is deleted"))
                .because("an operator deleted it; it can be brought back until its grace period is over")
                .next(format!("bring it back with `holm tenant undelete {slug}`")),
            Self::Renamed(host) => Problem::new(ErrorCode::HostRenamed, format!("this address is now `{host}`"))
                .because("an operator renamed it; the old address leads to the new one for a while")
                .next("use the new address"),
            Self::NoApp => Problem::new(ErrorCode::AppUnreachable, "no app is configured for the gateway")
                .next("start your app, then `holm dev --app http://127.0.0.1:3000` with the address it listens on"),
            Self::Unreachable => unreachable("the app behind the gateway cannot be reached")
                .next("see that the app runs and listens where `holm dev --app` points"),
            Self::BrokenOff => unreachable("the app behind the gateway broke off before it answered"),
            Self::TimedOut => unreachable("the app behind the gateway did not answer in time"),
            Self::WrongProtocol => unreachable("the app behind the gateway changed to a protocol that was not asked for"),
            Self::Incomplete(failure) => Problem::new(ErrorCode::BadGatewayRequest, "the request did not arrive whole")
                .because(match failure {
                    UploadFailure::Stalled => "nothing more of its body came in time",
                    UploadFailure::Broken => "its body broke off or cannot be read",
                })
                .next("send the request again"),
        }
    }

    /// The answer, in the form that the client asks for.
    ///
    /// `target` is the path and query that was asked for.
    pub(super) fn response(&self, request: &HeaderMap, target: &PathAndQuery) -> Response<ResponseBody> {
        let problem = self.problem();
        let html = prefers_html(request);
        let (kind, text) =
            if html { ("text/html; charset=utf-8", page(self.status(), &problem)) } else { ("application/json", envelope(&problem)) };
        let mut response = Response::new(ResponseBody::own(text));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"));
        if let Self::Renamed(host) = self {
            headers.insert(LOCATION, location(host, target));
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.closes() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Without a scheme, which then stays what it was for the client (RFC 3986, section 4.2): the gateway cannot know it, since
/// TLS ends before it.
fn location(host: &str, target: &PathAndQuery) -> HeaderValue {
    let target = if target.as_str().starts_with('/') { target.as_str() } else { "/" };
    HeaderValue::try_from(format!("//{host}{target}")).unwrap_or_else(|_| HeaderValue::from_static("/"))
}

fn prefers_html(request: &HeaderMap) -> bool {
    request.get_all(ACCEPT).iter().any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
}

fn envelope(problem: &Problem) -> String {
    let mut text = json!({ "ok": false, "data": null, "error": problem, "operation": null }).to_string();
    text.push('\n');
    text
}

fn page(status: StatusCode, problem: &Problem) -> String {
    let what = escape(&problem.what);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{status}</title>\n<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}}</style>\n\
         <h1>{what}</h1>\n"
    );
    if let Some(why) = &problem.why {
        writeln!(page, "<p>{}</p>", escape(why)).expect("writing to a String cannot fail");
    }
    page.push_str("<ul>\n");
    for next in &problem.next {
        writeln!(page, "<li>{}</li>", escape(next)).expect("writing to a String cannot fail");
    }
    write!(page, "</ul>\n<p><small>{}</small></p>\n", problem.code).expect("writing to a String cannot fail");
    page
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_status_a_code_and_a_next_step() {
        let mut table = String::new();
        for refusal in [
            Refusal::Host(HostRefusal::Missing),
            Refusal::Connect,
            Refusal::UnknownHost("uppsala.localhost".into()),
            Refusal::Suspended("malmo".parse().unwrap()),
            Refusal::Deleted("malmo".parse().unwrap()),
            Refusal::Renamed("skane.localhost:8080".into()),
            Refusal::NoApp,
            Refusal::Unreachable,
            Refusal::BrokenOff,
            Refusal::TimedOut,
            Refusal::WrongProtocol,
            Refusal::Incomplete(UploadFailure::Stalled),
            Refusal::Incomplete(UploadFailure::Broken),
        ] {
            let problem = refusal.problem();
            assert!(!problem.next.is_empty());
            let retry = refusal.retry_after().map(|seconds| format!(", again in {seconds} s")).unwrap_or_default();
            writeln!(table, "{} {problem}{retry}", refusal.status().as_u16()).unwrap();
        }
        insta::assert_snapshot!(table, @r"
        400 HOLM-1204: the request does not say which tenant it is for
        400 HOLM-1204: the gateway does not carry the method `CONNECT`
        404 HOLM-1203: no tenant at `uppsala.localhost`
        503 HOLM-1206: `malmo` is suspended, again in 300 s
        410 HOLM-1211: `malmo` is deleted
        308 HOLM-1212: this address is now `skane.localhost:8080`
        503 HOLM-1205: no app is configured for the gateway, again in 5 s
        502 HOLM-1205: the app behind the gateway cannot be reached, again in 5 s
        502 HOLM-1205: the app behind the gateway broke off before it answered
        504 HOLM-1205: the app behind the gateway did not answer in time
        502 HOLM-1205: the app behind the gateway changed to a protocol that was not asked for
        408 HOLM-1204: the request did not arrive whole
        400 HOLM-1204: the request did not arrive whole
        ");
    }

    #[test]
    fn a_redirect_goes_to_the_new_host_and_nowhere_else_whatever_the_target_is() {
        for (target, expected) in
            [("/a?b=c", "//new.localhost/a?b=c"), ("//evil.example/x", "//new.localhost//evil.example/x"), ("*", "//new.localhost/")]
        {
            assert_eq!(location("new.localhost", &target.parse().unwrap()), expected);
        }
    }

    #[test]
    fn a_page_repeats_nothing_as_markup() {
        assert_eq!(escape("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
    }
}
