//! Facts of an installation's own: texts that are laid over what Holm ships.
//!
//! Promises: of a name one text is in force; what was in force before can still be read.

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

const IN_FORCE: &str = "SELECT id, name, text, kept_at FROM residency_facts WHERE removed_at IS NULL ORDER BY name";
const AT: &str = "\
SELECT id, name, text, kept_at
FROM residency_facts
WHERE kept_at <= $1 AND (removed_at IS NULL OR removed_at > $1)
ORDER BY name";
const REMOVE: &str = "UPDATE residency_facts SET removed_at = now() WHERE name = $1 AND removed_at IS NULL";
const KEEP: &str = "INSERT INTO residency_facts (id, name, text) VALUES ($1, $2, $3)";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[IN_FORCE, AT, REMOVE, KEEP];

/// A text of facts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Its identity.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// What it says.
    pub text: String,
    /// Since when it is in force.
    pub kept_at: Timestamp,
}

/// Puts a text in force, in the place of the one of that name. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn keep(tx: &mut Tx, id: Uuid, name: &str, text: &str) -> Result<(), StoreError> {
    tx.execute(REMOVE, &[&name]).await?;
    tx.execute(KEEP, &[&id, &name, &text]).await.map(drop)
}

/// Takes a text out of force. Returns whether there was one. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn remove(tx: &mut Tx, name: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(REMOVE, &[&name]).await? > 0)
}

/// Those in force, in the order in which they are laid.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn in_force_within(tx: &mut Tx) -> Result<Vec<Kept>, StoreError> {
    tx.query(IN_FORCE, &[]).await?.iter().map(read).collect()
}

/// As [`in_force_within`], outside any transaction.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn in_force(catalog: &Catalog) -> Result<Vec<Kept>, StoreError> {
    catalog.session().await?.query(IN_FORCE, &[]).await?.iter().map(read).collect()
}

/// Those that were in force at a time.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn at(catalog: &Catalog, at: Timestamp) -> Result<Vec<Kept>, StoreError> {
    catalog.session().await?.query(AT, &[&at]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept {
        id: column::uuid(row, "id")?,
        name: column::get(row, "name")?,
        text: column::get(row, "text")?,
        kept_at: column::get(row, "kept_at")?,
    })
}
