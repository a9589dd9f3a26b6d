//! The command line's way to the API: the same types that the server writes, a deadline on every wait.
//!
//! Promises: a token is sent to the server it was given for and nowhere else: no redirect is followed, and a proxy of the
//! environment is not used for this machine. A change has an idempotency key, so that a lost connection is no reason to ask
//! a person whether it was made: it is sent again. An answer that is not Holm's is said to be so, not parsed on hope.

use std::time::{Duration, Instant};

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

/// A server that is started again is there within this time.
const AGAIN_FOR: Duration = Duration::from_secs(15);

const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// As many as the API gives at once.
const PAGE: &str = "1000";

/// An answer of which the server gives a part at a time.
pub(crate) trait InParts: DeserializeOwned {
    /// The cursor of the next part.
    fn next(&self) -> Option<&String>;

    /// The same, which is forgotten: what is whole has no next part.
    fn take_next(&mut self) -> Option<String>;

    /// Whether a part is of the same answer.
    fn goes_with(&self, part: &Self) -> bool;

    /// Takes in what the part after this one lists, and its cursor.
    fn add(&mut self, part: Self);
}

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
        self.get_where(path, &[]).await
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
            let part: ListView<T> = self.get_where(path, &query).await?;
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

    /// Reads an answer of which the server gives a part at a time, and makes one of the parts.
    pub(crate) async fn whole<T: InParts>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, Problem> {
        let mut whole: T = self.get_where(path, &[query, &[("limit", PAGE)]].concat()).await?;
        while let Some(cursor) = whole.take_next() {
            let part: T = self.get_where(path, &[query, &[("limit", PAGE), ("cursor", &cursor)]].concat()).await?;
            // A server that gives the same part for ever must not keep us for ever.
            if part.next() == Some(&cursor) {
                return Err(Problem::new(ErrorCode::Internal, "the server's answer does not go on after a part"));
            }
            if !whole.goes_with(&part) {
                return Err(Problem::new(ErrorCode::InvalidValue, "the answer changed while it was read")
                    .because("what it rests on is otherwise since the first part of it was given")
                    .next("ask again"));
            }
            whole.add(part);
        }
        Ok(whole)
    }

    /// Reads one thing, or a part of a list, by more than its path.
    pub(crate) async fn get_where<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, Problem> {
        self.send(&Call { method: Method::GET, path, query, body: None, key: None }).await
    }

    /// Changes something.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        body: &impl Serialize,
    ) -> Result<T, Problem> {
        let body = serde_json::to_value(body).expect("what is sent is JSON");
        self.change(Method::POST, path, query, Some(body)).await
    }

    /// Does something that needs no more than its name.
    pub(crate) async fn act<T: DeserializeOwned>(&self, method: Method, path: &[&str]) -> Result<T, Problem> {
        self.change(method, path, &[], None).await
    }

    /// Ends something that has more than a path for a name.
    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, Problem> {
        self.change(Method::DELETE, path, query, None).await
    }

    /// Changes something, whatever the method. It has a key of its own, so that it is sent again when the connection is lost,
    /// and done once.
    pub(crate) async fn change<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<serde_json::Value>,
    ) -> Result<T, Problem> {
        self.send(&Call { method, path, query, body, key: Some(uuid::Uuid::new_v4().to_string()) }).await
    }

    fn request(&self, call: &Call<'_>) -> Result<RequestBuilder, Problem> {
        let mut url = format!("{}/v1", self.server.url);
        for segment in call.path {
            url.push('/');
            url.push_str(&sendable(segment)?);
        }
        for (position, (name, value)) in call.query.iter().enumerate() {
            url.push(if position == 0 { '?' } else { '&' });
            url.push_str(&format!("{name}={}", percent::encode(value)));
        }
        let mut request = self.http.request(call.method.clone(), url).bearer_auth(self.server.token.expose());
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        Ok(match &call.body {
            Some(body) => request.json(body),
            None => request,
        })
    }

    /// Sends it, and again if the connection breaks before the answer or the server says that it is too early. That cannot do
    /// harm: what only reads may be read twice, and what changes something has a key.
    async fn send<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Problem> {
        let deadline = Instant::now() + AGAIN_FOR;
        let (mut wait, mut lost) = (AGAIN_AFTER, false);
        loop {
            let Failure { problem, again } = match self.once(call).await {
                Ok(data) => return Ok(data),
                Err(failure) => failure,
            };
            // That nobody listens any more says nothing of what was done with a request whose answer was lost.
            let unknown = lost && call.method != Method::GET && matches!(again, Again::Unreached);
            let problem = if unknown { problem.changed(Changed::Unknown) } else { problem };
            lost |= matches!(again, Again::Lost);
            let pause = match again {
                Again::Never => return Err(problem),
                // Nobody was ever there: said at once.
                Again::Unreached if !lost => return Err(problem),
                Again::Unreached | Again::Lost => wait,
                Again::After(told) => told,
            };
            if Instant::now() + pause > deadline {
                return Err(problem);
            }
            tokio::time::sleep(pause).await;
            wait *= 2;
        }
    }

    async fn once<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Failure> {
        // A request that was sent and not answered may have been carried out, unless it only reads.
        let lost = if call.method == Method::GET { Changed::Nothing } else { Changed::Unknown };
        let response = self.request(call)?.send().await.map_err(|error| self.unanswered(&error, lost))?;
        let (status, told) = (response.status(), retry_after(&response));
        let body = response.bytes().await.map_err(|error| self.unanswered(&error, lost))?;
        match serde_json::from_slice::<Envelope<T>>(&body) {
            Ok(Envelope { ok: true, data: Some(data), .. }) if status.is_success() => Ok(data),
            Ok(Envelope { ok: false, error: Some(problem), .. }) => {
                let early = matches!(problem.code, ErrorCode::RateLimited | ErrorCode::IdempotencyInProgress);
                let again = told.filter(|_| early).map_or(Again::Never, Again::After);
                Err(Failure { problem, again })
            }
            _ => Err(self.not_holm(status, lost).into()),
        }
    }

    fn unanswered(&self, error: &reqwest::Error, lost: Changed) -> Failure {
        let again = match error {
            _ if error.is_builder() || error.is_timeout() => Again::Never,
            _ if error.is_connect() => Again::Unreached,
            _ => Again::Lost,
        };
        Failure { problem: self.silence(error, lost), again }
    }

    fn silence(&self, error: &reqwest::Error, lost: Changed) -> Problem {
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

/// A request as it can be made again.
struct Call<'a> {
    method: Method,
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    body: Option<serde_json::Value>,
    /// Under which it is carried out once.
    key: Option<String>,
}

