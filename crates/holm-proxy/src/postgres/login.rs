//! What a client goes through before it has a session: encryption, its startup packet, its proof, its tenant.
//!
//! Promises: nothing depends on what exists until the client has proven who it is; bytes that came in the clear before a
//! TLS handshake are never taken for bytes that came through it (CVE-2021-3935).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use holm_core::credential::Credential;
use holm_core::error::Problem;
use holm_core::route::{Admission, Refusal, RouteTable};
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use holm_pgwire::frame::Malformed;
use holm_pgwire::message;
use holm_pgwire::startup::{self, Opening, SessionRequest, TLS_HANDSHAKE, Version};
use tokio::io::AsyncWriteExt;

use super::authentication::{self, Claimant, Gate, Proof, authenticate, mock_secret, random, verifier_of};
use super::client::Client;
use super::console;
use super::conversation::{Broken, Conversation};
use super::pooling::Pooling;
use super::refusal;
use super::sessions::{Caller, Registered};
use super::socket::Socket;
use super::tenant_name::Names;
use super::tls::{Begun, reason};
use super::{GoodFor, Node};

/// Why a client gets no session.
pub(super) enum Failed {
    /// It is told why.
    Refused(Problem),
    /// Its certificate is not taken, for what revocation lists say; TLS has told it.
    Revoked(&'static str),
    /// There is nothing that it would understand, or nobody there.
    Cut(&'static str),
}

impl From<authentication::Failed> for Failed {
    fn from(failed: authentication::Failed) -> Self {
        match failed {
            authentication::Failed::Refused(problem) | authentication::Failed::Between(problem) => Self::Refused(problem),
            authentication::Failed::Broken(Broken::Malformed(malformed)) => Self::Refused(refusal::violation(&malformed.to_string())),
            authentication::Failed::Broken(_) => Self::Cut("the client went away during its login"),
        }
    }
}

/// What the first packet that is not about encryption asks for.
pub(super) enum First {
    Cancel {
        process: u32,
        key: Vec<u8>,
    },
    /// The body of a StartupMessage that reads.
    Session(Vec<u8>),
}

/// Answers requests for encryption and gives what comes then.
pub(super) async fn first_packet(node: &Node, conversation: &mut Conversation<Client>) -> Result<First, Failed> {
    begin_direct_tls(node, conversation).await?;
    let mut may_ask_gss = true;
    loop {
        let body = match conversation.startup().await {
            Ok(body) => body.to_vec(),
            Err(Broken::Malformed(_)) => return Err(Failed::Cut("the startup packet has an impossible length")),
            Err(_) => return Err(Failed::Cut("the client went away before its startup packet")),
        };
        match startup::parse(&body) {
            Ok(Opening::Tls) if !conversation.stream.is_encrypted() => {
                negotiate_tls(node, conversation).await?;
            }
            Ok(Opening::Gss) if may_ask_gss => {
                may_ask_gss = false;
                decline(conversation).await?;
            }
            Ok(Opening::Tls | Opening::Gss) => return Err(Failed::Cut("the client asked for encryption twice")),
            Ok(Opening::Cancel(request)) => return Ok(First::Cancel { process: request.process, key: request.key.to_vec() }),
            Ok(Opening::Session(_)) => return Ok(First::Session(body)),
            Err(Malformed::Version { major, minor }) => return Err(Failed::Refused(refusal::version(major, minor))),
            Err(malformed) => return Err(Failed::Refused(refusal::violation(&malformed.to_string()))),
        }
    }
}

async fn decline(conversation: &mut Conversation<Client>) -> Result<(), Failed> {
    conversation.send(&[message::TLS_NO]).await.map_err(|_| Failed::Cut("the client went away before its startup packet"))
}

/// Takes a client that begins with a TLS record at its word.
async fn begin_direct_tls(node: &Node, conversation: &mut Conversation<Client>) -> Result<(), Failed> {
    let (Some(_), Client::Plain(Socket::Here(stream))) = (&node.tls, &conversation.stream) else { return Ok(()) };
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1..) if first[0] == TLS_HANDSHAKE => handshake(node, conversation, Begun::Direct).await,
        Ok(1..) => Ok(()),
        Ok(0) | Err(_) => Err(Failed::Cut("the client went away before its startup packet")),
    }
}

async fn negotiate_tls(node: &Node, conversation: &mut Conversation<Client>) -> Result<(), Failed> {
    if node.tls.is_none() {
        return decline(conversation).await;
    }
    if conversation.has_more() {
        return Err(Failed::Cut("the client sent bytes in the clear behind its request for TLS"));
    }
    conversation.stream.write_all(&[message::TLS_YES]).await.map_err(|_| Failed::Cut("the client went away before TLS"))?;
    handshake(node, conversation, Begun::Negotiated).await
}

async fn handshake(node: &Node, conversation: &mut Conversation<Client>, begun: Begun) -> Result<(), Failed> {
    let Some(tls) = &node.tls else { return Err(Failed::Cut("there is no certificate")) };
    match std::mem::replace(&mut conversation.stream, Client::Away) {
        Client::Plain(stream) => {
            let session = tls.accept(stream, begun).await.map_err(|error| {
                node.counters.handshake_failed();
                tracing::debug!(%error, "a TLS handshake failed");
                reason(&error).map_or(Failed::Cut("the TLS handshake failed"), Failed::Revoked)
            })?;
            conversation.stream = Client::Tls(Box::new(session));
            Ok(())
        }
        Client::Tls(_) | Client::Away => Err(Failed::Cut("the client asked for encryption twice")),
    }
}

/// Who has proven who it is.
pub(super) enum Who {
    /// An app, with a credential.
    Credential(Proven),
    /// Somebody of the console.
    Console(console::Entered),
}

