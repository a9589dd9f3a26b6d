//! Durable operations: asked for, listed, looked at. Claiming and the journal have files of their own.
//!
//! Promises: of two operations on one subject PostgreSQL itself refuses the second; an operation is asked for in the
//! transaction of whoever asks, together with everything else that it writes.

use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::id::{ClusterId, EnvironmentId, OperationId};
use holm_core::operation::journal::Digest;
use holm_core::operation::{OperationKind, OperationState};
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::page::Page;
use crate::row::{Corrupt, column};
use crate::tx::Tx;

pub mod claim;
pub mod journal;

/// An operation to be asked for.
#[derive(Clone, Debug)]
pub struct NewOperation {
    /// Its identity.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// Which list of steps.
    pub version: u32,
    /// The environment it is about, if it is about one.
    pub environment: Option<EnvironmentId>,
    /// The cluster that it works on, so that not too many do at once.
    pub cluster: Option<ClusterId>,
    /// What it is about, as people know it.
    pub subject: String,
    /// What nobody else may change meanwhile.
    pub holds: Vec<Uuid>,
    /// The operation that asked for it.
    pub parent: Option<OperationId>,
    /// Who asked.
    pub requested_by: Value,
    /// Why, as they say.
    pub reason: Option<String>,
    /// Undone if it is not past its point of no return by then.
    pub deadline: Option<Timestamp>,
    /// The journal's first row, whose number is 1 and whose epoch is 0.
    pub first: journal::NewRow,
    /// How many steps it has.
    pub steps: u32,
    /// The name of the first.
    pub step_name: String,
}

/// What became of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Requested {
    /// It is queued.
    Done,
    /// Another one is at work on the same subject; the transaction is to be rolled back.
    Busy(Box<Operation>),
}

/// An operation as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its identity.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// Which list of steps.
    pub version: u32,
    /// The environment it is about.
    pub environment: Option<EnvironmentName>,
    /// The cluster it works on; it may be gone.
    pub cluster: Option<ClusterId>,
    /// What it is about, as people know it.
    pub subject: String,
    /// The operation that asked for it.
    pub parent: Option<OperationId>,
    /// Who asked.
    pub requested_by: Value,
    /// Why.
    pub reason: Option<String>,
    /// How it is doing.
    pub state: OperationState,
    /// How many steps it has.
    pub steps: u32,
    /// How many are done, or when going back not undone.
    pub step: u32,
    /// The one under way or next.
    pub step_name: Option<String>,
    /// What went wrong last, if it is not past that.
    pub problem: Option<Problem>,
    /// Whether a person is needed.
    pub alerted: bool,
    /// How far the step is, by its own measure.
    pub progress: Option<Value>,
    /// The journal's last number.
    pub last_seq: u64,
    /// The digest over the journal.
    pub head: Digest,
    /// Raised by every claim.
    pub epoch: u64,
    /// Who has it, if anybody.
    pub lease_owner: Option<String>,
    /// Until when.
    pub lease_until: Option<Timestamp>,
    /// Not before.
    pub next_run_at: Timestamp,
    /// Undone if it is not past its point of no return by then.
    pub deadline: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
    /// The catalog's time when this was read.
    pub read_at: Timestamp,
}

macro_rules! columns {
    () => {
        "o.id, o.kind, o.kind_version, e.name AS environment, o.cluster_id, o.subject, o.parent_id, o.requested_by, o.reason, o.state,\n\
         \x20   o.steps, o.step, o.step_name, o.problem, o.alerted, o.progress, o.last_seq, o.head, o.lease_epoch, o.lease_owner,\n\
         \x20   o.lease_until, o.next_run_at, o.deadline_at, o.created_at, o.finished_at, clock_timestamp() AS read_at\n"
    };
}
pub(crate) use columns;

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), "FROM operation o\nLEFT JOIN environment e ON e.id = o.environment_id\n", $rest)
    };
}

const INSERT: &str = "\
INSERT INTO operation (id, kind, kind_version, environment_id, cluster_id, subject, parent_id, requested_by, reason, state, steps, step,
    step_name, last_seq, head, deadline_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'active', $10, 0, $11, 1, $12, $13)";
