//! Whose databases are counted when numbers about all tenants of an environment are asked for (R98).
//!
//! Promises: who is being made, who is deleted with grace, and who failed is left out. Refuses to say who they are: it names databases,
//! which say nothing of a tenant where Holm made them.

use holm_core::environment::EnvironmentName;
use holm_core::id::ClusterId;
use holm_core::role::DatabaseName;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;

/// The states are those of `TenantState::is_established`.
const ESTABLISHED: &str = "\
SELECT d.cluster_id, d.name AS database, t.profile
FROM tenant t
JOIN database d ON d.id = t.database_id
WHERE t.environment_id = (SELECT id FROM environment WHERE name = $1)
    AND t.state IN ('serving', 'paused', 'suspended')
ORDER BY d.cluster_id, d.name";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[ESTABLISHED];

/// A tenant, without its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Established {
    /// Where its database is.
    pub cluster: ClusterId,
    /// What that is called there.
    pub database: DatabaseName,
    /// By which profile its copies are judged, if any.
    pub profile: Option<String>,
}

/// The tenants of an environment that are in use, or can be by a word, by cluster and database.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn established(catalog: &Catalog, environment: &EnvironmentName) -> Result<Vec<Established>, StoreError> {
    catalog.session().await?.query(ESTABLISHED, &[&environment.as_str()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Established, StoreError> {
    Ok(Established {
        cluster: ClusterId::from_uuid(column::uuid(row, "cluster_id")?),
        database: column::parsed(row, "database")?,
        profile: column::get(row, "profile")?,
    })
}
