//! Opens a connection to a tenant's server and logs in there.
//!
//! Promises: the connection is for one tenant, the one of its [`Route`], from its first byte, and encrypted from the second
//! message on if its cluster is to be spoken to so. Trusts nothing the server says: it must prove itself by SCRAM, bound to
//! its certificate where it shows one; a server that asks for a password in the clear, MD5 or nothing at all is refused, and so is
//! one that is not the server which the tenant's placement certificate is for.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use holm_core::cluster::Cluster;
use holm_core::credential::Level;
use holm_core::error::Problem;
use holm_core::id::TenantId;
use holm_core::placement::SystemIdentifier;
use holm_core::route::{Route, ServerLogin};
use holm_pgwire::backend::{self, Authentication, Backend};
use holm_pgwire::frame::{Frame, LOGIN_LENGTH_MAX};
use holm_pgwire::scram::choice::{Binding, Channel, NoChoice, choose};
use holm_pgwire::scram::client::{Awaiting, Opening};
use holm_pgwire::scram::keys::LoginKeys;
use holm_pgwire::scram::{self, ScramError};
use holm_pgwire::{fields, message};
use holm_tls::{Stream, TlsError};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::authentication::random;
use super::conversation::{Broken, Conversation};
use super::server_identity::{self, Answer, Unproven};
use super::sessions::ServerKey;
use super::stop::{Reason, Stop};
use super::{closing, refusal};

/// From the first SYN to ReadyForQuery. A server under load takes some 100 ms; one that is gone takes for ever.
pub(super) const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that is ready for its client.
#[derive(Debug)]
pub(super) struct Server {
    /// The one tenant that it is for.
    pub(super) tenant: TenantId,
    pub(super) stream: Stream,
    /// ParameterStatus and NoticeResponse messages for the client, as they came.
    pub(super) greeting: Vec<u8>,
    pub(super) key: Option<ServerKey>,
    /// Bytes after ReadyForQuery.
    pub(super) rest: Vec<u8>,
}

/// Why there is no connection.
#[derive(Clone, Debug)]
pub(super) enum Failed {
    /// In our words.
    Refused(Problem),
    /// In the server's: an ErrorResponse that concerns the client, as it came.
    Passed(Vec<u8>),
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("no connection to the server")]
    Connect,
    #[error("the server did not answer in time")]
    TimedOut,
    #[error("the server closed the connection during login")]
    Closed,
    #[error("the server broke the protocol during login")]
    Violation,
    #[error(transparent)]
    Tls(TlsError),
    #[error(transparent)]
    NoChoice(NoChoice),
    #[error("the server did not prove that it is the tenant's")]
    Scram(#[source] ScramError),
    #[error("the server refused Holm's login")]
    LoginRefused,
    #[error("the server did not prove that it is the one of the placement certificate")]
    Unproven(#[source] Unproven),
    #[error("the server refused the session")]
    Passed(Vec<u8>),
    #[error("the session was ended during its login")]
    Stopped(Reason),
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Failed(error) => holm_tls::refused(&error).map_or(Self::Closed, Self::Tls),
            Broken::Closed => Self::Closed,
            Broken::Malformed(_) => Self::Violation,
        }
    }
}

/// Opens a connection for a route's tenant and logs in with `startup`, which must name the role of `level`. While the keys
/// of roles are being replaced the server may know either, and a route that was read a moment ago may know neither: each key
/// is tried once, those of `latest` last. Whatever becomes of it, the server has closed its side before a failure is told, or
/// had its time to: a place in the budget is free then. `expected` is which server it has to be, if that is known.
///
/// # Cancel safety
/// Not safe: the server may go on with a login that nobody counts. `stop` is the way to end it early.
pub(super) async fn open(
    (cluster, route): (&Cluster, &Route),
    expected: Option<SystemIdentifier>,
    level: Level,
    startup: &[u8],
    stop: &Stop,
    latest: impl Fn() -> Option<Arc<Route>>,
) -> Result<Server, Failed> {
    let deadline = Instant::now() + LOGIN_TIMEOUT;
    let mut tried: Vec<ServerLogin> = Vec::new();
    let opened = loop {
        let now = if tried.is_empty() { None } else { latest() };
        let Some(login) = candidates(route, now.as_deref(), level).find(|login| !is_among(&tried, login)) else {
            break Err(Fault::LoginRefused);
        };
        match attempt((cluster, expected), login, startup, stop, deadline).await {
            Err(Fault::LoginRefused) => tried.push(login.clone()),
            Ok((stream, rest, steps)) => {
                break Ok(Server { tenant: route.tenant, stream, greeting: steps.greeting, key: steps.key, rest });
            }
            Err(fault) => break Err(fault),
        }
    };
    opened.map_err(|fault| match fault {
        Fault::Passed(message) => Failed::Passed(message),
        Fault::Stopped(reason) => Failed::Refused(refusal::stopped(reason)),
        Fault::Unproven(fault) => {
            tracing::error!(tenant.id = %route.tenant, cluster.id = %cluster.id, cluster.name = %cluster.name, %fault, "a server is not the one that its tenant's data may be on");
            Failed::Refused(refusal::not_the_server(&route.slug))
        }
        fault => {
            let source = std::error::Error::source(&fault).map(ToString::to_string);
            tracing::warn!(tenant.id = %route.tenant, cluster.id = %cluster.id, %fault, source, "a server connection could not be opened");
            Failed::Refused(refusal::server_unreachable(&route.slug, &fault.to_string()))
        }
    })
}

