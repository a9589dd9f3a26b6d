//! What is to be told to a webhook, what was, and what could not be.
//!
//! Promises: an entry of the audit log is told to a webhook under one id, however often; what happened to an attempt is
//! written only by the process that holds the webhook's lease.

use std::time::Duration;

use holm_core::id::{MessageId, WebhookId};
use holm_core::webhook::WebhookName;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;
use crate::webhook::lease::Leased;

/// One thing told, or to be told, to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its identity, the same in every attempt.
    pub id: MessageId,
    /// The entry of the audit log.
    pub seq: i64,
    /// What was done.
    pub action: String,
    /// `pending`, `delivered` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was noticed.
    pub created_at: Timestamp,
    /// When it is tried next, if it is.
    pub next_at: Option<Timestamp>,
    /// When it was delivered or given up.
    pub ended_at: Option<Timestamp>,
    /// The status of the last answer.
    pub last_status: Option<i32>,
    /// Its first line, or why there was none.
    pub last_line: Option<String>,
}

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its identity.
    pub id: MessageId,
    /// The entry of the audit log.
    pub seq: i64,
    /// What was done.
    pub action: String,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// Its first line, or why there was none; 200 characters at the most.
    pub line: String,
    /// Whether it was taken.
    pub taken: bool,
}

/// What the catalog made of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// It goes on.
    Done,
    /// The message was given up, and the webhook took everything before.
    Died,
    /// The lease is somebody else's.
    Overtaken,
}

const INSERT: &str = "\
INSERT INTO webhook_delivery (id, webhook_id, seq, action)
SELECT i, $1, s, a
FROM unnest($2::uuid[], $3::bigint[], $4::text[]) AS n (i, s, a)
ON CONFLICT DO NOTHING";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.seq, d.action, d.state, d.attempts, d.created_at, d.ended_at, d.last_status, d.last_line,\n",
            "    CASE WHEN d.state = 'pending' THEN d.next_at END AS next_at\n",
            "FROM webhook_delivery d\n",
            $rest
        )
    };
}

const DUE: &str = select!(
    "WHERE d.webhook_id = $1 AND d.state = 'pending' AND d.next_at <= now()\n\
     ORDER BY d.seq\n\
     LIMIT 1"
);
const LIST: &str = select!(
    "JOIN webhook w ON w.id = d.webhook_id\n\
     WHERE w.name = $1 AND w.disabled_at IS NULL AND ($2::text IS NULL OR d.state = $2)\n\
     ORDER BY d.seq DESC\n\
     LIMIT 100"
);
/// The webhook's row first, so that two that would record wait for each other in one order.
const HOLD: &str = "\
UPDATE webhook
SET leased_until = now() + make_interval(secs => $3),
    failures = CASE WHEN $4 THEN 0 ELSE failures + 1 END,
    paused_until = CASE WHEN $4 THEN NULL ELSE now() + make_interval(secs => $5) END,
    died_at = CASE WHEN $4 THEN NULL ELSE died_at END
WHERE id = $1 AND lease_epoch = $2 AND disabled_at IS NULL
RETURNING died_at IS NOT NULL AS dead";
const TAKEN: &str = "\
UPDATE webhook_delivery
SET state = 'delivered', ended_at = now(), attempts = attempts + 1, last_status = $2, last_line = $3
WHERE id = $1 AND state = 'pending'";
const FAILED: &str = "\
UPDATE webhook_delivery
SET attempts = attempts + 1, last_status = $2, last_line = $3, next_at = now() + make_interval(secs => $4),
    state = CASE WHEN until <= now() THEN 'dead' ELSE state END,
    ended_at = CASE WHEN until <= now() THEN now() END
