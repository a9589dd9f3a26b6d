//! How full clusters are: what there is to choose from when a tenant is placed.
//!
//! Promises: counts of one moment; whoever chooses by them may find the last database gone, and waits for one.

use holm_core::environment::EnvironmentName;
use holm_core::id::ClusterId;

use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

const OF_ENVIRONMENT: &str = "\
SELECT c.id,
    (SELECT count(*) FROM database d JOIN template m ON m.id = d.template_id
     WHERE d.cluster_id = c.id AND d.state = 'ready' AND m.state = 'ready') AS ready,
    (SELECT count(*) FROM database d WHERE d.cluster_id = c.id AND d.state = 'claimed') AS tenants
FROM cluster c
JOIN environment e ON e.id = c.environment_id
WHERE e.name = $1 AND c.state <> 'removed'
ORDER BY c.name";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[OF_ENVIRONMENT];

/// How full a cluster is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Which.
    pub cluster: ClusterId,
    /// Databases that nobody has yet.
    pub ready: u64,
    /// Databases that tenants have.
    pub tenants: u64,
}

/// Of each cluster of an environment, by name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of_environment_within(tx: &mut Tx, environment: &EnvironmentName) -> Result<Vec<Room>, StoreError> {
    let rows = tx.query(OF_ENVIRONMENT, &[&environment.as_str()]).await?;
    let read = |row: &tokio_postgres::Row| {
        Ok(Room {
            cluster: ClusterId::from_uuid(column::uuid(row, "id")?),
            ready: column::count_big(row, "ready")?,
            tenants: column::count_big(row, "tenants")?,
        })
    };
    rows.iter().map(read).collect()
}
