//! Leases: which runner may write an operation's journal, and until when.
//!
//! Promises: two runners never have the same epoch of an operation; the catalog's clock alone decides when a lease is over;
//! no more operations of a kind work on a cluster at once than their limit says, over all processes. Kinds and versions
//! that this Holm does not know are left for one that does.

use std::time::Duration;

use holm_core::id::OperationId;
use holm_core::operation::OperationKind;
use jiff::Timestamp;
use tokio_postgres::types::Json;

use super::{Operation, columns, read};
use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::{self, Corrupt, column};
use holm_core::error::Problem;

/// What a runner can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The kind.
    pub kind: OperationKind,
    /// The list of steps.
    pub version: u32,
    /// How many of it may work on one cluster at once.
    pub at_once: u32,
}

/// Whether anything is due, and if not, when the next is; one short look at an index.
const DUE: &str = "\
SELECT min(greatest(o.next_run_at, coalesce(o.lease_until, o.next_run_at))) AS due, clock_timestamp() AS now
FROM operation o
JOIN unnest($1::text[], $2::integer[]) AS k (kind, version) ON k.kind = o.kind AND k.version = o.kind_version
WHERE o.state IN ('active', 'undoing')";
/// "Holm" and a number: claims are made one after the other, so that limits hold over all processes.
const TURN: &str = "SELECT pg_advisory_xact_lock(x'486f6c6d00000010'::bigint)";
pub(crate) const CLAIM: &str = concat!(
    "WITH known AS (
    SELECT * FROM unnest($3::text[], $4::integer[], $5::bigint[]) AS k (kind, version, at_once)
), running AS (
    SELECT cluster_id, kind, count(*) AS count
    FROM operation
    WHERE lease_owner IS NOT NULL AND lease_until >= now() AND cluster_id IS NOT NULL
    GROUP BY cluster_id, kind
), due AS (
    SELECT o.id, o.cluster_id, o.kind, o.next_run_at, k.at_once - coalesce(r.count, 0) AS room
    FROM operation o
    JOIN known k ON k.kind = o.kind AND k.version = o.kind_version
    LEFT JOIN running r ON r.cluster_id = o.cluster_id AND r.kind = o.kind
    WHERE o.state IN ('active', 'undoing') AND o.next_run_at <= now() AND (o.lease_until IS NULL OR o.lease_until < now())
        AND coalesce(r.count, 0) < k.at_once
    ORDER BY o.next_run_at, o.id
    LIMIT $6
    FOR UPDATE OF o SKIP LOCKED
), ranked AS (
    SELECT id, cluster_id, room, row_number() OVER (PARTITION BY cluster_id, kind ORDER BY next_run_at, id) AS place
    FROM due
), claimed AS (
    UPDATE operation o
    SET lease_owner = $1, lease_until = now() + $2::bigint * interval '1 millisecond', lease_epoch = lease_epoch + 1
    FROM ranked r
    WHERE r.id = o.id AND (r.cluster_id IS NULL OR r.place <= r.room)
    RETURNING o.*
)
SELECT ",
    columns!(),
    "FROM claimed o
LEFT JOIN environment e ON e.id = o.environment_id
ORDER BY o.next_run_at, o.id"
);
const RENEW: &str = "\
UPDATE operation o
SET lease_until = now() + $2::bigint * interval '1 millisecond'
FROM unnest($3::uuid[], $4::bigint[]) AS mine (id, epoch)
WHERE o.id = mine.id AND o.lease_epoch = mine.epoch AND o.lease_owner = $1
RETURNING o.id";
const PROGRESS: &str = "UPDATE operation SET progress = $3 WHERE id = $1 AND lease_epoch = $2 AND lease_owner IS NOT NULL";
const CANCEL_ASKED: &str = "\
SELECT EXISTS (SELECT FROM operation_event WHERE operation_id = $1 AND epoch = 0 AND event ->> 'event' = 'cancel_asked') AS asked";
const BREAK: &str = "\
UPDATE operation
SET state = 'broken', problem = $3, alerted = true, lease_owner = NULL, lease_until = NULL
WHERE id = $1 AND lease_epoch = $2";
const IS_MINE: &str = "\
SELECT EXISTS (SELECT FROM operation WHERE id = $1 AND lease_epoch = $2 AND lease_owner IS NOT NULL AND lease_until >= now()) AS mine";
/// Only if the journal ends where the runner thinks; whoever added a row meanwhile wants it looked at now.
const RELEASE: &str = "\
UPDATE operation
SET lease_owner = NULL, lease_until = NULL, next_run_at = CASE WHEN last_seq = $3 THEN coalesce($4, next_run_at) ELSE now() END
WHERE id = $1 AND lease_epoch = $2 AND lease_owner IS NOT NULL";
const NOW: &str = "UPDATE operation SET next_run_at = now() WHERE id = $1 AND finished_at IS NULL";
const LEAVE: &str = "UPDATE operation SET lease_until = now() - interval '1 microsecond' WHERE lease_owner = $1";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[DUE, TURN, CLAIM, RENEW, PROGRESS, CANCEL_ASKED, BREAK, IS_MINE, RELEASE, NOW, LEAVE];

