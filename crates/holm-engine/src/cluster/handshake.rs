//! How a server lets a role in: one login with what the data plane logs in with, and an end.
//!
//! Promises: the password is never sent, whatever the server asks for; what comes back as SCRAM are keys that this server
//! has just accepted, after it proved that it knows them too; over TLS, bound to its certificate, as every login of the data plane.

use std::num::NonZeroU32;
use std::time::Duration;

use holm_core::capability::Authentication;
use holm_core::cluster::ServerAddress;
use holm_core::operation::journal::Digest;
use holm_core::scram::LoginKeys;
use holm_core::secret::Secret;
use holm_pgwire::backend::{self, Authentication as Asked, Backend};
use holm_pgwire::frame::{self, LOGIN_LENGTH_MAX};
use holm_pgwire::message::SSL_REQUEST;
use holm_pgwire::scram::choice::{Binding, Chosen, NoChoice, choose};
use holm_pgwire::scram::client::Awaiting;
use holm_pgwire::scram::{self, keys};
use holm_pgwire::{fields, message};
use holm_tls::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connect::Access;
use super::encrypted;
use super::trouble::ClusterError;
use crate::operation::digest;
use crate::secret::random;

const ACT: &str = "log in by SCRAM";

/// As for every other login.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More than PostgreSQL derives with by default by three orders of magnitude; a stranger must not have us hash for minutes.
const ITERATIONS_MAX: u32 = 4_000_000;

/// Method 3 and 5 of an authentication request (PostgreSQL, "Message Formats").
const CLEARTEXT: u32 = 3;
const MD5: u32 = 5;

/// How the role was let in, or would have been.
pub(crate) enum Handshake {
    /// With these keys.
    Scram(LoginKeys),
    /// By another method, which was not answered.
    Otherwise(Authentication),
}

/// A login that was tried, and what the server showed on the way.
pub(crate) struct Shaken {
    /// How the role was let in.
    pub(crate) handshake: Handshake,
    /// The SHA-256 of the public key that it has over TLS.
    pub(crate) tls_key: Option<Digest>,
}

impl Handshake {
    /// The method.
    pub(crate) const fn authentication(&self) -> Authentication {
        match self {
            Self::Scram(_) => Authentication::Scram,
            Self::Otherwise(method) => *method,
        }
    }
}

/// Whether a server offers TLS.
///
/// # Cancel safety
/// Safe.
pub(crate) async fn offers_tls(address: &ServerAddress) -> Result<bool, ClusterError> {
    let asked = async {
        let mut stream = TcpStream::connect((&*address.host, address.port)).await?;
        stream.write_all(&SSL_REQUEST).await?;
        stream.read_u8().await
    };
    let answer = timeout(TIMEOUT, asked).await.map_err(|_| ClusterError::silent("ask for TLS", TIMEOUT))?;
    Ok(answer.map_err(|source| ClusterError::Wire { act: "ask for TLS", source })? == b'S')
}

/// Logs in, and out again.
///
/// # Cancel safety
/// Safe: the server sees a client that went away.
pub(crate) async fn shake(access: &Access) -> Result<Shaken, ClusterError> {
    timeout(TIMEOUT, log_in(access)).await.map_err(|_| ClusterError::silent(ACT, TIMEOUT))?
}

/// A stream and what was read of it.
struct Wire {
    stream: Stream,
    read: Vec<u8>,
}

/// What matters of a message during a login.
enum Said {
    Ok,
    Sasl(Vec<Vec<u8>>),
    Continue(Vec<u8>),
    Final(Vec<u8>),
    Other(u32),
}

fn wire(source: std::io::Error) -> ClusterError {
    ClusterError::Wire { act: ACT, source }
}

fn unexpected(found: impl std::fmt::Display) -> ClusterError {
    ClusterError::Unexpected { act: ACT, found: found.to_string() }
}

async fn log_in(access: &Access) -> Result<Shaken, ClusterError> {
    let stream = encrypted::connect(ACT, access).await?;
    let tls_key = stream.server_key().map(|key| digest::hash(&key));
    let handshake = greet(stream, access).await?;
    Ok(Shaken { handshake, tls_key })
}

async fn greet(stream: Stream, access: &Access) -> Result<Handshake, ClusterError> {
    let mut wire = Wire { stream, read: Vec::new() };
    let parameters = [("user", access.role.as_str()), ("database", access.home()), ("application_name", "holm")]
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    wire.send(|out| message::startup(out, parameters)).await?;
    match wire.said().await? {
        Said::Sasl(offered) => match begin(&wire, &offered, access) {
            Ok(chosen) => prove(&mut wire, chosen, &access.password).await.map(Handshake::Scram),
            Err(NoChoice::NotScram) => Ok(Handshake::Otherwise(Authentication::Other)),
            Err(NoChoice::NotBound) => Err(unexpected(NoChoice::NotBound)),
        },
        Said::Ok => Ok(Handshake::Otherwise(Authentication::Trust)),
        Said::Other(CLEARTEXT) => Ok(Handshake::Otherwise(Authentication::Password)),
        Said::Other(MD5) => Ok(Handshake::Otherwise(Authentication::Md5)),
        Said::Other(_) => Ok(Handshake::Otherwise(Authentication::Other)),
        Said::Continue(_) | Said::Final(_) => Err(unexpected("an answer to what was not asked")),
    }
}

