//! Profiles that an installation has: every version that was ever in force, as text.
//!
//! Promises: a version that was kept never changes, and the newest of a name is the one that counts.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

const NEWEST: &str = "\
SELECT DISTINCT ON (name) name, version, text, hash, kept_at
FROM residency_profile
ORDER BY name, version DESC";
const AT: &str = "\
SELECT DISTINCT ON (name) name, version, text, hash, kept_at
FROM residency_profile
WHERE kept_at <= $1
ORDER BY name, version DESC";
const ALL: &str = "SELECT name, version, text, hash, kept_at FROM residency_profile ORDER BY name, version";
const OF_NAME: &str = "SELECT name, version, text, hash, kept_at FROM residency_profile WHERE name = $1 ORDER BY version DESC LIMIT 1";
const KEEP: &str = "INSERT INTO residency_profile (name, version, text, hash) VALUES ($1, $2, $3, $4)";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[NEWEST, AT, ALL, OF_NAME, KEEP];

/// A version of a profile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// Which version.
    pub version: u32,
    /// What it says.
    pub text: String,
    /// Of what it means, whatever the order in which it is written.
    pub hash: String,
    /// Since when it was in force.
    pub kept_at: Timestamp,
}

/// What became of a [`keep`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Keeping {
    /// It is in force from now on.
    Done,
    /// It is in force already, and means the same.
    Same(Kept),
    /// That version, or a newer one, is in force and means something else; nothing was changed.
    NotNewer(Kept),
}

/// Puts a version of a profile in force. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn keep(tx: &mut Tx, name: &str, version: u32, text: &str, hash: &str) -> Result<Keeping, StoreError> {
    if let Some(row) = tx.query_opt(OF_NAME, &[&name]).await? {
        let known = read(&row)?;
        if known.hash == hash && known.version == version {
            return Ok(Keeping::Same(known));
        }
        if known.version >= version {
            return Ok(Keeping::NotNewer(known));
        }
    }
    let version = i32::try_from(version).map_err(|error| StoreError::Fault(error.into()))?;
    tx.execute(KEEP, &[&name, &version, &text, &hash]).await?;
    Ok(Keeping::Done)
}

/// The version of each that counts, by name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn newest_within(tx: &mut Tx) -> Result<Vec<Kept>, StoreError> {
    tx.query(NEWEST, &[]).await?.iter().map(read).collect()
}

/// The version of each that counted at a time, by name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn at(catalog: &Catalog, at: Timestamp) -> Result<Vec<Kept>, StoreError> {
    catalog.session().await?.query(AT, &[&at]).await?.iter().map(read).collect()
}

/// Every version that was ever in force, by name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn all(catalog: &Catalog) -> Result<Vec<Kept>, StoreError> {
    catalog.session().await?.query(ALL, &[]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept {
        name: column::get(row, "name")?,
        version: column::count(row, "version")?,
        text: column::get(row, "text")?,
        hash: column::get(row, "hash")?,
        kept_at: column::get(row, "kept_at")?,
    })
}
