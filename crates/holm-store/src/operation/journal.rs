//! The journal of an operation: rows that are only ever added, by whoever has the lease or by a person's word.
//!
//! Promises: a row is added together with what it says about the operation, or not at all; with a lease that is over, or
//! after a row that the writer has not seen, nothing is written. Refuses to make digests: rows come with theirs.

use holm_core::error::Problem;
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_core::operation::journal::{Digest, Row};
use jiff::Timestamp;
use uuid::Uuid;

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
    /// The runner that has the lease of this epoch.
    Runner(u64),
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

/// A person's word leaves the lease where it is; a runner keeps it while `$10` is null and the operation is not over.
const ADVANCE: &str = "\
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
    lease_until = CASE WHEN ($10::timestamptz IS NULL OR $2::bigint IS NULL) AND $6 NOT IN ('succeeded', 'undone', 'abandoned') THEN lease_until END
WHERE id = $1 AND last_seq = $3 AND finished_at IS NULL AND (state <> 'broken' OR $6 = 'abandoned')
    AND ($2::bigint IS NULL OR (lease_epoch = $2 AND lease_owner IS NOT NULL))";
const INSERT: &str = "\
INSERT INTO operation_event (operation_id, seq, epoch, at, event, digest)
SELECT $1, r.seq, $2, r.at, r.event::json, r.digest
FROM unnest($3::bigint[], $4::timestamptz[], $5::text[], $6::bytea[]) AS r (seq, at, event, digest)";
/// What nobody needs to keep away from any more, and the parent that may be waiting.
const FINISH: &str = "\
WITH released AS (
    UPDATE operation_subject SET held = false WHERE operation_id = $1 AND held
)
UPDATE operation
SET next_run_at = now()
WHERE id = (SELECT parent_id FROM operation WHERE id = $1) AND finished_at IS NULL";
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
pub(crate) const PAGE: &str = "\
SELECT operation_id, seq, epoch, at, event::text AS event, digest
FROM operation_event
WHERE operation_id = $1 AND seq > $2
ORDER BY seq
LIMIT $3";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[ADVANCE, INSERT, FINISH, HOLD, OF, PAGE];

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
    let Some(row) = tx.query_opt(HOLD, &[&id.as_uuid(), &epoch]).await? else { return Ok(Held::Lost) };
    if column::get::<bool>(&row, "mine")? { Ok(Held::Mine { last_seq: column::count_big(&row, "last_seq")? }) } else { Ok(Held::Lost) }
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
    let epoch = match writer {
        Writer::Runner(epoch) => Some(i64::try_from(epoch).corrupt("lease_epoch")?),
        Writer::Person => None,
    };
    let advanced = tx
        .execute(
            ADVANCE,
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
            ],
        )
        .await?;
    if advanced == 0 {
        return Ok(Appended::Refused);
    }
    insert(tx, id, epoch.unwrap_or(0), rows).await?;
    if summary.state.is_over() {
        tx.execute(FINISH, &[&id.as_uuid()]).await?;
    }
    if summary.state.is_over() || writer == Writer::Person {
        tx.wake();
    }
    Ok(Appended::Done)
}

pub(super) async fn insert(tx: &mut Tx, id: OperationId, epoch: i64, rows: &[NewRow]) -> Result<(), StoreError> {
    let seqs = rows.iter().map(|row| number(row.seq)).collect::<Result<Vec<_>, _>>()?;
    let at: Vec<Timestamp> = rows.iter().map(|row| row.at).collect();
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let digests: Vec<&[u8]> = rows.iter().map(|row| row.digest.as_slice()).collect();
    tx.execute(INSERT, &[&id.as_uuid(), &epoch, &seqs, &at, &texts, &digests]).await.map(drop)
}

/// The whole journals of some operations, in order; an operation has some tens of rows.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of(catalog: &Catalog, ids: &[OperationId]) -> Result<Vec<(OperationId, Row)>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(OperationId::as_uuid).collect();
    let rows = catalog.session().await?.query(OF, &[&ids]).await?;
    rows.iter().map(|row| Ok((OperationId::from_uuid(column::uuid(row, "operation_id")?), read(row)?))).collect()
}

/// As [`of`], for one, within a transaction.
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
