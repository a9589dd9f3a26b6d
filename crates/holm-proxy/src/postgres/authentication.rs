//! SCRAM-SHA-256 towards clients, with channel binding (PLUS) for those that came by TLS.
//!
//! Promises: an unknown user, a wrong password, a user of another environment and a proof that is bound to another certificate
//! take the same steps, send the same bytes and end in the same error.

use std::net::IpAddr;
use std::time::Instant;

use holm_core::credential::Credential;
use holm_core::error::Problem;
use holm_core::route::RouteTable;
use holm_core::scram::ITERATIONS;
use holm_pgwire::frame::LOGIN_LENGTH_MAX;
use holm_pgwire::scram::end_point::EndPoint;
use holm_pgwire::scram::keys::{Key, Verifier, hmac, mock_verifier};
use holm_pgwire::scram::server::{self, Channel};
use holm_pgwire::scram::{self, MECHANISM, MECHANISM_PLUS, ScramError};
use holm_pgwire::{frontend, message};
use tokio::io::{AsyncRead, AsyncWrite};

use super::conversation::{Broken, Conversation};
use super::counters::Counters;
use super::throttle::{Claim, Throttle};
use super::{Node, refusal};

/// Whose proof is asked for.
pub(super) struct Claimant {
    verifier: Verifier,
    /// Whether a proof lets anyone in.
    known: bool,
}

/// Who may try, and what becomes of it.
pub(super) struct Gate<'a> {
    throttle: &'a Throttle,
    counters: &'a Counters,
    claim: Claim,
}

impl<'a> Gate<'a> {
    pub(super) fn new(node: &'a Node, peer: IpAddr, name: &str) -> Self {
        Self { throttle: &node.throttle, counters: &node.counters, claim: node.throttle.claim(peer, name) }
    }

    /// Refuses who has failed too often.
    pub(super) fn check(&self) -> Result<(), Failed> {
        self.throttle.check(self.claim, Instant::now()).map_err(|throttled| {
            self.counters.throttle(throttled.rule);
            Failed::Refused(refusal::throttled(throttled.retry_after))
        })
    }

    fn failed(&self) {
        self.throttle.failed(self.claim, Instant::now());
    }

    fn succeeded(&self) {
        self.throttle.succeeded(self.claim, Instant::now());
    }
}

/// A proof that let somebody in.
pub(super) struct Proof {
    /// The last message, not yet sent.
    pub(super) answer: Vec<u8>,
    /// Whether it was the password that is being replaced.
    pub(super) by_retiring: bool,
}

/// Why there was no proof.
pub(super) enum Failed {
    Refused(Problem),
    /// As [`Failed::Refused`]; somebody may stand between the client and us.
    Between(Problem),
    Broken(Broken),
}

impl Failed {
    /// Counts what the client cannot be told.
    pub(super) fn count(&self, counters: &Counters) {
        if let Self::Between(_) = self {
            counters.channel_binding_refused();
            tracing::info!("a login was meant for another certificate than ours, or for a proxy without channel binding");
        }
    }
}

