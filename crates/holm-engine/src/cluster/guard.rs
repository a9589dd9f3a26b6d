//! Keeps tenants out of the databases that every server has from the start.
//!
//! Promises: no role without a grant connects to `postgres` or `template1`, so that what Holm does in `postgres`, its
//! advisory locks included, is out of every tenant's reach.

use holm_store::cluster::PublicBefore;
use tokio_postgres::Row;

use super::connect::Connection;
use super::lock;
use super::trouble::ClusterError;

/// What there is to have on a database.
const PRIVILEGES: [&str; 3] = ["CONNECT", "CREATE", "TEMPORARY"];

const OPEN: &str = "\
SELECT quote_ident(d.datname)
FROM pg_database d
WHERE d.datname IN ('postgres', 'template1')
  AND EXISTS (SELECT 1 FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) acl WHERE acl.grantee = 0)";

const PUBLIC: &str = "\
SELECT d.datname::text AS name, array_agg(acl.privilege_type::text ORDER BY acl.privilege_type) AS privileges
FROM pg_database d, LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) acl
WHERE d.datname IN ('postgres', 'template1') AND acl.grantee = 0
GROUP BY d.datname
ORDER BY d.datname";

/// What `PUBLIC` has there.
///
/// # Cancel safety
/// Safe: it only reads.
pub(crate) async fn public(admin: &Connection) -> Result<Vec<PublicBefore>, ClusterError> {
    let rows = admin.query("look at the maintenance databases", PUBLIC, &[]).await?;
    let before = |row: &Row| Some(PublicBefore { database: row.get::<_, &str>("name").parse().ok()?, privileges: row.get("privileges") });
    Ok(rows.iter().filter_map(before).collect())
}

/// Gives back what `PUBLIC` had. Words that are no privilege of a database are passed over.
///
/// # Cancel safety
/// Safe.
pub(crate) async fn reopen(admin: &Connection, before: &[PublicBefore]) -> Result<(), ClusterError> {
    lock::guard(admin).await?;
    for PublicBefore { database, privileges } in before {
        let known: Vec<&str> = privileges.iter().map(String::as_str).filter(|word| PRIVILEGES.contains(word)).collect();
        if !known.is_empty() {
            let sql = format!("GRANT {} ON DATABASE {} TO PUBLIC", known.join(", "), database.as_ident());
            admin.run("open a maintenance database again", &sql).await?;
        }
    }
    lock::release_guard(admin).await
}

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
