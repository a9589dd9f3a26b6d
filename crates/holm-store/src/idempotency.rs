//! Requests under an idempotency key: who carries one out, and what was answered.
//!
//! Promises: of several that begin the same request at once one may go on; one that began and was never heard of again is
//! in nobody's way once its claim is over. The catalog's clock decides both. Refuses to read answers: they are sealed.

use std::time::Duration;

use holm_core::id::TokenId;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::{Corrupt, column};
use crate::sealed::Sealed;

/// What a request is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// Whose key it is.
    pub token: TokenId,
    /// The hash of the key.
    pub key: [u8; 32],
}

/// A request that is about to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin<'a> {
    /// What it is known by.
    pub name: Name,
    /// Over all that makes it this request and no other.
    pub fingerprint: [u8; 32],
    /// As people know it.
    pub request: &'a str,
    /// Whoever carries it out.
    pub claim: Uuid,
    /// How long nobody else may.
    pub claim_for: Duration,
    /// How long its answer is kept.
    pub keep_for: Duration,
}

/// What became of beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Begun {
    /// Go on, then [`finish`] or [`release`].
    Mine,
    /// It is under way elsewhere.
    Busy,
    /// It was answered.
    Answered(Sealed),
    /// The key belongs to another request, which is this one.
    Other(String),
}

/// A row that is over, or that was begun and never finished, is begun anew.
const BEGIN: &str = "\
INSERT INTO idempotency (token_id, key_hash, fingerprint, request, claim, claimed_until, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::bigint * interval '1 millisecond', now() + $7::bigint * interval '1 millisecond')
ON CONFLICT (token_id, key_hash) DO UPDATE
SET fingerprint = EXCLUDED.fingerprint,
    request = EXCLUDED.request,
    claim = EXCLUDED.claim,
    claimed_until = EXCLUDED.claimed_until,
    sealed_answer = NULL,
    expires_at = EXCLUDED.expires_at
WHERE idempotency.expires_at < now()
    OR (idempotency.sealed_answer IS NULL AND idempotency.claimed_until < now() AND idempotency.fingerprint = EXCLUDED.fingerprint)";
const FIND: &str = "SELECT fingerprint, request, sealed_answer FROM idempotency WHERE token_id = $1 AND key_hash = $2";
const FINISH: &str = "\
UPDATE idempotency
SET sealed_answer = $4
WHERE token_id = $1 AND key_hash = $2 AND claim = $3 AND sealed_answer IS NULL";
const RELEASE: &str = "DELETE FROM idempotency WHERE token_id = $1 AND key_hash = $2 AND claim = $3 AND sealed_answer IS NULL";
/// A thousand at a time, so that no transaction holds locks for long.
const CLEAN: &str = "\
DELETE FROM idempotency
WHERE (token_id, key_hash) IN (
    SELECT token_id, key_hash FROM idempotency WHERE expires_at < now() ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED
)";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[BEGIN, FIND, FINISH, RELEASE, CLEAN];

/// Takes a request in hand, or tells what became of it.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// What was taken and not returned is free again when its claim is over.
pub async fn begin(catalog: &Catalog, begin: &Begin<'_>) -> Result<Begun, StoreError> {
    let mut session = catalog.session().await?;
    let (token, key) = (begin.name.token.as_uuid(), begin.name.key.as_slice());
    let taken = session
        .execute(
            BEGIN,
            &[
                &token,
                &key,
                &begin.fingerprint.as_slice(),
                &begin.request,
                &begin.claim,
                &millis(begin.claim_for)?,
                &millis(begin.keep_for)?,
            ],
        )
        .await?;
    if taken > 0 {
        return Ok(Begun::Mine);
    }
    // Released a moment ago: whoever asks again gets it.
    let Some(row) = session.query_opt(FIND, &[&token, &key]).await? else { return Ok(Begun::Busy) };
    if column::get::<&[u8]>(&row, "fingerprint")? != begin.fingerprint {
        return Ok(Begun::Other(column::get(&row, "request")?));
    }
    Ok(column::get::<Option<&[u8]>>(&row, "sealed_answer")?.map_or(Begun::Busy, |answer| Begun::Answered(Sealed::new(answer))))
}

/// Keeps an answer. Returns whether the request was still ours.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn finish(catalog: &Catalog, name: &Name, claim: Uuid, answer: &Sealed) -> Result<bool, StoreError> {
    let (token, key) = (name.token.as_uuid(), name.key.as_slice());
    Ok(catalog.session().await?.execute(FINISH, &[&token, &key, &claim, &answer.as_bytes()]).await? > 0)
}

/// Forgets a request that changed nothing, so that it can be carried out when it is sent again.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn release(catalog: &Catalog, name: &Name, claim: Uuid) -> Result<(), StoreError> {
    catalog.session().await?.execute(RELEASE, &[&name.token.as_uuid(), &name.key.as_slice(), &claim]).await.map(drop)
}

/// Forgets what is over, a thousand at the most. Returns how many.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn clean(catalog: &Catalog) -> Result<u64, StoreError> {
    catalog.session().await?.execute(CLEAN, &[]).await
}

fn millis(duration: Duration) -> Result<i64, StoreError> {
    i64::try_from(duration.as_millis()).corrupt("claimed_until")
}