/// Why there is no answer, and whether it may be asked again.
struct Failure {
    problem: Problem,
    again: Again,
}

enum Again {
    Never,
    /// Nobody listens.
    Unreached,
    /// Somebody did.
    Lost,
    /// The server says when.
    After(Duration),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, again: Again::Never }
    }
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    response.headers().get("retry-after")?.to_str().ok()?.parse().ok().map(Duration::from_secs)
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

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Part {
        hash: String,
        items: Vec<u32>,
        next: Option<String>,
    }

    impl InParts for Part {
        fn next(&self) -> Option<&String> {
            self.next.as_ref()
        }

        fn take_next(&mut self) -> Option<String> {
            self.next.take()
        }

        fn goes_with(&self, part: &Self) -> bool {
            self.hash == part.hash
        }

        fn add(&mut self, part: Self) {
            self.items.extend(part.items);
            self.next = part.next;
        }
    }

    /// What a command reads of a server that answers a cursor with what is given for it; the first part has none.
    async fn read(parts: &'static [(&'static str, &'static str)]) -> Result<Part, Problem> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                let request = String::from_utf8(request).unwrap();
                let asked = request.lines().next().unwrap();
                let cursor = asked.split_once("cursor=").map_or("", |(_, after)| after.split([' ', '&']).next().unwrap());
                let (_, data) = parts.iter().find(|(of, _)| *of == cursor).unwrap();
                let body = format!(r#"{{"ok":true,"data":{data},"error":null,"operation":null}}"#);
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
        });
        let token = holm_core::secret::Secret::new("none".to_owned());
        let client = Client::new(Server { url, token, directory: None, endpoints: None }).unwrap();
        let whole = client.whole(&["some"], &[]).await;
        serving.abort();
        whole
    }

    #[tokio::test]
    async fn an_answer_in_parts_is_read_whole_and_one_that_changes_meanwhile_or_goes_on_for_ever_is_told() {
        const FIRST: (&str, &str) = ("", r#"{"hash":"a","items":[1,2],"next":"x"}"#);
        const SECOND: (&str, &str) = ("x", r#"{"hash":"a","items":[3],"next":"y"}"#);
        let whole = read(&[FIRST, SECOND, ("y", r#"{"hash":"a","items":[],"next":null}"#)]).await.unwrap();
        assert_eq!(whole, Part { hash: "a".to_owned(), items: vec![1, 2, 3], next: None });
        let changed = read(&[FIRST, ("x", r#"{"hash":"b","items":[3],"next":null}"#)]).await.unwrap_err();
        assert!(changed.code == ErrorCode::InvalidValue && changed.what.contains("changed"), "{changed:?}");
        let stuck = read(&[FIRST, SECOND, ("y", r#"{"hash":"a","items":[4],"next":"y"}"#)]).await.unwrap_err();
        assert_eq!(stuck.code, ErrorCode::Internal);
    }
}
