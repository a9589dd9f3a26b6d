//! SCRAM-SHA-256 towards clients.
//!
//! Promises: an unknown user, a wrong password and a user of another environment take the same steps, send the same bytes
//! and end in the same error.

use holm_core::credential::Credential;
use holm_core::error::Problem;
use holm_core::route::RouteTable;
use holm_core::scram::ITERATIONS;
use holm_pgwire::frame::LOGIN_LENGTH_MAX;
use holm_pgwire::scram::keys::{Key, Verifier, hmac, mock_verifier};
use holm_pgwire::scram::{self, MECHANISM, ScramError, server};
use holm_pgwire::{frontend, message};
use tokio::io::{AsyncRead, AsyncWrite};

use super::conversation::{Broken, Conversation};
use super::refusal;

/// Whose proof is asked for.
pub(super) struct Claimant {
    verifier: Verifier,
    /// Whether a proof lets anyone in.
    known: bool,
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
    Broken(Broken),
}

impl From<Broken> for Failed {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Claimant {
    /// The claimant of a name: a credential that may log in here, or nobody. The stand-in for nobody is made either way, so
    /// that the time says nothing.
    pub(super) fn new(known: Option<&Credential>, name: &str, secret: &Key) -> Self {
        let nobody = mock_verifier(secret, name.as_bytes(), ITERATIONS);
        let verifier = known.map(|known| Verifier {
            salt: known.verifier.salt.to_vec(),
            iterations: known.verifier.iterations,
            stored_key: *known.verifier.stored_key.expose(),
            server_key: *known.verifier.server_key.expose(),
            second: known.retiring.as_ref().map(|keys| (*keys.stored_key.expose(), *keys.server_key.expose())),
        });
        Self { known: verifier.is_some(), verifier: verifier.unwrap_or(nobody) }
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
/// can go out with what follows.
pub(super) async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
    conversation: &mut Conversation<S>,
    mut greeting: Vec<u8>,
    claimant: Claimant,
) -> Result<Proof, Failed> {
    message::authentication_sasl(&mut greeting, &[MECHANISM]);
    conversation.send(&greeting).await?;

    let initial = response(conversation).await?;
    let initial = frontend::parse_sasl_initial(&initial).map_err(|malformed| violation(&malformed))?;
    if initial.mechanism != MECHANISM.as_bytes() {
        return Err(violation(&"a SASL mechanism that was not offered"));
    }
    let first = initial.data.ok_or_else(|| violation(&"a SASL exchange without a first message"))?;
    let (challenge, reply) = server::start(claimant.verifier, first, &scram::nonce(random())).map_err(refused)?;
    let mut out = Vec::new();
    message::authentication_sasl_continue(&mut out, reply.as_bytes());
    conversation.send(&out).await?;

    let proof = response(conversation).await?;
    let proven = challenge.finish(&proof).map_err(refused)?;
    if !claimant.known {
        return Err(Failed::Refused(refusal::authentication_failed()));
    }
    let mut out = Vec::new();
    message::authentication_sasl_final(&mut out, proven.server_final.as_bytes());
    message::authentication_ok(&mut out);
    Ok(Proof { answer: out, by_retiring: proven.by_second })
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
        other => violation(&other),
    }
}
