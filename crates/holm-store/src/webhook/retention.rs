//! How much waits to be told, and what was told long enough ago to be forgotten.
//!
//! Promises: nothing that is still to be told is forgotten, unless nobody listens any more.

use std::time::Duration;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;

/// How the messages of all webhooks stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// To be told.
    pub waiting: u64,
    /// Given up, and not forgotten yet.
    pub dead: u64,
    /// How long the oldest has waited; zero if none does.
    pub oldest: Duration,
}

/// How the mails stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailBacklog {
    /// Entries of the audit log that were not looked at for mails.
    pub waiting: u64,
    /// How long the oldest of them has waited.
    pub oldest: Duration,
    /// Failures in a row.
    pub failures: u64,
}

const BACKLOG: &str = "\
SELECT w.waiting, w.oldest_ms,
    (SELECT count(*) FROM webhook_delivery d JOIN webhook h ON h.id = d.webhook_id
        WHERE d.state = 'dead' AND h.disabled_at IS NULL) AS dead
FROM (
    SELECT count(*) AS waiting,
        (extract(epoch FROM greatest(coalesce(now() - min(d.created_at), interval '0'), interval '0')) * 1000)::bigint AS oldest_ms
    FROM webhook_delivery d
    JOIN webhook h ON h.id = d.webhook_id
    WHERE d.state = 'pending' AND h.disabled_at IS NULL
) AS w";
const MAIL_BACKLOG: &str = "\
SELECT greatest(a.seq - m.seq, 0) AS waiting, m.failures::bigint AS failures,
    (extract(epoch FROM greatest(coalesce(now() - e.at, interval '0'), interval '0')) * 1000)::bigint AS oldest_ms
FROM mail_head m
CROSS JOIN audit_head a
LEFT JOIN audit_entry e ON e.seq = m.seq + 1";
/// A thousand at a time, so that no transaction holds locks for long.
const FORGET: &str = "\
DELETE FROM webhook_delivery
WHERE id IN (
    SELECT d.id
    FROM webhook_delivery d
    JOIN webhook w ON w.id = d.webhook_id
    WHERE d.state = 'delivered' AND d.ended_at < now() - make_interval(secs => $1)
        OR d.state = 'dead' AND d.ended_at < now() - make_interval(secs => $2)
        OR w.disabled_at < now() - make_interval(secs => $1)
    LIMIT 1000
)";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[BACKLOG, MAIL_BACKLOG, FORGET];

/// How the messages of all webhooks stand.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn backlog(catalog: &Catalog) -> Result<Backlog, StoreError> {
    let row = catalog.session().await?.query_one(BACKLOG, &[]).await?;
    let oldest = Duration::from_millis(column::count_big(&row, "oldest_ms")?);
    Ok(Backlog { waiting: column::count_big(&row, "waiting")?, dead: column::count_big(&row, "dead")?, oldest })
}

/// How the mails stand.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn mail_backlog(catalog: &Catalog) -> Result<MailBacklog, StoreError> {
    let row = catalog.session().await?.query_one(MAIL_BACKLOG, &[]).await?;
    let oldest = Duration::from_millis(column::count_big(&row, "oldest_ms")?);
    Ok(MailBacklog { waiting: column::count_big(&row, "waiting")?, oldest, failures: column::count_big(&row, "failures")? })
}

/// Forgets what was told, or given up, longer ago than these, and whatever was for a webhook that is gone; a thousand at the
/// most. Returns how many.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn forget(catalog: &Catalog, told: Duration, given_up: Duration) -> Result<u64, StoreError> {
    catalog.session().await?.execute(FORGET, &[&told.as_secs_f64(), &given_up.as_secs_f64()]).await
}
