//! A request that is sent twice under one key is carried out once, and answered twice with the same answer.
//!
//! Promises: while a request is carried out nobody else carries it out; it is carried out to its end although the caller
//! went away, since that is when it is sent again. One that was cut by the end of its process is carried out anew after
//! 75 s; what it did in its transactions stands, and is then refused by what refuses doing it twice: names that are taken,
//! states that were left. Answers are sealed with a key made of the installation's and of the caller's own, because
//! they may hold a secret: neither the catalog alone nor the caller's key alone opens them.

use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::TokenId;
use holm_core::secret::Secret;
use holm_store::idempotency::{self, Begin, Begun, Name};
use holm_store::sealed::Sealed;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::control::Control;
use crate::reconcile::backoff;

/// Longer than any request is given.
const CLAIM_FOR: Duration = Duration::from_secs(75);

/// Scripts that run once a day find the answer of yesterday's attempt.
const KEEP_FOR: Duration = Duration::from_secs(24 * 3600);

/// How long the second waits for the answer of the first, where nothing else is said.
pub const PATIENCE: Duration = Duration::from_secs(30);

const LOOK: Duration = Duration::from_millis(100);

/// A request that may be sent again.
#[derive(Debug)]
pub struct Request {
    /// Whose it is.
    pub token: TokenId,
    /// Its key.
    pub key: Secret<String>,
    /// As people know it: `POST /v1/environments/production/tenants`.
    pub line: String,
    /// All that makes it this request and no other: parameters, preconditions, body.
    pub content: Vec<u8>,
}

/// What was answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// The headers that belong to it.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
    /// Whether it is given again; not if nothing changed and it may be another one later.
    #[serde(skip, default)]
    pub keep: bool,
}

/// Whose answer it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answered {
    /// Of this request.
    Now(Answer),
    /// Of an earlier one.
    Before(Answer),
}

/// Carries a request out, or gives the answer that it had; for that of one that is under way it waits as long as `patience`.
///
/// # Errors
/// [`ErrorCode::IdempotencyConflict`], [`ErrorCode::IdempotencyInProgress`], [`ErrorCode::AnswerGone`]; the catalog does
/// not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished, and its answer kept.
pub async fn once(
    control: &Control,
    request: Request,
    patience: Duration,
    act: impl Future<Output = Answer> + Send + 'static,
) -> Result<Answered, Problem> {
    let name = Name { token: request.token, key: hash(request.key.expose().as_bytes()) };
    let fingerprint = fingerprint(&request);
    let claim = Uuid::now_v7();
    let begin = Begin { name, fingerprint, request: &request.line, claim, claim_for: CLAIM_FOR, keep_for: KEEP_FOR };
    let deadline = Instant::now() + patience;
    loop {
        match idempotency::begin(control.catalog(), &begin).await? {
            Begun::Mine => break,
            Begun::Busy if Instant::now() < deadline => sleep(backoff::jittered(LOOK)).await,
            Begun::Busy => return Err(in_progress()),
            Begun::Answered(sealed) => return open(control, &request, &fingerprint, &sealed).map(Answered::Before),
            Begun::Other(other) => return Err(conflict(&request.line, &other)),
        }
    }
    let finishing = finish(control.clone(), name, claim, seal_key(control, &request), fingerprint, act);
    control.tasks().finish("answer a request", finishing).await.map(Answered::Now)
}

async fn finish(
    control: Control,
    name: Name,
    claim: Uuid,
    key: RandomizedNonceKey,
    fingerprint: [u8; 32],
    act: impl Future<Output = Answer>,
) -> Result<Answer, Problem> {
    let answer = act.await;
    let kept = if answer.keep {
        idempotency::finish(control.catalog(), &name, claim, &seal(&key, &fingerprint, &answer)).await.map(drop)
    } else {
        idempotency::release(control.catalog(), &name, claim).await
    };
    if let Err(error) = kept {
        // The caller has its answer; only whoever asks again waits until the claim is over.
        tracing::warn!(%error, "the answer of a request could not be kept");
    }
    Ok(answer)
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The line cannot end where the content begins: it has no zero byte.
fn fingerprint(request: &Request) -> [u8; 32] {
    hash(&[request.line.as_bytes(), b"\0", &request.content].concat())
}

fn seal_key(control: &Control, request: &Request) -> RandomizedNonceKey {
    let installation = hmac::Key::new(hmac::HMAC_SHA256, control.derived_key("idempotent answers").expose());
    let key = hmac::sign(&installation, request.key.expose().as_bytes());
    RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).expect("HMAC-SHA-256 has the 32 bytes that AES-256 takes")
}

fn seal(key: &RandomizedNonceKey, fingerprint: &[u8; 32], answer: &Answer) -> Sealed {
    let mut body = serde_json::to_vec(answer).expect("an answer is made of texts");
    let nonce = key.seal_in_place_append_tag(Aad::from(fingerprint), &mut body).expect("an answer is within AES-GCM's limit");
    Sealed::new([nonce.as_ref().as_slice(), &body].concat())
}

fn open(control: &Control, request: &Request, fingerprint: &[u8; 32], sealed: &Sealed) -> Result<Answer, Problem> {
    let opened = || {
        let (nonce, body) = sealed.as_bytes().split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        let plain = seal_key(control, request).open_in_place(nonce, Aad::from(fingerprint), &mut body).ok()?;
        serde_json::from_slice(plain).ok()
    };
    opened().ok_or_else(gone)
}

fn in_progress() -> Problem {
    Problem::new(ErrorCode::IdempotencyInProgress, "the first request with this idempotency key is not answered yet")
        .next("send it again in a moment")
}

fn conflict(line: &str, other: &str) -> Problem {
    let why = if line == other { format!("the first, `{other}`, had another content") } else { format!("the first was `{other}`") };
    Problem::new(ErrorCode::IdempotencyConflict, "the idempotency key was used for another request")
        .because(why)
        .next("make a new key for each thing that you want done")
}

fn gone() -> Problem {
    Problem::new(ErrorCode::AnswerGone, "the request with this idempotency key was carried out, and its answer cannot be given again")
        .because("what is kept of it cannot be opened with the keys of this installation")
        .changed(Changed::Something)
        .next("look at what it made; if that has a secret, make it anew")
}
