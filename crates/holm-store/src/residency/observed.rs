//! Copies of everything on a cluster that were seen there: standbys, slots, an archive.
//!
//! Promises: what is seen is noted whether or not anybody registered it, and stays noted when it is gone. Where it is, is a claim
//! like that of a cluster. Refuses the text of a command, in which secrets stand.

use holm_core::id::ClusterId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Json;

use crate::error::StoreError;
use crate::residency::placed::{Claimed, Placed};
use crate::row::column;
use crate::tx::Tx;

/// Both at once, so that a look that sees what the last one saw writes nothing.
const NOTE: &str = "\
WITH seen AS (
    SELECT * FROM jsonb_to_recordset($2) AS s (kind text, name text, seen text)
), gone AS (
    UPDATE cluster_copy c SET gone_at = now()
    WHERE c.cluster_id = $1 AND c.gone_at IS NULL
        AND NOT EXISTS (SELECT FROM seen s WHERE s.kind = c.kind AND s.name = c.name)
    RETURNING 1
), noted AS (
    INSERT INTO cluster_copy AS c (cluster_id, kind, name, seen)
    SELECT $1, s.kind, s.name, s.seen FROM seen s
    ON CONFLICT (cluster_id, kind, name) DO UPDATE
    SET seen = excluded.seen, seen_at = now(), gone_at = NULL,
        -- What comes back may be somebody else's, under the same name.
        place = CASE WHEN c.gone_at IS NULL THEN c.place END,
        place_plan = CASE WHEN c.gone_at IS NULL THEN c.place_plan END,
        place_evidence = CASE WHEN c.gone_at IS NULL THEN c.place_evidence END,
        placed_at = CASE WHEN c.gone_at IS NULL THEN c.placed_at END
    WHERE c.gone_at IS NOT NULL OR c.seen <> excluded.seen
    RETURNING c.first_seen_at = c.seen_at AS is_new
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM noted) AS changes";
const LOOKED: &str = "UPDATE cluster SET copies_seen_at = now() WHERE id = $1";
const PLACE: &str = "\
UPDATE cluster_copy SET place = $4, place_plan = $5, place_evidence = $6, placed_at = now()
WHERE cluster_id = $1 AND kind = $2 AND name = $3";
const IS_NEWS: &str = "\
SELECT (SELECT copies_seen_at IS NULL FROM cluster WHERE id = $1) OR EXISTS (
    SELECT FROM jsonb_to_recordset($2) AS s (kind text, name text, seen text)
    LEFT JOIN cluster_copy c ON c.cluster_id = $1 AND c.kind = s.kind AND c.name = s.name AND c.gone_at IS NULL
    WHERE c.seen IS DISTINCT FROM s.seen
) OR EXISTS (
    SELECT FROM cluster_copy c
    WHERE c.cluster_id = $1 AND c.gone_at IS NULL
        AND NOT EXISTS (SELECT FROM jsonb_to_recordset($2) AS s (kind text, name text) WHERE s.kind = c.kind AND s.name = c.name)
) AS news";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[NOTE, LOOKED, PLACE, IS_NEWS];

/// What was seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// `standby`, `slot` or `archive`.
    pub kind: String,
    /// By what it is known again.
    pub name: String,
    /// How it looked.
    pub seen: String,
}

/// A copy that is there, and where somebody said that it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observed {
    /// What was seen.
    pub seen: Seen,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// Where it is said to be.
    pub placed: Option<Placed>,
}

/// As a row of clusters has them.
#[derive(Deserialize)]
struct Row {
    kind: String,
    name: String,
    seen: String,
    first_seen_at: Timestamp,
    place: Option<String>,
    place_plan: Option<String>,
    place_evidence: Option<String>,
    placed_at: Option<Timestamp>,
}

/// Whether a look saw anything else than the one before.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn is_news(tx: &mut Tx, cluster: ClusterId, seen: &[Seen]) -> Result<bool, StoreError> {
    column::get(&tx.query_one(IS_NEWS, &[&cluster.as_uuid(), &Json(seen)]).await?, "news")
}

/// Notes what a look saw. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn note(tx: &mut Tx, cluster: ClusterId, seen: &[Seen]) -> Result<(), StoreError> {
    tx.query_one(NOTE, &[&cluster.as_uuid(), &Json(seen)]).await?;
    looked(tx, cluster).await
}

/// Notes that somebody looked, and saw nothing else than the last time.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn looked(tx: &mut Tx, cluster: ClusterId) -> Result<(), StoreError> {
    tx.execute(LOOKED, &[&cluster.as_uuid()]).await.map(drop)
}

/// Says where one is. Returns whether it was ever seen. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn place(tx: &mut Tx, cluster: ClusterId, (kind, name): (&str, &str), claimed: &Claimed) -> Result<bool, StoreError> {
    let Claimed { place, plan, evidence } = claimed;
    Ok(tx.execute(PLACE, &[&cluster.as_uuid(), &kind, &name, place, plan, evidence]).await? > 0)
}

/// What a row of clusters says.
pub(crate) fn read(row: &tokio_postgres::Row) -> Result<Vec<Observed>, StoreError> {
    let rows = column::get::<Json<Vec<Row>>>(row, "copies")?.0;
    let read = |row: Row| Observed {
        seen: Seen { kind: row.kind, name: row.name, seen: row.seen },
        first_seen_at: row.first_seen_at,
        placed: row.place.zip(row.placed_at).map(|(place, placed_at)| Placed {
            place,
            plan: row.place_plan,
            evidence: row.place_evidence,
            placed_at,
        }),
    };
    Ok(rows.into_iter().map(read).collect())
}
