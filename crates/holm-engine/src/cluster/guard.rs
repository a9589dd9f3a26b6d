//! Keeps tenants out of the databases that every server has from the start.
//!
//! Promises: no role without a grant connects to `postgres` or `template1`, so that what Holm does in `postgres`, its
//! advisory locks included, is out of every tenant's reach.

use super::connect::Connection;
use super::lock;
use super::trouble::ClusterError;

const OPEN: &str = "\
SELECT quote_ident(d.datname)
FROM pg_database d
WHERE d.datname IN ('postgres', 'template1')
  AND EXISTS (SELECT 1 FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) acl WHERE acl.grantee = 0)";

/// Revokes what `PUBLIC` has there, if it has anything.
///
/// # Cancel safety
/// Safe.
pub(crate) async fn close_to_public(admin: &Connection) -> Result<(), ClusterError> {
    if open(admin).await?.is_empty() {
        return Ok(());
    }
    // Two that change one row of `pg_database` at once disturb each other ("tuple concurrently updated").
    lock::guard(admin).await?;
    for name in open(admin).await? {
        admin.run("close a maintenance database to everyone", &format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC")).await?;
    }
    lock::release_guard(admin).await
}

/// Those that are open, quoted by PostgreSQL itself.
async fn open(admin: &Connection) -> Result<Vec<String>, ClusterError> {
    let rows = admin.query("look at the maintenance databases", OPEN, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