/// What may log in, likeliest first. The role must be the one that the startup packet names.
fn candidates<'a>(route: &'a Route, latest: Option<&'a Route>, level: Level) -> impl Iterator<Item = &'a ServerLogin> {
    let same_role = move |login: &&ServerLogin| route.login(level).is_some_and(|own| login.role == own.role);
    let of = move |route: &'a Route| route.login(level).into_iter().chain(route.next_login(level));
    of(route).chain(latest.into_iter().flat_map(of)).filter(same_role)
}

fn is_among(tried: &[ServerLogin], login: &ServerLogin) -> bool {
    tried.iter().any(|tried| tried.keys.client_key == login.keys.client_key)
}

/// One connection, one login.
async fn attempt(
    (cluster, expected): (&Cluster, Option<SystemIdentifier>),
    login: &ServerLogin,
    startup: &[u8],
    stop: &Stop,
    deadline: Instant,
) -> Result<(Stream, Vec<u8>, Steps), Fault> {
    let connected = tokio::select! {
        biased;
        reason = stop.ended() => Err(Fault::Stopped(reason)),
        // May be dropped: a server that accepted reads the end of the connection before it has begun anything.
        connected = timeout_at(deadline, connect(cluster)) => match connected {
            Ok(connected) => connected,
            Err(_) => Err(Fault::TimedOut),
        },
    };
    match connected {
        Ok(stream) => {
            let channel = (stream.channel(), if cluster.tls.must_bind() { Binding::Always } else { Binding::WherePossible });
            let mut conversation = Conversation::new(stream);
            let logged_in = tokio::select! {
                biased;
                reason = stop.ended() => Err(Fault::Stopped(reason)),
                logged_in = timeout_at(deadline, log_in(&mut conversation, (login, expected), channel, startup)) => logged_in.unwrap_or(Err(Fault::TimedOut)),
            };
            let (stream, rest) = conversation.into_parts();
            match logged_in {
                Ok(steps) => Ok((stream, rest, steps)),
                Err(fault) => {
                    closing::abandon(stream).await;
                    Err(fault)
                }
            }
        }
        Err(fault) => Err(fault),
    }
}

/// A connection to a cluster, encrypted if it is to be.
async fn connect(cluster: &Cluster) -> Result<Stream, Fault> {
    let stream = reach(cluster).await.map_err(|_| Fault::Connect)?;
    encrypt(stream, cluster).await.map_err(Fault::Tls)
}

/// As [`connect`], for a cancel request; of what is in the way nobody is told.
///
/// # Cancel safety
/// Safe: the connection is closed.
pub(super) async fn connect_to_cancel(cluster: &Cluster) -> std::io::Result<Stream> {
    let stream = reach(cluster).await?;
    encrypt(stream, cluster).await.map_err(std::io::Error::other)
}

async fn encrypt(stream: TcpStream, cluster: &Cluster) -> Result<Stream, TlsError> {
    holm_tls::encrypt(stream, &cluster.address.host, &cluster.tls, cluster.client_certificate.as_ref()).await
}

async fn reach(cluster: &Cluster) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((&*cluster.address.host, cluster.address.port)).await?;
    stream.set_nodelay(true)?;
    super::acceptor::keep_alive(&stream)?;
    Ok(stream)
}

async fn log_in(
    conversation: &mut Conversation<Stream>,
    (login, expected): (&ServerLogin, Option<SystemIdentifier>),
    channel: (Channel, Binding),
    startup: &[u8],
) -> Result<Steps, Fault> {
    conversation.send(startup).await?;
    let keys = LoginKeys { client_key: *login.keys.client_key.expose(), server_key: *login.keys.server_key.expose() };
    let mut steps = Steps { keys, channel, expected, stage: Stage::Asked, greeting: Vec::new(), key: None };
    loop {
        let frame = conversation.frame(LOGIN_LENGTH_MAX).await?;
        match steps.on_message(&frame)? {
            Step::Wait => {}
            Step::Answer(answer) => conversation.send(&answer).await?,
            Step::Ready => return Ok(steps),
        }
    }
}

/// How far the login is.
enum Stage {
    Asked,
    Opened(Opening),
    Proven(Awaiting),
    Verified,
    LoggedIn,
    /// Logged in, and was asked which server it is.
    Identifying(SystemIdentifier, Answer),
    /// A step failed; nothing may follow.
    Over,
}

enum Step {
    Wait,
    Answer(Vec<u8>),
    Ready,
}

struct Steps {
    keys: LoginKeys,
    /// What the login is bound to, and whether it must be.
    channel: (Channel, Binding),
    /// Which server it has to be.
    expected: Option<SystemIdentifier>,
    stage: Stage,
    greeting: Vec<u8>,
    key: Option<ServerKey>,
}

