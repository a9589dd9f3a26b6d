//! Where clusters are said to be: a claim of whoever added them, with what it rests on and a date.
//!
//! Promises: a claim is replaced as a whole. Refuses to guess: a cluster of which nobody said where it is, is nowhere.

use holm_core::id::ClusterId;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

const SET: &str = "\
UPDATE cluster SET place = $2, place_plan = $3, place_evidence = $4, placed_at = now()
WHERE id = $1 AND state <> 'removed'";
const CLEAR: &str = "\
UPDATE cluster SET place = NULL, place_plan = NULL, place_evidence = NULL, placed_at = NULL, copies_seen_at = NULL
WHERE id = $1";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[SET, CLEAR];

/// Where a cluster is said to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    /// A provider and a region of the registry: `scalingo/osc-fr1`.
    pub place: String,
    /// On which plan of the provider's, if that was said.
    pub plan: Option<String>,
    /// What that rests on: an address, or a word.
    pub evidence: Option<String>,
    /// When it was said.
    pub placed_at: Timestamp,
}

/// What is said of where something is, now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claimed {
    /// A provider and a region of the registry.
    pub place: String,
    /// On which plan of the provider's.
    pub plan: Option<String>,
    /// What that rests on.
    pub evidence: Option<String>,
}

/// Says where a cluster is. Returns whether there is such a cluster. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn set(tx: &mut Tx, cluster: ClusterId, claimed: &Claimed) -> Result<bool, StoreError> {
    let Claimed { place, plan, evidence } = claimed;
    Ok(tx.execute(SET, &[&cluster.as_uuid(), place, plan, evidence]).await? > 0)
}

/// Takes the claim back: the server is another machine now. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn clear(tx: &mut Tx, cluster: ClusterId) -> Result<(), StoreError> {
    tx.execute(CLEAR, &[&cluster.as_uuid()]).await.map(drop)
}

/// What a row of clusters says.
pub(crate) fn read(row: &Row) -> Result<Option<Placed>, StoreError> {
    let Some(place) = column::get::<Option<String>>(row, "place")? else { return Ok(None) };
    let (plan, evidence) = (column::get(row, "place_plan")?, column::get(row, "place_evidence")?);
    Ok(Some(Placed { place, plan, evidence, placed_at: column::get(row, "placed_at")? }))
}