fn begin(wire: &Wire, offered: &[Vec<u8>], access: &Access) -> Result<Chosen, NoChoice> {
    let offered: Vec<&[u8]> = offered.iter().map(Vec::as_slice).collect();
    let binding = if access.tls.must_bind() { Binding::Always } else { Binding::WherePossible };
    choose(&offered, &wire.stream.channel(), binding, scram::nonce(random::bytes()))
}

async fn prove(wire: &mut Wire, chosen: Chosen, password: &Secret<String>) -> Result<LoginKeys, ClusterError> {
    let Chosen { mechanism, opening, first } = chosen;
    wire.send(|out| message::sasl_initial_response(out, mechanism, first.as_bytes())).await?;
    let Said::Continue(challenge) = wire.said().await? else { return Err(unexpected("no challenge")) };
    let derivation = opening.derivation(&challenge).map_err(unexpected)?;
    if derivation.iterations.get() > ITERATIONS_MAX {
        return Err(unexpected(format!("{} iterations, more than {ITERATIONS_MAX}", derivation.iterations)));
    }
    let keys = derive(password.clone(), derivation.salt, derivation.iterations).await;
    let (awaiting, proof) = opening.respond(&challenge, &keys).map_err(unexpected)?;
    wire.send(|out| message::sasl_response(out, proof.as_bytes())).await?;
    proven(wire, awaiting).await?;
    Ok(LoginKeys { client_key: Secret::new(keys.client_key), server_key: Secret::new(keys.server_key) })
}

async fn derive(password: Secret<String>, salt: Vec<u8>, iterations: NonZeroU32) -> keys::LoginKeys {
    let work = move || keys::LoginKeys::derive(password.expose().as_bytes(), &salt, iterations);
    tokio::task::spawn_blocking(work).await.expect("hashing does not panic")
}

/// The server proves itself, and lets us in.
async fn proven(wire: &mut Wire, awaiting: Awaiting) -> Result<(), ClusterError> {
    let Said::Final(proof) = wire.said().await? else { return Err(unexpected("no proof of the server's")) };
    awaiting.verify(&proof).map_err(unexpected)?;
    let Said::Ok = wire.said().await? else { return Err(unexpected("no end of the login")) };
    // Terminate; that it does not arrive does not matter.
    let _ = wire.send(|out| out.extend(message::TERMINATE)).await;
    Ok(())
}

impl Wire {
    async fn send(&mut self, build: impl FnOnce(&mut Vec<u8>)) -> Result<(), ClusterError> {
        let mut out = Vec::new();
        build(&mut out);
        self.stream.write_all(&out).await.map_err(wire)?;
        self.stream.flush().await.map_err(wire)
    }

    async fn said(&mut self) -> Result<Said, ClusterError> {
        loop {
            if let Some(found) = frame::scan(&self.read, LOGIN_LENGTH_MAX).map_err(unexpected)? {
                let (said, length) = (understood(&found)?, found.whole.len());
                self.read.drain(..length);
                match said {
                    Some(said) => return Ok(said),
                    None => continue,
                }
            }
            if self.stream.read_buf(&mut self.read).await.map_err(wire)? == 0 {
                return Err(ClusterError::Wire { act: ACT, source: std::io::ErrorKind::UnexpectedEof.into() });
            }
        }
    }
}

/// Notices, and what comes after the login, say nothing here.
fn understood(found: &frame::Frame<'_>) -> Result<Option<Said>, ClusterError> {
    Ok(match backend::parse(found).map_err(unexpected)? {
        Backend::Authentication(Asked::Ok) => Some(Said::Ok),
        Backend::Authentication(Asked::Sasl(mechanisms)) => Some(Said::Sasl(mechanisms.iter().map(|name| name.to_vec()).collect())),
        Backend::Authentication(Asked::SaslContinue(data)) => Some(Said::Continue(data.to_vec())),
        Backend::Authentication(Asked::SaslFinal(data)) => Some(Said::Final(data.to_vec())),
        Backend::Authentication(Asked::Other(method)) => Some(Said::Other(method)),
        Backend::ErrorResponse(body) => {
            let fields = fields::parse(body);
            let text = |field: Option<&[u8]>| String::from_utf8_lossy(field.unwrap_or_default()).into_owned();
            return Err(ClusterError::Said { act: ACT, state: text(fields.code), message: text(fields.message) });
        }
        Backend::NoticeResponse(_) => None,
        _ => return Err(unexpected("a message that has no place in a login")),
    })
}
