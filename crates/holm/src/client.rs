//! The command line's way to the API: the same types that the server writes, a deadline on every wait.
//!
//! Promises: a token is sent to the server it was given for and nowhere else: no redirect is followed, and a proxy of the
//! environment is not used for this machine. An answer that is not Holm's is said to be so, not parsed on hope.

use std::time::Duration;

use holm_api::envelope::Envelope;
use holm_api::view::ListView;
use holm_core::error::{Changed, ErrorCode, Problem};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::percent;
use crate::settings::Server;

/// Longer than it takes on any network that works.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longer than the server gives itself (65 s), so that its own answer arrives.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(75);

/// As many as the API gives at once.
const PAGE: &str = "1000";

/// A connection to one server.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: Server,
}

impl Client {
    /// Prepares; nothing is sent yet.
    ///
    /// # Errors
    /// The TLS of this machine cannot be used, or the URL is no URL.
    pub(crate) fn new(server: Server) -> Result<Self, Problem> {
        let url = Url::parse(&server.url).map_err(|error| unusable(&server, &error))?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("holm/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if url.scheme() == "http" {
            // No TLS, no certificates: reading the machine's takes time, and a small machine may have none.
            builder = builder.tls_certs_only([]);
        }
        if is_this_machine(&url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| unusable(&server, &error))?;
        Ok(Self { http, server })
    }

    /// What a person should know about the way to the server.
    pub(crate) fn warning(&self) -> Option<String> {
        let url = Url::parse(&self.server.url).ok()?;
        let open = url.scheme() == "http" && !is_this_machine(&url);
        open.then(|| format!("warning: `{}` is not encrypted; whoever is on the way can read the token", self.server.url))
    }

    /// The server that this talks to.
    pub(crate) const fn server(&self) -> &Server {
        &self.server
    }

    /// Reads one thing.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Problem> {
        self.send(Method::GET, self.request(Method::GET, path, &[])?).await
    }

    /// Reads a list that the server gives whole.
    pub(crate) async fn items<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Vec<T>, Problem> {
        self.get::<ListView<T>>(path).await.map(|list| list.items)
    }

    /// Reads a list that the server gives part by part.
    pub(crate) async fn list<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Vec<T>, Problem> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = vec![("limit", PAGE)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let part: ListView<T> = self.send(Method::GET, self.request(Method::GET, path, &query)?).await?;
            let stuck = part.items.is_empty() || part.next == cursor;
            items.extend(part.items);
            match part.next {
                // A server that gives the same part for ever must not keep us for ever.
                Some(_) if stuck => return Err(Problem::new(ErrorCode::Internal, "the server's list does not go on after a part")),
                Some(next) => cursor = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// Changes something.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        body: &impl Serialize,
    ) -> Result<T, Problem> {
        self.send(Method::POST, self.request(Method::POST, path, query)?.json(body)).await
    }

    /// Does something that needs no more than its name.
    pub(crate) async fn act<T: DeserializeOwned>(&self, method: Method, path: &[&str]) -> Result<T, Problem> {
        self.send(method.clone(), self.request(method, path, &[])?).await
    }

    fn request(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> Result<RequestBuilder, Problem> {
        let mut url = format!("{}/v1", self.server.url);
        for segment in path {
            url.push('/');
            url.push_str(&sendable(segment)?);
        }
        for (position, (name, value)) in query.iter().enumerate() {
            url.push(if position == 0 { '?' } else { '&' });
            url.push_str(&format!("{name}={}", percent::encode(value)));
        }
        Ok(self.http.request(method, url).bearer_auth(self.server.token.expose()))
    }

    async fn send<T: DeserializeOwned>(&self, method: Method, request: RequestBuilder) -> Result<T, Problem> {
        // A request that was sent and not answered may have been carried out, unless it only reads.
        let lost = if method == Method::GET { Changed::Nothing } else { Changed::Unknown };
        let response = request.send().await.map_err(|error| self.unanswered(&error, lost))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.unanswered(&error, lost))?;
        match serde_json::from_slice::<Envelope<T>>(&body) {
            Ok(Envelope { ok: true, data: Some(data), .. }) if status.is_success() => Ok(data),
            Ok(Envelope { ok: false, error: Some(problem), .. }) => Err(problem),
            _ => Err(self.not_holm(status, lost)),
        }
    }

    fn unanswered(&self, error: &reqwest::Error, lost: Changed) -> Problem {
        let url = &self.server.url;
        if error.is_connect() || error.is_builder() {
            let problem = Problem::new(ErrorCode::ServerNotFound, format!("no Holm server answers at `{url}`")).because(root(error));
            return self.start(problem);
        }
        if error.is_timeout() {
            let what = format!("`{url}` has not answered within {} s", ANSWER_TIMEOUT.as_secs());
            return Problem::new(ErrorCode::RequestTooSlow, what).changed(lost).next("see how things stand: `holm doctor`");
        }
        let problem = Problem::new(ErrorCode::ServerNotFound, format!("the connection to `{url}` broke before the answer"));
        self.start(problem.because(root(error)).changed(lost))
    }

    fn start(&self, problem: Problem) -> Problem {
        match &self.server.directory {
            Some(directory) => problem.next(format!("start it: `holm dev --dir {}`", directory.display())),
            None => problem.next("look at `HOLM_URL` or `--url`"),
        }
    }

    fn not_holm(&self, status: StatusCode, lost: Changed) -> Problem {
        Problem::new(ErrorCode::ServerNotFound, format!("`{}` answers {} and not as this Holm does", self.server.url, status.as_u16()))
            .because(format_args!("something else listens there, or a Holm of another version than {}", env!("CARGO_PKG_VERSION")))
            .changed(if status.is_client_error() { Changed::Nothing } else { lost })
            .next("look at `HOLM_URL`, `--url` or `--dir`")
    }
}

/// A segment as it can be sent. `.` and `..` cannot, not even encoded (WHATWG URL, "double-dot path segment"), and an empty
/// one would name the list: the API's own refusal is given here instead.
fn sendable(segment: &str) -> Result<String, Problem> {
    if matches!(segment, "" | "." | "..") {
        holm_api::refusal::slug(segment)?;
    }
    Ok(percent::encode(segment))
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn unusable(server: &Server, error: &(dyn std::error::Error + 'static)) -> Problem {
    Problem::new(ErrorCode::ServerNotFound, format!("`{}` cannot be reached from this machine", server.url)).because(root(error))
}

/// The innermost reason, without the layers that repeat it.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_would_mean_another_path_is_refused_and_not_sent() {
        for segment in ["", ".", ".."] {
            assert_eq!(sendable(segment).unwrap_err().code, ErrorCode::InvalidSlug, "{segment}");
        }
        assert_eq!(sendable("../../x?y#z").unwrap(), "..%2F..%2Fx%3Fy%23z");
    }

    #[test]
    fn only_this_machine_is_reached_without_the_proxy_of_the_environment() {
        let here = |url: &str| is_this_machine(&Url::parse(url).unwrap());
        assert!(here("http://127.0.0.1:8400") && here("http://[::1]:8400") && here("http://localhost:8400"));
        assert!(!here("http://10.0.0.1:8400") && !here("https://localhost.example.com"));
    }
}