impl From<Broken> for Failed {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Claimant {
    /// The claimant of a name: a credential that may log in here or somebody of the console, or nobody. The stand-in for nobody is made either way, so
    /// that the time says nothing.
    pub(super) fn new(known: Option<Verifier>, name: &str, secret: &Key) -> Self {
        let nobody = mock_verifier(secret, name.as_bytes(), ITERATIONS);
        Self { known: known.is_some(), verifier: known.unwrap_or(nobody) }
    }
}

/// What the password of a credential is checked against.
pub(super) fn verifier_of(known: &Credential) -> Verifier {
    Verifier {
        salt: known.verifier.salt.to_vec(),
        iterations: known.verifier.iterations,
        stored_key: *known.verifier.stored_key.expose(),
        server_key: *known.verifier.server_key.expose(),
        second: known.retiring.as_ref().map(|keys| (*keys.stored_key.expose(), *keys.server_key.expose())),
    }
}

/// What the salts of unknown names come from: the same on every node and after every start, or asking again later would
/// tell an unknown name from a known one.
pub(super) fn mock_secret(table: &RouteTable) -> Key {
    let first = table.environments().min_by(|a, b| a.name.cmp(&b.name));
    let key = first.map_or([0; 32], |environment| *environment.header_key.expose());
    hmac(&key, &[b"holm mock verifiers"])
}

/// Carries out the exchange. `greeting` goes out with the first message; gives the last message, not yet sent, so that it
/// can go out with what follows. With an `end_point` channel binding is offered, and the client may do without it.
pub(super) async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
    conversation: &mut Conversation<S>,
    mut greeting: Vec<u8>,
    claimant: Claimant,
    end_point: Option<&EndPoint>,
    gate: &Gate<'_>,
) -> Result<Proof, Failed> {
    // The stronger first, as PostgreSQL does.
    let offered: &[&str] = if end_point.is_some() { &[MECHANISM_PLUS, MECHANISM] } else { &[MECHANISM] };
    message::authentication_sasl(&mut greeting, offered);
    conversation.send(&greeting).await?;

    let initial = response(conversation).await?;
    let initial = frontend::parse_sasl_initial(&initial).map_err(|malformed| violation(&malformed))?;
    let channel = channel(initial.mechanism, end_point).ok_or_else(|| violation(&"a SASL mechanism that was not offered"))?;
    let first = initial.data.ok_or_else(|| violation(&"a SASL exchange without a first message"))?;
    let (challenge, reply) = server::start(claimant.verifier, channel, first, &scram::nonce(random())).map_err(refused)?;
    let mut out = Vec::new();
    message::authentication_sasl_continue(&mut out, reply.as_bytes());
    conversation.send(&out).await?;

    let proof = response(conversation).await?;
    gate.check()?;
    let proven = challenge.finish(&proof);
    if matches!(proven, Err(ScramError::Proof | ScramError::OtherChannel)) {
        gate.failed();
    }
    let proven = proven.map_err(refused)?;
    if !claimant.known {
        // Nobody has a password for it, so that no proof ever gets here.
        gate.failed();
        return Err(Failed::Refused(refusal::authentication_failed()));
    }
    gate.succeeded();
    let mut out = Vec::new();
    message::authentication_sasl_final(&mut out, proven.server_final.as_bytes());
    message::authentication_ok(&mut out);
    Ok(Proof { answer: out, by_retiring: proven.by_second })
}

/// What a client makes of the channel binding by the mechanism that it chooses.
fn channel<'a>(mechanism: &[u8], end_point: Option<&'a EndPoint>) -> Option<Channel<'a>> {
    match end_point {
        Some(end_point) if mechanism == MECHANISM_PLUS.as_bytes() => Some(Channel::Bound(end_point)),
        Some(_) if mechanism == MECHANISM.as_bytes() => Some(Channel::Declined),
        None if mechanism == MECHANISM.as_bytes() => Some(Channel::Unbound),
        _ => None,
    }
}

/// Random bytes.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system has randomness, or nothing here is safe");
    bytes
}

async fn response<S: AsyncRead + AsyncWrite + Unpin>(conversation: &mut Conversation<S>) -> Result<Vec<u8>, Failed> {
    let frame = conversation.frame(LOGIN_LENGTH_MAX).await?;
    if frame.tag == frontend::RESPONSE { Ok(frame.body.to_vec()) } else { Err(violation(&"a message that is no answer to SASL")) }
}

fn violation(what: &dyn std::fmt::Display) -> Failed {
    Failed::Refused(refusal::violation(&what.to_string()))
}

fn refused(error: ScramError) -> Failed {
    match error {
        ScramError::Proof => Failed::Refused(refusal::authentication_failed()),
        ScramError::OtherChannel => Failed::Between(refusal::authentication_failed()),
        ScramError::Downgrade => Failed::Between(refusal::channel_binding_lost()),
        other => violation(&other),
    }
}
