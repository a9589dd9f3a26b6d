//! Where data may lie: everything that a verdict may rest on besides what Holm ships, and when any of it changed.
//!
//! Promises: the epoch grows with every change of a profile, a fact, a paper, an exception or a claim of place; whoever holds it
//! shared judges with what is in force until its own transaction ends. Refuses to judge: texts are kept as they were given, and
//! what they mean is `holm-policy`'s.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

pub mod affected;
pub mod assigned;
pub mod certificate;
pub mod decision;
pub mod exception;
pub mod facts;
pub mod observed;
pub mod paper;
pub mod past;
pub mod placed;
pub mod profile;
pub mod registered;
pub mod room;
pub mod standing;

/// "Hres" as bytes. A lock and not the row: creations come by hundreds, and would leave a row full of their marks.
const SHARE: &str = "SELECT pg_advisory_xact_lock_shared(x'48726573'::integer)";
/// Whoever holds it alone reads texts and runs the cases of profiles meanwhile, which on a busy machine is longer than others may rest.
const ALONE: &str = "SELECT pg_advisory_xact_lock(x'48726573'::integer), set_config('idle_in_transaction_session_timeout', '15s', true)";
const EPOCH: &str = "SELECT epoch, clock_timestamp() AS now FROM residency";
const ADVANCE: &str = "UPDATE residency SET epoch = epoch + 1";
/// "Hjdg" as bytes.
/// It rests while all is judged, which is longer than others may; if it is ended for that, two judge at once.
const JUDGING: &str = "\
SELECT pg_try_advisory_xact_lock(x'486a6467'::integer) AS alone, set_config('idle_in_transaction_session_timeout', '60s', true)";
/// One statement, since it is asked twice a minute for ever. Renewals wait an hour for others: each gives every node a table to keep.
/// `EXCEPT` goes over both once, whatever the planner believes; a join that it takes for one of few rows asks for each tenant about all.
pub(crate) const IS_DUE: &str = "\
SELECT judged <> epoch OR judge_by <= now() AS copies,
    EXISTS (SELECT FROM placement_certificate WHERE expires_at < now() + interval '23 hours')
    OR EXISTS (
        SELECT id FROM tenant WHERE state IN ('serving', 'paused', 'suspended', 'deleted')
        EXCEPT
        SELECT tenant_id FROM placement_certificate
    ) AS certificates
FROM residency";
const COPIES_ARE_DUE: &str = "SELECT judged <> epoch OR judge_by <= now() AS copies FROM residency";
const JUDGED: &str = "UPDATE residency SET judged = $1, judge_by = $2";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[SHARE, ALONE, EPOCH, ADVANCE, JUDGING, IS_DUE, COPIES_ARE_DUE, JUDGED];

/// Which state of all that verdicts rest on; grows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Epoch(pub u64);

/// Keeps everything that verdicts rest on as it is until this transaction ends; says which state that is, and what time it is.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn share(tx: &mut Tx) -> Result<(Epoch, Timestamp), StoreError> {
    tx.query(SHARE, &[]).await?;
    let row = tx.query_one(EPOCH, &[]).await?;
    Ok((read(&row)?, column::get(&row, "now")?))
}

/// Which state it is, and what time it is; may be another state in a moment.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn epoch(tx: &mut Tx) -> Result<(Epoch, Timestamp), StoreError> {
    let row = tx.query_one(EPOCH, &[]).await?;
    Ok((read(&row)?, column::get(&row, "now")?))
}

/// Waits for whoever judges, and keeps others from it until this transaction ends: something is perhaps going to change. Says
/// which state it is before.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn alone(tx: &mut Tx) -> Result<(Epoch, Timestamp), StoreError> {
    tx.query(ALONE, &[]).await?;
    let row = tx.query_one(EPOCH, &[]).await?;
    Ok((read(&row)?, column::get(&row, "now")?))
}

/// Something changes with this transaction. The caller holds it [`alone`], and reads nothing that it judges by from here on: it
/// would be of a state that is not there yet.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn advance(tx: &mut Tx) -> Result<(), StoreError> {
    tx.execute(ADVANCE, &[]).await?;
    tx.wake();
    Ok(())
}

/// Whether nobody else judges every copy now; nobody begins to until this transaction ends.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn judging(tx: &mut Tx) -> Result<bool, StoreError> {
    column::get(&tx.query_one(JUDGING, &[]).await?, "alone")
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// Copies are to be judged anew: something changed, or the time of the last verdicts is over.
    pub copies: bool,
    /// Certificates are to be renewed, or are missing.
    pub certificates: bool,
}

/// What is to be done now.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn is_due(catalog: &Catalog) -> Result<Due, StoreError> {
    let row = catalog.session().await?.query_one(IS_DUE, &[]).await?;
    Ok(Due { copies: column::get(&row, "copies")?, certificates: column::get(&row, "certificates")? })
}

/// Whether copies are to be judged anew.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn copies_are_due(catalog: &Catalog) -> Result<bool, StoreError> {
    column::get(&catalog.session().await?.query_one(COPIES_ARE_DUE, &[]).await?, "copies")
}

/// Notes that every copy was judged by a state, and when that is over.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn judged(tx: &mut Tx, epoch: Epoch, until: Timestamp) -> Result<(), StoreError> {
    let epoch = i64::try_from(epoch.0).map_err(|error| StoreError::Fault(error.into()))?;
    tx.execute(JUDGED, &[&epoch, &until]).await.map(drop)
}

fn read(row: &Row) -> Result<Epoch, StoreError> {
    column::count_big(row, "epoch").map(Epoch)
}