/// What a server may tell before the client's first statement, ParameterStatus and notices together.
const GREETING_LENGTH_MAX: usize = 64 * 1024;

impl Steps {
    fn on_message(&mut self, frame: &Frame<'_>) -> Result<Step, Fault> {
        let message = backend::parse(frame).map_err(|_| Fault::Violation)?;
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let (stage, step) = match (stage, message) {
            (Stage::Identifying(expected, answer), Backend::ErrorResponse(_) | Backend::ReadyForQuery(_) | Backend::Unexpected(_)) => {
                match answer.on_message(frame, expected) {
                    Ok(Some(answer)) => (Stage::Identifying(expected, answer), Step::Wait),
                    Ok(None) => (Stage::Over, Step::Ready),
                    Err(Unproven::Failed) => return Err(Fault::Passed(frame.whole.to_vec())),
                    Err(unproven) => return Err(Fault::Unproven(unproven)),
                }
            }
            (stage, Backend::ErrorResponse(body)) => return Err(self.refused(&stage, body, frame)),
            (stage, Backend::NoticeResponse(_)) => {
                self.greet(frame)?;
                (stage, Step::Wait)
            }
            (stage, Backend::Authentication(message)) => self.authenticate(stage, message)?,
            (stage @ (Stage::LoggedIn | Stage::Identifying(..)), Backend::ParameterStatus { .. }) => {
                self.greet(frame)?;
                (stage, Step::Wait)
            }
            (Stage::LoggedIn, Backend::BackendKeyData { process, key }) => {
                self.key = Some(ServerKey { process, key: key.into(), since: SystemTime::now(), close_needed: AtomicBool::new(false) });
                (Stage::LoggedIn, Step::Wait)
            }
            (Stage::LoggedIn, Backend::ReadyForQuery(_)) => match self.expected {
                Some(expected) => (Stage::Identifying(expected, Answer::Asked), Step::Wait),
                None => (Stage::Over, Step::Ready),
            },
            _ => return Err(Fault::Violation),
        };
        self.stage = stage;
        Ok(step)
    }

    fn authenticate(&self, stage: Stage, message: Authentication<'_>) -> Result<(Stage, Step), Fault> {
        let answer = |build: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            build(&mut out);
            Step::Answer(out)
        };
        match (stage, message) {
            (Stage::Asked, Authentication::Sasl(mechanisms)) => {
                let (channel, binding) = &self.channel;
                let chosen = choose(&mechanisms, channel, *binding, scram::nonce(random())).map_err(Fault::NoChoice)?;
                let first = answer(&|out| message::sasl_initial_response(out, chosen.mechanism, chosen.first.as_bytes()));
                Ok((Stage::Opened(chosen.opening), first))
            }
            (Stage::Asked, _) => Err(Fault::NoChoice(NoChoice::NotScram)),
            (Stage::Opened(opening), Authentication::SaslContinue(data)) => {
                let (awaiting, proof) = opening.respond(data, &self.keys).map_err(Fault::Scram)?;
                Ok((
                    Stage::Proven(awaiting),
                    answer(&|out| {
                        message::sasl_response(out, proof.as_bytes());
                        // The server reads it when the session is there.
                        if self.expected.is_some() {
                            server_identity::ask(out);
                        }
                    }),
                ))
            }
            (Stage::Proven(awaiting), Authentication::SaslFinal(data)) => {
                awaiting.verify(data).map_err(Fault::Scram)?;
                Ok((Stage::Verified, Step::Wait))
            }
            (Stage::Verified, Authentication::Ok) => Ok((Stage::LoggedIn, Step::Wait)),
            _ => Err(Fault::Violation),
        }
    }

    fn greet(&mut self, frame: &Frame<'_>) -> Result<(), Fault> {
        if self.greeting.len() + frame.whole.len() > GREETING_LENGTH_MAX {
            return Err(Fault::Violation);
        }
        self.greeting.extend_from_slice(frame.whole);
        Ok(())
    }

    /// An error about our login is ours to explain and names our role; any other is about the client's own parameters, or
    /// about the server's health, and says it best itself.
    fn refused(&self, stage: &Stage, body: &[u8], frame: &Frame<'_>) -> Fault {
        let fields = fields::parse(body);
        let code = String::from_utf8_lossy(fields.code.unwrap_or_default()).into_owned();
        let text = String::from_utf8_lossy(fields.message.unwrap_or_default()).into_owned();
        let ours = code.starts_with("28") || code.starts_with("3D") || code.is_empty();
        if ours {
            tracing::warn!(code, text, "a server refused Holm's login");
            // PostgreSQL, ClientAuthentication: `clientcert` in `pg_hba.conf`, asked before who logs in. Another key would not help.
            const WANTED: &str = "connection requires a valid client certificate";
            return if text == WANTED { Fault::Tls(TlsError::Refused(WANTED)) } else { Fault::LoginRefused };
        }
        let early = !matches!(stage, Stage::LoggedIn);
        tracing::info!(code, early, "a server refused a session");
        Fault::Passed(frame.whole.to_vec())
    }
}
