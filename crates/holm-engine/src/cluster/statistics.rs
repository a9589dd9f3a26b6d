//! What PostgreSQL counts of each database, read from the catalogs that all of a server's databases share (R98).
//!
//! Promises: one statement that reads, in the session of Holm's own, in no tenant's database and of no row of theirs; the server itself
//! ends it when it takes too long. What may not be read is left out and not guessed.

use std::collections::BTreeMap;

use holm_core::error::Problem;
use holm_core::role::DatabaseName;
use holm_core::statistics::Numbers;
use holm_store::cluster::Cluster;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::capability;
use super::connect::{Access, Connection};
use super::identity::{self, Met};
use super::trouble::ClusterError;

/// The size of a database is the sizes of all its files: a thousand databases are some 300,000 files.
const LIMITS: &str = "SET statement_timeout = '12s'; SET default_transaction_read_only = on";
/// `pg_database_size` refuses whoever may neither connect nor read all statistics, which would end the whole statement.
const NUMBERS: &str = "\
SELECT d.datname::text AS database,
    CASE
        WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE') THEN pg_database_size(d.oid)
    END AS size_bytes,
    s.xact_commit AS transactions, s.tup_returned AS rows_returned,
    s.tup_inserted + s.tup_updated + s.tup_deleted AS rows_written, s.temp_bytes
FROM pg_database d
JOIN pg_stat_database s ON s.datid = d.oid
WHERE d.datname::text = ANY ($1)";

/// What was counted of each database that is there and may be read.
pub(crate) type Read = BTreeMap<String, Numbers>;

/// Reads what a cluster has counted of these databases.
///
/// # Errors
/// It does not answer, lets nobody in, or is another server than was registered.
///
/// # Cancel safety
/// Safe: it only reads.
pub(crate) async fn read(cluster: &Cluster, access: &Access, databases: &[&DatabaseName], now: Timestamp) -> Result<Read, Problem> {
    let seen = capability::observe(access, now).await.map_err(|unseen| identity::unseen(&unseen, access))?;
    // Databases of the same names may be on a copy of it, and are not the tenants'.
    if identity::met(cluster, &seen, access) == Met::Another {
        return Err(identity::another_server(cluster));
    }
    let asked = ask(&seen.session, databases).await;
    seen.session.close().await;
    asked.map_err(|error| error.problem(&cluster.name))
}

async fn ask(session: &Connection, databases: &[&DatabaseName]) -> Result<Read, ClusterError> {
    session.run("limit a session", LIMITS).await?;
    let names: Vec<&str> = databases.iter().map(|database| database.as_str()).collect();
    let rows = session.query("read what it counts of each database", NUMBERS, &[&names]).await?;
    Ok(rows.iter().filter_map(|row| Some((row.get("database"), numbers(row)?))).collect())
}

/// None if one of them is not known: a tenant is counted in all, or in none.
fn numbers(row: &Row) -> Option<Numbers> {
    let number = |name: &str| u64::try_from(row.get::<_, Option<i64>>(name)?).ok();
    Some([number("size_bytes")?, number("transactions")?, number("rows_returned")?, number("rows_written")?, number("temp_bytes")?])
}
