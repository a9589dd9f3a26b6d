//! The journal of an operation: rows that are only ever added, by whoever has the lease or by a person's word.
//!
//! Promises: a row is added together with what it says about the operation, or not at all; with a lease that is over, or
//! after a row that the writer has not seen, nothing is written. Refuses to make digests: rows come with theirs.

use std::collections::HashMap;
use std::time::Duration;

use holm_core::error::Problem;
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_core::operation::journal::{Digest, Row};
use jiff::Timestamp;
use uuid::Uuid;

use super::claim::millis;
use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::page::Page;
use crate::row::{self, Corrupt, column};
use crate::tx::Tx;

/// A row to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRow {
    /// Its number.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// The event's JSON.
    pub text: String,
    /// Over it and everything before.
    pub digest: Digest,
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// The runner that has the lease of this epoch; its rows are a sign of life, and renew it.
    Runner {
        /// The epoch.
        epoch: u64,
        /// For how long.
        lease: Duration,
    },
    /// A person.
    Person,
}

/// What the operation's own row says after the rows that are added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How it is doing.
    pub state: OperationState,
    /// How many steps are done.
    pub step: u32,
    /// The one under way or next.
    pub step_name: Option<String>,
    /// What went wrong last.
    pub problem: Option<Problem>,
    /// Whether a person is needed.
    pub alerted: bool,
    /// When it is to be run next; `None` leaves it with the runner that has it.
    pub run_at: Option<Timestamp>,
}

/// What became of adding rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Appended {
    /// They are there.
    Done,
    /// Nothing was written: the lease is over, or somebody added a row in between.
    Refused,
}

/// The rows and what they say about the operation, in one statement: both or neither. A person's word leaves the lease where
/// it is; a runner keeps and renews it while `$10` is null and the operation is not over. Then nobody needs to keep away from its
/// subjects any more, and the parent that may be waiting is due.
const APPEND: &str = "\
WITH advanced AS (
    UPDATE operation
    SET last_seq = $4,
        head = $5,
        state = $6,
        step = $7,
        step_name = $8,
        problem = $9,
        next_run_at = coalesce($10, next_run_at),
        alerted = $11,
        progress = CASE WHEN step = $7 THEN progress END,
        finished_at = CASE WHEN $6 IN ('succeeded', 'undone', 'abandoned') THEN clock_timestamp() END,
        lease_owner = CASE WHEN ($10::timestamptz IS NULL OR $2::bigint IS NULL) AND $6 NOT IN ('succeeded', 'undone', 'abandoned') THEN lease_owner END,
        lease_until = CASE WHEN ($10::timestamptz IS NULL OR $2::bigint IS NULL) AND $6 NOT IN ('succeeded', 'undone', 'abandoned')
            THEN coalesce(clock_timestamp() + $16::bigint * interval '1 millisecond', lease_until) END
    WHERE id = $1 AND last_seq = $3 AND finished_at IS NULL AND (state <> 'broken' OR $6 = 'abandoned')
        AND ($2::bigint IS NULL OR (lease_epoch = $2 AND lease_owner IS NOT NULL))
    RETURNING id, parent_id, finished_at
), written AS (
    INSERT INTO operation_event (operation_id, seq, epoch, at, event, digest)
    SELECT a.id, r.seq, coalesce($2, 0), r.at, r.event::json, r.digest
    FROM advanced a, unnest($12::bigint[], $13::timestamptz[], $14::text[], $15::bytea[]) AS r (seq, at, event, digest)
), released AS (
    UPDATE operation_subject s
    SET held = false
    FROM advanced a
    WHERE a.finished_at IS NOT NULL AND s.operation_id = a.id AND s.held
), woken AS (
    UPDATE operation p
    SET next_run_at = now()
    FROM advanced a
    WHERE a.finished_at IS NOT NULL AND p.id = a.parent_id AND p.finished_at IS NULL
)
SELECT parent_id IS NOT NULL AS has_parent
FROM advanced";
const INSERT: &str = "\
INSERT INTO operation_event (operation_id, seq, epoch, at, event, digest)
SELECT $1, r.seq, $2, r.at, r.event::json, r.digest
FROM unnest($3::bigint[], $4::timestamptz[], $5::text[], $6::bytea[]) AS r (seq, at, event, digest)";
const HOLD: &str = "\
SELECT lease_epoch = $2 AND lease_owner IS NOT NULL AND finished_at IS NULL AS mine, last_seq
FROM operation
WHERE id = $1
FOR UPDATE";
pub(crate) const OF: &str = "\
SELECT operation_id, seq, epoch, at, event::text AS event, digest
FROM operation_event
WHERE operation_id = ANY($1)
ORDER BY operation_id, seq";
/// In one statement, so that nobody adds a row between the looks at the two.
pub(crate) const WHOLE: &str = "\
SELECT e.operation_id, e.seq, e.epoch, e.at, e.event::text AS event, e.digest, o.last_seq, o.head
FROM operation o
JOIN operation_event e ON e.operation_id = o.id
WHERE o.id = ANY($1)
ORDER BY e.operation_id, e.seq";
pub(crate) const PAGE: &str = "\
SELECT operation_id, seq, epoch, at, event::text AS event, digest
FROM operation_event
WHERE operation_id = $1 AND seq > $2
ORDER BY seq
LIMIT $3";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[APPEND, INSERT, HOLD, OF, WHOLE, PAGE];

/// What a runner finds when it is about to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Held {
    /// The lease is its own; the journal ends with this row, and with no other before this transaction does.
    Mine {
        /// The last row's number.
        last_seq: u64,
    },
    /// It is not.
    Lost,
}

