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

macro_rules! due {
    ($kinds:literal, $versions:literal) => {
        concat!(
            "least((
        SELECT o.next_run_at
        FROM operation o
        WHERE o.state IN ('active', 'undoing') AND o.lease_owner IS NULL
            AND (o.kind, o.kind_version) IN (SELECT * FROM unnest(",
            $kinds,
            "::text[], ",
            $versions,
            "::integer[]))
        ORDER BY o.next_run_at, o.id
        LIMIT 1
    ), (
        SELECT min(greatest(o.next_run_at, o.lease_until))
        FROM operation o
        WHERE o.state IN ('active', 'undoing') AND o.lease_owner IS NOT NULL
            AND (o.kind, o.kind_version) IN (SELECT * FROM unnest(",
            $kinds,
            "::text[], ",
            $versions,
            "::integer[]))
    ))"
        )
    };
}
pub(crate) use due;

/// Whether anything is due, and if not, when the next is: the first entry of one index, and the few of another that are
/// leased, however many wait.
pub(crate) const DUE: &str = concat!("SELECT ", due!("$1", "$2"), " AS due, clock_timestamp() AS now");
/// "Holm" and a number: claims are made one after the other, so that limits hold over all processes.
const TURN: &str = "SELECT pg_advisory_xact_lock(x'486f6c6d00000010'::bigint)";
/// The oldest for which there is room, of the first 256 that are due and have some; only what is claimed is locked. Written so
/// that the first of them are read in the order of their index, and not all that are due are sorted for each claim.
pub(crate) const CLAIM: &str = concat!(
    "WITH known AS MATERIALIZED (
    SELECT * FROM unnest($3::text[], $4::integer[], $5::bigint[]) AS k (kind, version, at_once)
), running AS MATERIALIZED (
    SELECT cluster_id, kind, count(*) AS count
    FROM operation
    WHERE lease_owner IS NOT NULL AND lease_until >= now() AND cluster_id IS NOT NULL
    GROUP BY cluster_id, kind
), crowded AS MATERIALIZED (
    SELECT r.cluster_id, r.kind
    FROM running r
    JOIN known k ON k.kind = r.kind
    GROUP BY r.cluster_id, r.kind, r.count
    HAVING r.count >= max(k.at_once)
), due AS MATERIALIZED (
    SELECT o.id, o.cluster_id, o.kind, o.next_run_at,
        (SELECT k.at_once FROM known k WHERE k.kind = o.kind AND k.version = o.kind_version) AS at_once
    FROM operation o
    WHERE o.state IN ('active', 'undoing') AND o.next_run_at <= now() AND (o.lease_until IS NULL OR o.lease_until < now())
        AND (SELECT k.at_once FROM known k WHERE k.kind = o.kind AND k.version = o.kind_version) > 0
        AND (o.cluster_id IS NULL OR (o.cluster_id, o.kind) NOT IN (SELECT cluster_id, kind FROM crowded))
    ORDER BY o.next_run_at, o.id
    LIMIT 256
), ranked AS (
    SELECT d.id, d.cluster_id, d.next_run_at, d.at_once - coalesce(r.count, 0) AS room,
        row_number() OVER (PARTITION BY d.cluster_id, d.kind ORDER BY d.next_run_at, d.id) AS place
    FROM due d
    LEFT JOIN running r ON r.cluster_id = d.cluster_id AND r.kind = d.kind
), free AS (
    SELECT o.id
    FROM ranked r
    JOIN operation o ON o.id = r.id
    WHERE (r.cluster_id IS NULL OR r.place <= r.room)
        AND o.state IN ('active', 'undoing') AND o.next_run_at <= now() AND (o.lease_until IS NULL OR o.lease_until < now())
    ORDER BY r.next_run_at, r.id
    LIMIT $6
    FOR UPDATE OF o SKIP LOCKED
), claimed AS (
    UPDATE operation o
    SET lease_owner = $1, lease_until = now() + $2::bigint * interval '1 millisecond', lease_epoch = lease_epoch + 1
    FROM free f
    WHERE f.id = o.id
    RETURNING o.*
)
SELECT ",
    columns!(),
    ", (SELECT count(*) FROM due) >= 256 AS more
FROM claimed o
LEFT JOIN environment e ON e.id = o.environment_id
ORDER BY o.next_run_at, o.id"
);
/// One that is locked, by its own step in the catalog as a rule, keeps no other from being renewed; nobody takes it up meanwhile.
const RENEW: &str = "\
WITH mine AS MATERIALIZED (
    SELECT * FROM unnest($3::uuid[], $4::bigint[]) AS m (id, epoch)
), free AS (
    SELECT o.id
    FROM mine m
    JOIN operation o ON o.id = m.id
    WHERE o.lease_epoch = m.epoch AND o.lease_owner = $1
    FOR NO KEY UPDATE OF o SKIP LOCKED
), renewed AS (
    UPDATE operation o
    SET lease_until = now() + $2::bigint * interval '1 millisecond'
    FROM free f
    WHERE o.id = f.id
    RETURNING o.id
)
SELECT o.id, EXISTS (SELECT FROM renewed r WHERE r.id = o.id) AS renewed
FROM mine m
JOIN operation o ON o.id = m.id
WHERE o.lease_epoch = m.epoch AND o.lease_owner = $1";
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

