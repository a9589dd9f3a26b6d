//! Which process tells a webhook what was done: one at a time, by the catalog's clock.
//!
//! Promises: every write of the holder is conditional on the lease's epoch, so that one that was overtaken changes nothing.

use std::time::Duration;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;
use crate::webhook::{Webhook, read, select};

/// At once by one process; the others wait for their turn.
const CLAIMED_MAX: i64 = 16;

/// A webhook that this process tells, until the lease is over.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The webhook, as it was when it was claimed.
    pub webhook: Webhook,
    /// Which lease it is.
    pub epoch: i64,
}

/// Those that have something to be told and are told by nobody; skips what another process is claiming.
const CLAIM: &str = "\
WITH due AS (
    SELECT w.id
    FROM webhook w
    WHERE w.disabled_at IS NULL
        AND (w.leased_until IS NULL OR w.leased_until < now())
        AND (w.paused_until IS NULL OR w.paused_until <= now())
        AND (w.seq < (SELECT seq FROM audit_head)
            OR EXISTS (SELECT FROM webhook_delivery d WHERE d.webhook_id = w.id AND d.state = 'pending' AND d.next_at <= now()))
    ORDER BY w.paused_until NULLS FIRST, w.id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE webhook w
SET lease_holder = $1, lease_epoch = w.lease_epoch + 1, leased_until = now() + make_interval(secs => $2)
FROM due
WHERE w.id = due.id
RETURNING w.id";
const CLAIMED: &str = select!("WHERE w.id = ANY($1)");
const ADVANCE: &str = "\
UPDATE webhook SET seq = $3, leased_until = now() + make_interval(secs => $4) WHERE id = $1 AND lease_epoch = $2 AND disabled_at IS NULL";
const RELEASE: &str = "UPDATE webhook SET leased_until = NULL WHERE id = $1 AND lease_epoch = $2";
const LEAVE: &str = "UPDATE webhook SET leased_until = NULL WHERE lease_holder = $1 AND leased_until IS NOT NULL";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[CLAIM, CLAIMED, ADVANCE, RELEASE, LEAVE];

/// Claims some that have something to be told.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// What was claimed is left alone until its lease is over.
pub async fn claim(catalog: &Catalog, holder: &str, lease: Duration) -> Result<Vec<Leased>, StoreError> {
    let mut session = catalog.session().await?;
    let claimed = session.query(CLAIM, &[&holder, &lease.as_secs_f64(), &CLAIMED_MAX]).await?;
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    let ids = claimed.iter().map(|row| column::uuid(row, "id")).collect::<Result<Vec<_>, _>>()?;
    let rows = session.query(CLAIMED, &[&ids]).await?;
    rows.iter().map(|row| Ok(Leased { webhook: read(row)?, epoch: column::get(row, "lease_epoch")? })).collect()
}

/// Moves the cursor, and holds the lease on. Returns whether the lease is still ours.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn advance(tx: &mut Tx, leased: &Leased, seq: i64, lease: Duration) -> Result<bool, StoreError> {
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 4] = [&leased.webhook.id.as_uuid(), &leased.epoch, &seq, &lease.as_secs_f64()];
    Ok(tx.execute(ADVANCE, &params).await? > 0)
}

/// Gives one back, so that another process need not wait.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe.
pub async fn release(catalog: &Catalog, leased: &Leased) -> Result<(), StoreError> {
    catalog.session().await?.execute(RELEASE, &[&leased.webhook.id.as_uuid(), &leased.epoch]).await.map(|_| ())
}

/// Gives all back that a process holds, at its shutdown.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe.
pub async fn leave(catalog: &Catalog, holder: &str) -> Result<(), StoreError> {
    catalog.session().await?.execute(LEAVE, &[&holder]).await.map(|_| ())
}