/// Waits for whoever is just asking for the same subject, and then finds that it is held.
const HOLD: &str = "\
INSERT INTO operation_subject (operation_id, subject_id)
SELECT $1, unnest($2::uuid[])
ON CONFLICT (subject_id) WHERE held DO NOTHING";
const HOLDER: &str =
    select!("JOIN operation_subject s ON s.operation_id = o.id\nWHERE s.subject_id = ANY($1) AND s.held\nORDER BY o.id\nLIMIT 1");
const OTHER_HOLDER: &str = select!(
    "JOIN operation_subject s ON s.operation_id = o.id\nWHERE s.subject_id = ANY($1) AND s.held AND o.id <> $2\nORDER BY o.id\nLIMIT 1"
);
pub(crate) const BY_ID: &str = select!("WHERE o.id = $1");
const LOCK: &str = select!("WHERE o.id = $1\nFOR UPDATE OF o");
/// Newest first: identities grow with time.
pub(crate) const LIST: &str = select!(
    "WHERE ($1::text IS NULL OR e.name = $1)\n\
     \x20   AND ($2::text[] IS NULL OR o.state = ANY($2))\n\
     \x20   AND ($3::uuid IS NULL OR EXISTS (SELECT FROM operation_subject s WHERE s.operation_id = o.id AND s.subject_id = $3))\n\
     \x20   AND ($4::uuid IS NULL OR o.id < $4)\n\
     ORDER BY o.id DESC\n\
     LIMIT $5"
);
const CHILDREN: &str = "\
SELECT count(*) FILTER (WHERE finished_at IS NULL) AS unfinished,
    count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
    count(*) FILTER (WHERE finished_at IS NOT NULL AND state <> 'succeeded') AS failed
FROM operation
WHERE parent_id = $1";
const UNFINISHED_CHILDREN: &str = "SELECT id FROM operation WHERE parent_id = $1 AND finished_at IS NULL ORDER BY id";
const NOW: &str = "SELECT clock_timestamp() AS now";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[INSERT, HOLD, HOLDER, OTHER_HOLDER, BY_ID, LOCK, LIST, CHILDREN, UNFINISHED_CHILDREN, NOW];

/// Queues an operation, and wakes the runners once this is committed.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn request(tx: &mut Tx, new: &NewOperation) -> Result<Requested, StoreError> {
    let id = new.id.as_uuid();
    if let Some(holder) = holder(tx, &new.holds).await? {
        return Ok(Requested::Busy(Box::new(holder)));
    }
    tx.execute(
        INSERT,
        &[
            &id,
            &new.kind.as_str(),
            &i32::try_from(new.version).corrupt("kind_version")?,
            &new.environment.map(|id| id.as_uuid()),
            &new.cluster.map(|id| id.as_uuid()),
            &new.subject,
            &new.parent.map(|id| id.as_uuid()),
            &Json(&new.requested_by),
            &new.reason,
            &i32::try_from(new.steps).corrupt("steps")?,
            &new.step_name,
            &new.first.digest.as_slice(),
            &new.deadline,
        ],
    )
    .await?;
    let held = tx.execute(HOLD, &[&id, &new.holds]).await?;
    if held < new.holds.len() as u64 {
        // Somebody was faster since we looked; what they committed is seen now.
        if let Some(holder) = tx.query_opt(OTHER_HOLDER, &[&new.holds, &id]).await?.as_ref().map(read).transpose()? {
            return Ok(Requested::Busy(Box::new(holder)));
        }
        return Err(StoreError::Conflict("another operation took the subject at the same moment".into()));
    }
    journal::insert(tx, new.id, 0, std::slice::from_ref(&new.first)).await?;
    tx.wake_runners();
    Ok(Requested::Done)
}

/// The operation that holds one of these, if one does.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn holder(tx: &mut Tx, subjects: &[Uuid]) -> Result<Option<Operation>, StoreError> {
    tx.query_opt(HOLDER, &[&subjects]).await?.as_ref().map(read).transpose()
}

/// As [`holder`], of one, outside any transaction.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn holding(catalog: &Catalog, subject: Uuid) -> Result<Option<Operation>, StoreError> {
    catalog.session().await?.query_opt(HOLDER, &[&vec![subject]]).await?.as_ref().map(read).transpose()
}

