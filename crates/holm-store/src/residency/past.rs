//! What the catalog still knows of another day, besides texts: claims of place, copies that were seen, who was judged by what.
//!
//! Promises: what is told was written when it happened: by the audit log, or by a row that has both its times. Refuses to fill in:
//! what was there before the first entry, and is in no entry, is not in the answer.

use holm_core::environment::EnvironmentName;
use holm_core::id::{ClusterId, TenantId};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::assigned::{self, Held};
use super::observed::Seen;
use super::placed::Placed;
use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;

const SPAN: &str = "SELECT min(applied_at) AS began, clock_timestamp() AS now FROM holm_migration";
/// A claim of a copy that was seen has its kind before the place; by its name it is not told.
const CLAIMS: &str = "\
SELECT subject_id, at, action = 'cluster.place' AS is_claim, detail::jsonb ->> 'what' AS what, detail::jsonb ->> 'before' AS before
FROM audit_entry
WHERE action IN ('cluster.place', 'cluster.change', 'cluster.replace') AND subject_kind = 'cluster'
    AND (action <> 'cluster.place' OR detail::jsonb ->> 'what' NOT LIKE '% %')
ORDER BY seq";
const PROFILES: &str = "\
SELECT subject_id, at, detail::jsonb ->> 'before' AS before
FROM audit_entry
WHERE action = 'tenant.profile' AND subject_kind = 'tenant' AND at > $1
ORDER BY seq";
const COPIES: &str = "\
SELECT cluster_id, kind, name, seen, place, place_plan, place_evidence, placed_at, first_seen_at, seen_at, gone_at
FROM cluster_copy
ORDER BY cluster_id, kind, name";
const HELD: &str = "\
SELECT t.id, t.slug, e.name AS environment, e.kind, t.profile, d.cluster_id
FROM tenant t
JOIN environment e ON e.id = t.environment_id
JOIN database d ON d.id = t.database_id
WHERE e.name = $1 AND t.state NOT IN ('failed', 'dropped') AND t.created_at <= $2
ORDER BY t.slug";
const GONE: &str = "\
SELECT (
    SELECT count(*) FROM tenant t JOIN environment e ON e.id = t.environment_id
    WHERE e.name = $1 AND t.state = 'dropped' AND t.created_at <= $2 AND t.updated_at > $2
) AS tenants, (
    SELECT count(*) FROM cluster c JOIN environment e ON e.id = c.environment_id
    WHERE e.name = $1 AND c.state = 'removed' AND c.created_at <= $2
) AS clusters";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[SPAN, CLAIMS, PROFILES, COPIES, HELD, GONE];

/// Something that was said of a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// Of which.
    pub cluster: ClusterId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What was said of a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// It is there; and where it was said to be until then.
    Claim {
        /// The place.
        place: String,
        /// The one before.
        before: Option<String>,
    },
    /// It is reached otherwise, or another server; the claim was taken back if it is another machine.
    Change,
}

/// A tenant that was given another profile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejudged {
    /// Which.
    pub tenant: TenantId,
    /// When.
    pub at: Timestamp,
    /// By what it was judged until then.
    pub before: Option<String>,
}

/// A copy that was seen, also one that is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copy {
    /// Of what.
    pub cluster: ClusterId,
    /// What was seen.
    pub seen: Seen,
    /// Where it is said to be by now.
    pub placed: Option<Placed>,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When it was last seen to look otherwise than before, or to be back.
    pub seen_at: Timestamp,
    /// When it was not there any more.
    pub gone_at: Option<Timestamp>,
}

/// What is gone since, and was there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone {
    /// Tenants of an environment.
    pub tenants: u64,
    /// Its clusters.
    pub clusters: u64,
}

/// Since when there is this installation, and what time it is.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn span(catalog: &Catalog) -> Result<(Timestamp, Timestamp), StoreError> {
    let row = catalog.session().await?.query_one(SPAN, &[]).await?;
    Ok((column::get(&row, "began")?, column::get(&row, "now")?))
}

/// Everything that was ever said of where clusters are, in its order; what was said when one was registered is in none of it.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn claims(catalog: &Catalog) -> Result<Vec<Said>, StoreError> {
    let read = |row: &Row| {
        let what = match column::get::<Option<String>>(row, "what")?.filter(|_| matches!(column::get(row, "is_claim"), Ok(true))) {
            Some(place) => What::Claim { place, before: column::get(row, "before")? },
            None => What::Change,
        };
        Ok(Said { cluster: column::parsed(row, "subject_id")?, at: column::get(row, "at")?, what })
    };
    catalog.session().await?.query(CLAIMS, &[]).await?.iter().map(read).collect()
}

/// Who was given another profile after a time, in that order.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn rejudged_after(catalog: &Catalog, at: Timestamp) -> Result<Vec<Rejudged>, StoreError> {
    let read = |row: &Row| {
        Ok(Rejudged { tenant: column::parsed(row, "subject_id")?, at: column::get(row, "at")?, before: column::get(row, "before")? })
    };
    catalog.session().await?.query(PROFILES, &[&at]).await?.iter().map(read).collect()
}

/// Every copy that was ever seen.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn copies(catalog: &Catalog) -> Result<Vec<Copy>, StoreError> {
    let read = |row: &Row| {
        let (place, placed_at): (Option<String>, Option<Timestamp>) = (column::get(row, "place")?, column::get(row, "placed_at")?);
        let (plan, evidence) = (column::get(row, "place_plan")?, column::get(row, "place_evidence")?);
        Ok(Copy {
            cluster: ClusterId::from_uuid(column::uuid(row, "cluster_id")?),
            seen: Seen { kind: column::get(row, "kind")?, name: column::get(row, "name")?, seen: column::get(row, "seen")? },
            placed: place.zip(placed_at).map(|(place, placed_at)| Placed { place, plan, evidence, placed_at }),
            first_seen_at: column::get(row, "first_seen_at")?,
            seen_at: column::get(row, "seen_at")?,
            gone_at: column::get(row, "gone_at")?,
        })
    };
    catalog.session().await?.query(COPIES, &[]).await?.iter().map(read).collect()
}

/// The tenants of an environment that have a database and were there at a time, by name. A tenant goes nowhere: where it is, it was.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn held(catalog: &Catalog, environment: &EnvironmentName, at: Timestamp) -> Result<Vec<Held>, StoreError> {
    catalog.session().await?.query(HELD, &[&environment.as_str(), &at]).await?.iter().map(assigned::read).collect()
}

/// How much of an environment was there at a time and is not any more.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn gone(catalog: &Catalog, environment: &EnvironmentName, at: Timestamp) -> Result<Gone, StoreError> {
    let row = catalog.session().await?.query_one(GONE, &[&environment.as_str(), &at]).await?;
    Ok(Gone { tenants: column::count_big(&row, "tenants")?, clusters: column::count_big(&row, "clusters")? })
}