/// Locks an operation for a transaction that does its work.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn hold(tx: &mut Tx, id: OperationId, epoch: u64) -> Result<Held, StoreError> {
    let epoch = i64::try_from(epoch).corrupt("lease_epoch")?;
    held(tx.query_opt(HOLD, &[&id.as_uuid(), &epoch]).await?.as_ref())
}

/// Begins a transaction that does an operation's work, and locks the operation for it, in one round trip.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn begin_held(catalog: &Catalog, id: OperationId, epoch: u64) -> Result<(Tx, Held), StoreError> {
    let epoch = i64::try_from(epoch).corrupt("lease_epoch")?;
    let (tx, rows) = Tx::begin_with(catalog, HOLD, &[&id.as_uuid(), &epoch]).await?;
    Ok((tx, held(rows.first())?))
}

fn held(row: Option<&tokio_postgres::Row>) -> Result<Held, StoreError> {
    let Some(row) = row else { return Ok(Held::Lost) };
    if column::get::<bool>(row, "mine")? { Ok(Held::Mine { last_seq: column::count_big(row, "last_seq")? }) } else { Ok(Held::Lost) }
}

/// Adds rows, which follow each other, and what they say about the operation.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
///
/// # Panics
/// Without a row.
pub async fn append(tx: &mut Tx, id: OperationId, writer: Writer, rows: &[NewRow], summary: &Summary) -> Result<Appended, StoreError> {
    let (first, last) = (rows.first().expect("at least one row"), rows.last().expect("at least one row"));
    let (epoch, lease) = match writer {
        Writer::Runner { epoch, lease } => (Some(i64::try_from(epoch).corrupt("lease_epoch")?), Some(millis(lease))),
        Writer::Person => (None, None),
    };
    let Columns { seqs, at, texts, digests } = Columns::of(rows)?;
    let advanced = tx
        .query_opt(
            APPEND,
            &[
                &id.as_uuid(),
                &epoch,
                &number(first.seq - 1)?,
                &number(last.seq)?,
                &last.digest.as_slice(),
                &summary.state.as_str(),
                &i32::try_from(summary.step).corrupt("step")?,
                &summary.step_name,
                &summary.problem.as_ref().map(row::problem),
                &summary.run_at,
                &summary.alerted,
                &seqs,
                &at,
                &texts,
                &digests,
                &lease,
            ],
        )
        .await?;
    let Some(advanced) = advanced else { return Ok(Appended::Refused) };
    let is_over = summary.state.is_over();
    if writer == Writer::Person || (is_over && column::get(&advanced, "has_parent")?) {
        tx.wake_runners();
    }
    if writer == Writer::Person || is_over {
        tx.wake_watchers();
    }
    Ok(Appended::Done)
}

/// Rows as statements take them.
struct Columns<'a> {
    seqs: Vec<i64>,
    at: Vec<Timestamp>,
    texts: Vec<&'a str>,
    digests: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(rows: &'a [NewRow]) -> Result<Self, StoreError> {
        Ok(Self {
            seqs: rows.iter().map(|row| number(row.seq)).collect::<Result<_, _>>()?,
            at: rows.iter().map(|row| row.at).collect(),
            texts: rows.iter().map(|row| row.text.as_str()).collect(),
            digests: rows.iter().map(|row| row.digest.as_slice()).collect(),
        })
    }
}

pub(super) async fn insert(tx: &mut Tx, id: OperationId, epoch: i64, rows: &[NewRow]) -> Result<(), StoreError> {
    let Columns { seqs, at, texts, digests } = Columns::of(rows)?;
    tx.execute(INSERT, &[&id.as_uuid(), &epoch, &seqs, &at, &texts, &digests]).await.map(drop)
}

/// A journal as it is at one moment, and what the operation remembers of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Its rows, in order; some tens of them.
    pub rows: Vec<Row>,
    /// The number of the last that was written.
    pub last_seq: u64,
    /// Its digest.
    pub head: Digest,
}

/// The whole journals of some operations. One that has no row, though it should, is not among them.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of(catalog: &Catalog, ids: &[OperationId]) -> Result<HashMap<OperationId, Journal>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(OperationId::as_uuid).collect();
    let mut journals = HashMap::new();
    for row in &catalog.session().await?.query(WHOLE, &[&ids]).await? {
        let id = OperationId::from_uuid(column::uuid(row, "operation_id")?);
        let (last_seq, head) = (column::count_big(row, "last_seq")?, digest(row, "head")?);
        journals.entry(id).or_insert_with(|| Journal { rows: Vec::new(), last_seq, head }).rows.push(read(row)?);
    }
    Ok(journals)
}

/// The rows of one, in order, within a transaction that has locked the operation.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn within(tx: &mut Tx, id: OperationId) -> Result<Vec<Row>, StoreError> {
    tx.query(OF, &[&vec![id.as_uuid()]]).await?.iter().map(read).collect()
}

/// A page of one journal.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn page(catalog: &Catalog, id: OperationId, page: &Page<u64>) -> Result<Vec<Row>, StoreError> {
    let after = number(page.after.unwrap_or(0))?;
    let rows = catalog.session().await?.query(PAGE, &[&id.as_uuid(), &after, &page.rows_max()]).await?;
    rows.iter().map(read).collect()
}

fn read(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    Ok(Row {
        seq: column::count_big(row, "seq")?,
        epoch: column::count_big(row, "epoch")?,
        at: column::get(row, "at")?,
        text: column::get(row, "event")?,
        digest: digest(row, "digest")?,
    })
}

pub(crate) fn digest(row: &tokio_postgres::Row, name: &'static str) -> Result<Digest, StoreError> {
    column::get::<&[u8]>(row, name)?.try_into().corrupt(name)
}

fn number(seq: u64) -> Result<i64, StoreError> {
    i64::try_from(seq).corrupt("seq")
}
