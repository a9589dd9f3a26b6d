//! Tenants with an end: which are past it, when the next is, and a later end.
//!
//! Promises: the catalog's clock alone decides. Refuses to end a tenant: whoever asks does that, by an operation.

use std::time::Duration;

use holm_core::id::TenantId;
use jiff::Timestamp;

use super::{Tenant, columns, place, read, select};
use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

/// "Holm" and a number: what a clock says is done by one process at a time.
const TURN: &str = "SELECT pg_try_advisory_xact_lock(x'486f6c6d00000020'::bigint) AS mine";
/// Two short looks at an index each.
const NEXT: &str = "\
SELECT least(
    (SELECT min(until) FROM tenant_alias),
    (SELECT min(expires_at) FROM tenant WHERE expires_at IS NOT NULL AND state IN ('creating', 'serving', 'paused', 'suspended'))
) AS next, clock_timestamp() AS now";
/// Not those that an operation has in hand: they are looked at again when it is over.
const EXPIRED: &str = select!(
    "WHERE t.expires_at <= now() AND t.state IN ('creating', 'serving', 'paused', 'suspended') AND t.made_by IS NULL\n\
     \x20   AND NOT EXISTS (SELECT FROM operation_subject s WHERE s.subject_id = t.id AND s.held)\n\
     ORDER BY t.expires_at, t.id\n\
     LIMIT $1"
);
const EXTEND: &str = "\
UPDATE tenant
SET expires_at = now() + $2::bigint * interval '1 millisecond', updated_at = now()
WHERE id = $1 AND expires_at IS NOT NULL AND state NOT IN ('failed', 'dropped')";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[TURN, NEXT, EXPIRED, EXTEND];

/// Takes the turn of the one process that does what the clock says, until the transaction ends, if nobody has it.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn take_turn(tx: &mut Tx) -> Result<bool, StoreError> {
    column::get(&tx.query_one(TURN, &[]).await?, "mine")
}

/// How long until a tenant or a kept name is at its end: zero if one is, `None` if none has one.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn next(catalog: &Catalog) -> Result<Option<Duration>, StoreError> {
    let row = catalog.session().await?.query_one(NEXT, &[]).await?;
    let (next, now): (Option<Timestamp>, Timestamp) = (column::get(&row, "next")?, column::get(&row, "now")?);
    Ok(next.map(|next| Duration::try_from(next.duration_since(now)).unwrap_or(Duration::ZERO)))
}

/// Those that are past their end and that nothing has in hand, longest first, `limit` at the most.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn expired(catalog: &Catalog, limit: u32) -> Result<Vec<Tenant>, StoreError> {
    catalog.session().await?.query(EXPIRED, &[&i64::from(limit)]).await?.iter().map(read).collect()
}

/// Lets a tenant that has an end live for so long from now on. Returns whether it has one.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn extend(tx: &mut Tx, id: TenantId, ttl: Duration) -> Result<bool, StoreError> {
    let extended = tx.execute(EXTEND, &[&id.as_uuid(), &millis(ttl)?]).await?;
    if extended > 0 {
        tx.wake();
    }
    Ok(extended > 0)
}

/// As `bigint`.
pub(super) fn millis(ttl: Duration) -> Result<i64, StoreError> {
    i64::try_from(ttl.as_millis()).map_err(|error| StoreError::Fault(error.into()))
}