/// The epoch grows, so that whoever had the lease writes nothing any more; how long it had is told.
const REVOKE: &str = "\
UPDATE operation o
SET lease_owner = $2, lease_until = now() + $3::bigint * interval '1 millisecond', lease_epoch = o.lease_epoch + 1
FROM (SELECT id, lease_until FROM operation WHERE id = $1 FOR UPDATE) AS before
WHERE o.id = before.id AND o.finished_at IS NULL
RETURNING o.lease_epoch, greatest(extract(epoch FROM before.lease_until - now()), 0)::float8 AS left";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[DUE, TURN, CLAIM, RENEW, PROGRESS, CANCEL_ASKED, BREAK, IS_MINE, RELEASE, NOW, LEAVE, REVOKE];

/// How long until one of these kinds is due; zero if one is, `None` if there is none.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn due_in(catalog: &Catalog, known: &[Known]) -> Result<Option<Duration>, StoreError> {
    let (kinds, versions) = kinds_and_versions(known)?;
    until(&catalog.session().await?.query_one(DUE, &[&kinds, &versions]).await?, "due")
}

/// How long from a row's `now` until a time in it; zero when it is past.
pub(crate) fn until(row: &tokio_postgres::Row, name: &'static str) -> Result<Option<Duration>, StoreError> {
    let (time, now): (Option<Timestamp>, Timestamp) = (column::get(row, name)?, column::get(row, "now")?);
    Ok(time.map(|time| Duration::try_from(time.duration_since(now)).unwrap_or(Duration::ZERO)))
}

/// What a claim brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// These are the runner's now, oldest first.
    pub operations: Vec<Operation>,
    /// Whether another claim may bring more at once: not everything that is due was looked at.
    pub more: bool,
    /// As [`due_in`], after the claim; zero is due and cannot be had: a limit, or another runner, is in the way.
    pub due_in: Option<Duration>,
}

/// Takes what is due, oldest first, `count_max` at the most; one round trip.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// What was claimed and not returned is free again when the lease is over.
pub async fn claim(catalog: &Catalog, owner: &str, lease: Duration, known: &[Known], count_max: u32) -> Result<Claimed, StoreError> {
    let (kinds, versions) = kinds_and_versions(known)?;
    let at_once: Vec<i64> = known.iter().map(|known| known.at_once.into()).collect();
    let (millis, count_max) = (millis(lease), i64::from(count_max));
    let answers = catalog
        .session()
        .await?
        .transaction(&[(TURN, &[]), (CLAIM, &[&owner, &millis, &kinds, &versions, &at_once, &count_max]), (DUE, &[&kinds, &versions])])
        .await?;
    let [_, rows, due] = answers.as_slice() else { return Err(StoreError::Fault("three statements had another number of answers".into())) };
    let due = due.first().ok_or_else(|| StoreError::Fault("what is due had no answer".into()))?;
    Ok(Claimed {
        operations: rows.iter().map(read).collect::<Result<_, _>>()?,
        more: rows.first().map_or(Ok(false), |row| column::get(row, "more"))?,
        due_in: until(due, "due")?,
    })
}

/// Renews leases, and returns which of them are still ours, and whether they were renewed: those that somebody has locked
/// were not.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn renew(
    catalog: &Catalog,
    owner: &str,
    lease: Duration,
    mine: &[(OperationId, u64)],
) -> Result<Vec<(OperationId, bool)>, StoreError> {
    let ids: Vec<_> = mine.iter().map(|(id, _)| id.as_uuid()).collect();
    let epochs = mine.iter().map(|(_, epoch)| i64::try_from(*epoch)).collect::<Result<Vec<_>, _>>().corrupt("lease_epoch")?;
    let rows = catalog.session().await?.query(RENEW, &[&owner, &millis(lease), &ids, &epochs]).await?;
    rows.iter().map(|row| Ok((OperationId::from_uuid(column::uuid(row, "id")?), column::get(row, "renewed")?))).collect()
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

/// A lease that was taken away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Revoked {
    /// Larger than that of any runner.
    pub epoch: u64,
    /// How long the lease would have lasted.
    pub left: Duration,
}

/// Takes an operation from whichever runner has it, and holds it; `None` if it is over.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// It may be held, until the time is over.
pub async fn revoke(catalog: &Catalog, id: OperationId, owner: &str, hold: Duration) -> Result<Option<Revoked>, StoreError> {
    let Some(row) = catalog.session().await?.query_opt(REVOKE, &[&id.as_uuid(), &owner, &millis(hold)]).await? else { return Ok(None) };
    let left = column::get::<Option<f64>>(&row, "left")?.unwrap_or(0.0);
    let left = Duration::try_from_secs_f64(left).unwrap_or_default();
    Ok(Some(Revoked { epoch: column::count_big(&row, "lease_epoch")?, left }))
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

pub(crate) fn kinds_and_versions(known: &[Known]) -> Result<(Vec<&str>, Vec<i32>), StoreError> {
    let versions = known.iter().map(|known| i32::try_from(known.version)).collect::<Result<Vec<_>, _>>().corrupt("kind_version")?;
    Ok((known.iter().map(|known| known.kind.as_str()).collect(), versions))
}

pub(super) fn millis(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).expect("a lease is a matter of seconds")
}
