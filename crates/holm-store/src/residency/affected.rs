//! Whose data is on a server, when something happened to it: tenants in every state, and what else of them is, or was, there.
//!
//! Promises: a tenant that is suspended or deleted with grace is in it: its data is there. So is a copy of the server that is gone: what
//! happened may have happened while it was there. Refuses to say what a database holds
//! that nobody has any more: it says how many of them are not dropped yet.

use holm_core::id::{ClusterId, TenantId};
use holm_core::role::DatabaseName;
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;

const TENANTS: &str = "\
SELECT t.id, t.slug, t.state, t.profile, t.created_at, d.name AS database
FROM database d
JOIN tenant t ON t.database_id = d.id
WHERE d.cluster_id = $1
    AND t.state NOT IN ('failed', 'dropped')
ORDER BY t.slug";
const CONDEMNED: &str = "SELECT count(*) AS condemned FROM database WHERE cluster_id = $1 AND state = 'condemned'";
const ELSEWHERE: &str = "\
SELECT kind, name, place, first_seen_at, seen_at, gone_at
FROM cluster_copy
WHERE cluster_id = $1
ORDER BY gone_at DESC NULLS FIRST, kind, name";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[TENANTS, CONDEMNED, ELSEWHERE];

/// A tenant whose database is on a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Affected {
    /// Its identity.
    pub id: TenantId,
    /// Its name.
    pub slug: TenantSlug,
    /// Where it is in its life.
    pub state: TenantState,
    /// By which profile it is judged, if any.
    pub profile: Option<String>,
    /// Since when it is there.
    pub created_at: Timestamp,
    /// Its database there.
    pub database: DatabaseName,
}

/// Something that has a copy of everything on a server, and is not that server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Elsewhere {
    /// `standby`, `slot` or `archive`.
    pub kind: String,
    /// What it is called there.
    pub name: String,
    /// Where somebody said that it is.
    pub place: Option<String>,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When it was last seen to look otherwise than before, or to be back.
    pub seen_at: Timestamp,
    /// When it was not there any more.
    pub gone_at: Option<Timestamp>,
}

/// The tenants that have a database on a cluster, by name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn tenants(catalog: &Catalog, cluster: ClusterId) -> Result<Vec<Affected>, StoreError> {
    catalog.session().await?.query(TENANTS, &[&cluster.as_uuid()]).await?.iter().map(read).collect()
}

/// How many databases there are on a cluster that are to be dropped, and are not yet.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn condemned(catalog: &Catalog, cluster: ClusterId) -> Result<u64, StoreError> {
    column::count_big(&catalog.session().await?.query_one(CONDEMNED, &[&cluster.as_uuid()]).await?, "condemned")
}

/// What was seen to copy a cluster; what is gone comes last.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn elsewhere(catalog: &Catalog, cluster: ClusterId) -> Result<Vec<Elsewhere>, StoreError> {
    catalog.session().await?.query(ELSEWHERE, &[&cluster.as_uuid()]).await?.iter().map(read_elsewhere).collect()
}

fn read(row: &Row) -> Result<Affected, StoreError> {
    Ok(Affected {
        id: TenantId::from_uuid(column::uuid(row, "id")?),
        slug: column::parsed(row, "slug")?,
        state: column::parsed(row, "state")?,
        profile: column::get(row, "profile")?,
        created_at: column::get(row, "created_at")?,
        database: column::parsed(row, "database")?,
    })
}

fn read_elsewhere(row: &Row) -> Result<Elsewhere, StoreError> {
    Ok(Elsewhere {
        kind: column::get(row, "kind")?,
        name: column::get(row, "name")?,
        place: column::get(row, "place")?,
        first_seen_at: column::get(row, "first_seen_at")?,
        seen_at: column::get(row, "seen_at")?,
        gone_at: column::get(row, "gone_at")?,
    })
}