/// The one of an id.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_id(catalog: &Catalog, id: OperationId) -> Result<Option<Operation>, StoreError> {
    catalog.session().await?.query_opt(BY_ID, &[&id.as_uuid()]).await?.as_ref().map(read).transpose()
}

/// The one of an id, which nobody else can change before this transaction ends.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn lock(tx: &mut Tx, id: OperationId) -> Result<Option<Operation>, StoreError> {
    tx.query_opt(LOCK, &[&id.as_uuid()]).await?.as_ref().map(read).transpose()
}

/// Which operations a list is about; what is left out does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this environment.
    pub environment: Option<EnvironmentName>,
    /// In one of these states.
    pub states: Option<Vec<OperationState>>,
    /// That hold, or held, this.
    pub subject: Option<Uuid>,
}

/// A page of operations, newest first.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog, filter: &Filter, page: &Page<OperationId>) -> Result<Vec<Operation>, StoreError> {
    let states: Option<Vec<&str>> = filter.states.as_ref().map(|states| states.iter().map(|state| state.as_str()).collect());
    let environment = filter.environment.as_ref().map(EnvironmentName::as_str);
    let after = page.after.map(|id| id.as_uuid());
    let mut session = catalog.session().await?;
    session.query(LIST, &[&environment, &states, &filter.subject, &after, &page.rows_max()]).await?.iter().map(read).collect()
}

/// How an operation's children are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Children {
    /// Not over.
    pub unfinished: u64,
    /// Done.
    pub succeeded: u64,
    /// Undone or abandoned.
    pub failed: u64,
}

/// Counts an operation's children.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn children(catalog: &Catalog, parent: OperationId) -> Result<Children, StoreError> {
    let row = catalog.session().await?.query_one(CHILDREN, &[&parent.as_uuid()]).await?;
    Ok(Children {
        unfinished: column::count_big(&row, "unfinished")?,
        succeeded: column::count_big(&row, "succeeded")?,
        failed: column::count_big(&row, "failed")?,
    })
}

/// An operation's children that are not over.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn unfinished_children(catalog: &Catalog, parent: OperationId) -> Result<Vec<OperationId>, StoreError> {
    let rows = catalog.session().await?.query(UNFINISHED_CHILDREN, &[&parent.as_uuid()]).await?;
    rows.iter().map(|row| column::uuid(row, "id").map(OperationId::from_uuid)).collect()
}

/// The catalog's clock, the only one by which operations wait and end.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn now(tx: &mut Tx) -> Result<Timestamp, StoreError> {
    column::get(&tx.query_one(NOW, &[]).await?, "now")
}

pub(crate) fn read(row: &Row) -> Result<Operation, StoreError> {
    Ok(Operation {
        id: OperationId::from_uuid(column::uuid(row, "id")?),
        kind: column::parsed(row, "kind")?,
        version: column::count(row, "kind_version")?,
        environment: column::parsed_opt(row, "environment")?,
        cluster: column::get::<Option<_>>(row, "cluster_id")?.map(ClusterId::from_uuid),
        subject: column::get(row, "subject")?,
        parent: column::get::<Option<_>>(row, "parent_id")?.map(OperationId::from_uuid),
        requested_by: column::get::<Json<Value>>(row, "requested_by")?.0,
        reason: column::get(row, "reason")?,
        state: column::parsed(row, "state")?,
        steps: column::count(row, "steps")?,
        step: column::count(row, "step")?,
        step_name: column::get(row, "step_name")?,
        problem: column::problem(row, "problem")?,
        alerted: column::get(row, "alerted")?,
        progress: column::get::<Option<Json<Value>>>(row, "progress")?.map(|Json(progress)| progress),
        last_seq: column::count_big(row, "last_seq")?,
        head: journal::digest(row, "head")?,
        epoch: column::count_big(row, "lease_epoch")?,
        lease_owner: column::get(row, "lease_owner")?,
        lease_until: column::get(row, "lease_until")?,
        next_run_at: column::get(row, "next_run_at")?,
        deadline: column::get(row, "deadline_at")?,
        created_at: column::get(row, "created_at")?,
        finished_at: column::get(row, "finished_at")?,
        read_at: column::get(row, "read_at")?,
    })
}