/// A client that has proven who it is.
pub(super) struct Proven {
    pub(super) credential: Arc<Credential>,
    /// The stored key of the password that it was.
    password: Secret<[u8; 32]>,
    names: Names,
    /// The tenant that its host name means in its environment.
    host: Option<TenantSlug>,
    version: Version,
    peer: SocketAddr,
    tls: Option<&'static str>,
    /// The end of the authentication, to be sent with what follows.
    pub(super) answer: Vec<u8>,
}

/// Has the client prove that it knows the secret of the credential it names.
pub(super) async fn prove(
    node: &Node,
    conversation: &mut Conversation<Client>,
    request: &SessionRequest<'_>,
    peer: SocketAddr,
) -> Result<Who, Failed> {
    if node.tls_required && !conversation.stream.is_encrypted() {
        return Err(Failed::Refused(refusal::tls_required()));
    }
    let names = Names::of(request);
    if node.good_for == GoodFor::Named && !conversation.stream.is_certified_as(&names.user) {
        return Err(Failed::Refused(refusal::certificate_for_another()));
    }
    let gate = Gate::new(node, peer.ip(), &names.user);
    gate.check()?;
    let host = conversation.stream.server_name().map(str::to_owned);
    let (credential, account, secret) = {
        let table = node.routes.load();
        let (named, secret) = (table.credential(&names.user), mock_secret(&table));
        // A name that is a credential's is nobody's in the console, wherever that credential is good.
        let account = if named.is_none() { node.console.account(&names.user, &secret) } else { None };
        (named.filter(|known| !is_foreign(&table, known, host.as_deref())).cloned(), account, secret)
    };
    let known = credential.as_deref().map(verifier_of).or_else(|| account.as_ref().map(|account| account.verifier.clone()));
    let claimant = Claimant::new(known, &names.user, &secret);
    let mut greeting = Vec::new();
    if request.needs_negotiation() {
        message::negotiate_protocol_version(&mut greeting, request.spoken(), &request.extensions);
    }
    let end_point = conversation.stream.end_point();
    let proof = authenticate(conversation, greeting, claimant, end_point.as_deref(), &gate).await;
    let Proof { answer, by_retiring } = proof.inspect_err(|failed| failed.count(&node.counters))?;
    if let Some(account) = account {
        if is_replication(request) {
            return Err(Failed::Refused(refusal::replication()));
        }
        return node.console.enter(account, &names, answer).map(Who::Console).map_err(Failed::Refused);
    }
    let credential = credential.ok_or_else(|| Failed::Refused(refusal::authentication_failed()))?;
    let host = host.and_then(|host| node.routes.load().environment(&credential.environment)?.domain.tenant_of(&host));
    let password = match &credential.retiring {
        Some(retiring) if by_retiring => retiring.stored_key.clone(),
        _ => credential.verifier.stored_key.clone(),
    };
    let tls = conversation.stream.tls_version();
    Ok(Who::Credential(Proven { credential, password, names, host, version: request.spoken(), peer, tls, answer }))
}

/// Whether the host name belongs to another environment than the credential (R1).
fn is_foreign(table: &RouteTable, credential: &Credential, host: Option<&str>) -> bool {
    let Some(host) = host else { return false };
    let mut owners = table.environments().filter(|environment| environment.domain.tenant_of(host).is_some());
    owners.any(|environment| environment.name != credential.environment)
}

/// Finds the tenant and enters the session, so that from now on a new table finds it.
pub(super) fn admit(node: &Node, request: &SessionRequest<'_>, proven: &Proven, pooling: Pooling) -> Result<Registered, Problem> {
    let tenant = proven.names.tenant(proven.host.as_ref())?;
    if is_replication(request) {
        return Err(refusal::replication());
    }
    let first = admission(&node.routes.load(), &proven.credential, &tenant)?;
    if node.sessions.count() >= node.clients_max {
        return Err(refusal::too_many_clients(node.clients_max));
    }
    let short_key = (!proven.version.has_long_cancel_key()).then(random);
    let application = request.parameter("application_name").map(String::from_utf8_lossy).unwrap_or_default();
    let caller =
        Caller { peer: proven.peer, since: SystemTime::now(), tls: proven.tls, application: refusal::shown(&application).into(), pooling };
    let registered = node.sessions.register(Arc::clone(&proven.credential), proven.password.clone(), first, short_key, caller);
    // A table that came between the look and the entry has not seen the entry; look again.
    match registered.forbidden_by(&node.routes.load()) {
        Some(reason) => Err(admission(&node.routes.load(), &proven.credential, &tenant).err().unwrap_or_else(|| refusal::stopped(reason))),
        None => Ok(registered),
    }
}

fn admission(table: &RouteTable, credential: &Credential, tenant: &str) -> Result<Admission, Problem> {
    table.admit(credential, tenant).map_err(|refused| match refused {
        Refusal::UnknownTenant => refusal::unknown_tenant(tenant),
        Refusal::Suspended(slug) => refusal::suspended(&slug),
        Refusal::Deleted(slug) => refusal::deleted(&slug),
        Refusal::Renamed { from, to } => refusal::renamed(&from, &to),
        Refusal::NoSuchLevel(slug, level) => refusal::no_such_level(&slug, level),
        Refusal::Withheld(slug, why) => refusal::withheld(&slug, why),
        Refusal::Finishing(slug) => refusal::finishing(&slug),
    })
}

/// PostgreSQL reads `replication` as a boolean, or as the word `database`.
fn is_replication(request: &SessionRequest<'_>) -> bool {
    let no: [&[u8]; 6] = [b"false", b"off", b"no", b"0", b"f", b"n"];
    request.parameter("replication").is_some_and(|value| !no.iter().any(|word| value.eq_ignore_ascii_case(word)))
}
