//! How far the mails have come: one row, leased by one process at a time. No address is kept here.

use std::time::Duration;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;

/// The mails, as long as the lease lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leased {
    /// Which lease it is.
    pub epoch: i64,
    /// The last entry of the audit log that was looked at.
    pub seq: i64,
    /// Failures in a row.
    pub failures: u32,
    /// Whether the daily look is due.
    pub look: bool,
}

/// What is to be remembered after a turn.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The last entry that was looked at.
    pub seq: i64,
    /// When the next may be, from now.
    pub wait: Duration,
    /// Failures in a row.
    pub failures: u32,
    /// Whether the daily look was taken.
    pub looked: bool,
}

const CLAIM: &str = "\
UPDATE mail_head
SET lease_holder = $1, lease_epoch = lease_epoch + 1, leased_until = now() + make_interval(secs => $2)
WHERE (leased_until IS NULL OR leased_until < now()) AND next_at <= now()
    AND (seq < (SELECT seq FROM audit_head) OR checked_at IS NULL OR checked_at < now() - interval '24 hours')
RETURNING lease_epoch, seq, failures, checked_at IS NULL OR checked_at < now() - interval '24 hours' AS look";
const END: &str = "\
UPDATE mail_head
SET seq = $2, next_at = now() + make_interval(secs => $3), failures = $4, leased_until = NULL,
    checked_at = CASE WHEN $5 THEN now() ELSE checked_at END
WHERE lease_epoch = $1";
const LEAVE: &str = "UPDATE mail_head SET leased_until = NULL WHERE lease_holder = $1 AND leased_until IS NOT NULL";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[CLAIM, END, LEAVE];

/// Claims the mails, if there may be something to write.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// What was claimed is left alone until the lease is over.
pub async fn claim(catalog: &Catalog, holder: &str, lease: Duration) -> Result<Option<Leased>, StoreError> {
    let row = catalog.session().await?.query_opt(CLAIM, &[&holder, &lease.as_secs_f64()]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Leased {
        epoch: column::get(&row, "lease_epoch")?,
        seq: column::get(&row, "seq")?,
        failures: column::count(&row, "failures")?,
        look: column::get(&row, "look")?,
    }))
}

/// Ends a turn; of one that was overtaken nothing is remembered.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: what was mailed may be mailed again.
pub async fn end(catalog: &Catalog, leased: &Leased, turn: Turn) -> Result<(), StoreError> {
    let failures = i32::try_from(turn.failures).unwrap_or(i32::MAX);
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&leased.epoch, &turn.seq, &turn.wait.as_secs_f64(), &failures, &turn.looked];
    catalog.session().await?.execute(END, &params).await.map(|_| ())
}

/// Gives the mails back, at a shutdown.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe.
pub async fn leave(catalog: &Catalog, holder: &str) -> Result<(), StoreError> {
    catalog.session().await?.execute(LEAVE, &[&holder]).await.map(|_| ())
}