/// How long until one of these kinds is due; zero if one is, `None` if there is none.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn due_in(catalog: &Catalog, known: &[Known]) -> Result<Option<Duration>, StoreError> {
    let (kinds, versions) = kinds_and_versions(known)?;
    let row = catalog.session().await?.query_one(DUE, &[&kinds, &versions]).await?;
    let (due, now): (Option<Timestamp>, Timestamp) = (column::get(&row, "due")?, column::get(&row, "now")?);
    Ok(due.map(|due| Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO)))
}

/// Takes what is due, oldest first, `count_max` at the most.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// What was claimed and not returned is free again when the lease is over.
pub async fn claim(catalog: &Catalog, owner: &str, lease: Duration, known: &[Known], count_max: u32) -> Result<Vec<Operation>, StoreError> {
    let (kinds, versions) = kinds_and_versions(known)?;
    let at_once: Vec<i64> = known.iter().map(|known| known.at_once.into()).collect();
    let mut tx = catalog.transaction().await?;
    tx.query_one(TURN, &[]).await?;
    let rows = tx.query(CLAIM, &[&owner, &millis(lease), &kinds, &versions, &at_once, &i64::from(count_max)]).await?;
    let claimed = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    tx.commit().await?;
    Ok(claimed)
}

/// Renews leases, and returns which of them are still ours.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn renew(catalog: &Catalog, owner: &str, lease: Duration, mine: &[(OperationId, u64)]) -> Result<Vec<OperationId>, StoreError> {
    let ids: Vec<_> = mine.iter().map(|(id, _)| id.as_uuid()).collect();
    let epochs = mine.iter().map(|(_, epoch)| i64::try_from(*epoch)).collect::<Result<Vec<_>, _>>().corrupt("lease_epoch")?;
    let rows = catalog.session().await?.query(RENEW, &[&owner, &millis(lease), &ids, &epochs]).await?;
    rows.iter().map(|row| column::uuid(row, "id").map(OperationId::from_uuid)).collect()
}

/// Whether a person has asked for an operation to be undone, whatever became of it.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn cancel_asked(catalog: &Catalog, id: OperationId) -> Result<bool, StoreError> {
    column::get(&catalog.session().await?.query_one(CANCEL_ASKED, &[&id.as_uuid()]).await?, "asked")
}

/// Notes how far a step is. Returns whether the lease is still ours.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn progress(catalog: &Catalog, id: OperationId, epoch: u64, progress: &serde_json::Value) -> Result<bool, StoreError> {
    let epoch = i64::try_from(epoch).corrupt("lease_epoch")?;
    Ok(catalog.session().await?.execute(PROGRESS, &[&id.as_uuid(), &epoch, &Json(progress)]).await? > 0)
}

/// Sets an operation aside whose journal cannot be believed. Returns whether the lease was still ours.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn set_aside(catalog: &Catalog, id: OperationId, epoch: u64, problem: &Problem) -> Result<bool, StoreError> {
    let epoch = i64::try_from(epoch).corrupt("lease_epoch")?;
    Ok(catalog.session().await?.execute(BREAK, &[&id.as_uuid(), &epoch, &row::problem(problem)]).await? > 0)
}

/// Whether a lease is still ours; asked under the lock of whatever is to be touched.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn is_mine(catalog: &Catalog, id: OperationId, epoch: u64) -> Result<bool, StoreError> {
    let epoch = i64::try_from(epoch).corrupt("lease_epoch")?;
    column::get(&catalog.session().await?.query_one(IS_MINE, &[&id.as_uuid(), &epoch]).await?, "mine")
}

/// Gives a lease up until a time, or until a person says something.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn release(catalog: &Catalog, id: OperationId, epoch: u64, last_seq: u64, until: Option<Timestamp>) -> Result<(), StoreError> {
    let (epoch, last_seq) = (i64::try_from(epoch).corrupt("lease_epoch")?, i64::try_from(last_seq).corrupt("seq")?);
    catalog.session().await?.execute(RELEASE, &[&id.as_uuid(), &epoch, &last_seq, &until]).await.map(drop)
}

/// Makes an operation due.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn wake(catalog: &Catalog, id: OperationId) -> Result<(), StoreError> {
    catalog.session().await?.execute(NOW, &[&id.as_uuid()]).await.map(drop)
}

/// Gives up every lease of a runner that stops, so that another one need not wait for their end.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn leave(catalog: &Catalog, owner: &str) -> Result<(), StoreError> {
    catalog.session().await?.execute(LEAVE, &[&owner]).await.map(drop)
}

fn kinds_and_versions(known: &[Known]) -> Result<(Vec<&str>, Vec<i32>), StoreError> {
    let versions = known.iter().map(|known| i32::try_from(known.version)).collect::<Result<Vec<_>, _>>().corrupt("kind_version")?;
    Ok((known.iter().map(|known| known.kind.as_str()).collect(), versions))
}

fn millis(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).expect("a lease is a matter of seconds")
}