WHERE id = $1 AND state = 'pending'
RETURNING state";
const DIE: &str = "UPDATE webhook SET died_at = now() WHERE id = $1";
/// Whoever asks for it has done something about the failures: the pause ends as well.
const REPLAY: &str = "\
WITH w AS (
    UPDATE webhook SET paused_until = NULL WHERE name = $1 AND disabled_at IS NULL RETURNING id
)
UPDATE webhook_delivery d
SET state = 'pending', ended_at = NULL, next_at = now(), until = now() + interval '24 hours'
FROM w
WHERE d.id = $2 AND d.webhook_id = w.id
RETURNING w.id";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[INSERT, DUE, LIST, HOLD, TAKEN, FAILED, DIE, REPLAY];

/// Keeps what is to be told, under ids of its own; what is there already stays.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn insert(tx: &mut Tx, webhook: WebhookId, messages: &[NewMessage]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = messages.iter().map(|message| message.id.as_uuid()).collect();
    let seqs: Vec<i64> = messages.iter().map(|message| message.seq).collect();
    let actions: Vec<&str> = messages.iter().map(|message| message.action.as_str()).collect();
    tx.execute(INSERT, &[&webhook.as_uuid(), &ids, &seqs, &actions]).await.map(|_| ())
}

/// The oldest that is to be tried now.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn due(catalog: &Catalog, webhook: WebhookId) -> Result<Option<Delivery>, StoreError> {
    catalog.session().await?.query_opt(DUE, &[&webhook.as_uuid()]).await?.as_ref().map(read).transpose()
}

/// The newest hundred of a webhook, all or of one state.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog, name: &WebhookName, state: Option<&str>) -> Result<Vec<Delivery>, StoreError> {
    catalog.session().await?.query(LIST, &[&name.as_str(), &state]).await?.iter().map(read).collect()
}

/// Writes what happened to an attempt, and holds the lease on; after a failure the message is tried again after `message`, and
/// the webhook left alone for `pause`.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back, and the message told again under its id.
pub async fn record(tx: &mut Tx, leased: &Leased, id: MessageId, attempt: &Attempt, waits: Waits) -> Result<Recorded, StoreError> {
    let webhook = leased.webhook.id.as_uuid();
    let held =
        tx.query_opt(HOLD, &[&webhook, &leased.epoch, &waits.lease.as_secs_f64(), &attempt.taken, &waits.pause.as_secs_f64()]).await?;
    let Some(held) = held else { return Ok(Recorded::Overtaken) };
    let status = attempt.status.map(i32::from);
    if attempt.taken {
        tx.execute(TAKEN, &[&id.as_uuid(), &status, &attempt.line]).await?;
        return Ok(Recorded::Done);
    }
    let row = tx.query_opt(FAILED, &[&id.as_uuid(), &status, &attempt.line, &waits.message.as_secs_f64()]).await?;
    let gave_up = match row {
        Some(row) => column::get::<&str>(&row, "state")? == "dead",
        None => false,
    };
    if !gave_up || column::get(&held, "dead")? {
        return Ok(Recorded::Done);
    }
    tx.execute(DIE, &[&webhook]).await?;
    Ok(Recorded::Died)
}

/// How long things wait after an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// The lease, from now on.
    pub lease: Duration,
    /// The message, if it failed.
    pub message: Duration,
    /// The webhook, if it failed.
    pub pause: Duration,
}

/// Tells a message again, under its id. Returns `None` if that webhook has none of that id.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn replay(tx: &mut Tx, name: &WebhookName, id: MessageId) -> Result<Option<WebhookId>, StoreError> {
    let row = tx.query_opt(REPLAY, &[&name.as_str(), &id.as_uuid()]).await?;
    row.map(|row| column::uuid(&row, "id").map(WebhookId::from_uuid)).transpose()
}

fn read(row: &Row) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: MessageId::from_uuid(column::uuid(row, "id")?),
        seq: column::get(row, "seq")?,
        action: column::get(row, "action")?,
        state: column::get(row, "state")?,
        attempts: column::count(row, "attempts")?,
        created_at: column::get(row, "created_at")?,
        next_at: column::get(row, "next_at")?,
        ended_at: column::get(row, "ended_at")?,
        last_status: column::get(row, "last_status")?,
        last_line: column::get(row, "last_line")?,
    })
}
