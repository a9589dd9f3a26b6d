//! Waivers: differences between the servers of two environments that somebody accepts, until a day (R20).
//!
//! Promises: what was accepted can still be told after it ended or was taken back, with who answered for it.

use holm_core::environment::EnvironmentName;
use holm_core::id::EnvironmentId;
use holm_core::parity::{DifferenceId, Waived};
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

const LIST: &str = "\
SELECT w.id, e.name AS environment, o.name AS with_environment, w.difference, w.values_here, w.values_there, w.owner, w.reason, w.until,
    w.granted_at, w.until <= now() AS ended
FROM parity_waiver w
JOIN environment e ON e.id = w.environment_id
JOIN environment o ON o.id = w.with_id
WHERE w.removed_at IS NULL
ORDER BY e.name, o.name, w.difference, w.until, w.id";
const BY_ID: &str = "\
SELECT w.id, e.name AS environment, o.name AS with_environment, w.difference, w.values_here, w.values_there, w.owner, w.reason, w.until,
    w.granted_at, w.until <= now() AS ended
FROM parity_waiver w
JOIN environment e ON e.id = w.environment_id
JOIN environment o ON o.id = w.with_id
WHERE w.id = $1 AND w.removed_at IS NULL";
const KEEP: &str = "\
INSERT INTO parity_waiver (id, environment_id, with_id, difference, values_here, values_there, owner, reason, until)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
WHERE $9 > now()";
const REMOVE: &str = "UPDATE parity_waiver SET removed_at = now() WHERE id = $1 AND removed_at IS NULL";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[LIST, BY_ID, KEEP, REMOVE];

/// A waiver to be granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewWaiver {
    /// Its identity.
    pub id: Uuid,
    /// Between this environment.
    pub environment: EnvironmentId,
    /// And that one.
    pub with: EnvironmentId,
    /// Which difference.
    pub difference: DifferenceId,
    /// What the servers of the first had.
    pub here: Waived,
    /// And those of the second.
    pub there: Waived,
    /// Who answers for it.
    pub owner: String,
    /// Why it may be so.
    pub reason: String,
    /// When it ends.
    pub until: Timestamp,
}

/// A waiver that was granted, and that nobody took back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiver {
    /// Its identity.
    pub id: Uuid,
    /// Between this environment.
    pub environment: EnvironmentName,
    /// And that one.
    pub with: EnvironmentName,
    /// Which difference.
    pub difference: DifferenceId,
    /// What the servers of the first had.
    pub here: Waived,
    /// And those of the second.
    pub there: Waived,
    /// Who answers for it.
    pub owner: String,
    /// Why it may be so.
    pub reason: String,
    /// When it ends.
    pub until: Timestamp,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// Whether it is over, by the catalog's clock.
    pub ended: bool,
}

/// Those that nobody took back, ended ones too, in the order of environments and differences.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog) -> Result<Vec<Waiver>, StoreError> {
    catalog.session().await?.query(LIST, &[]).await?.iter().map(read).collect()
}

/// The one of an id, if nobody took it back.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_id(catalog: &Catalog, id: Uuid) -> Result<Option<Waiver>, StoreError> {
    catalog.session().await?.query_opt(BY_ID, &[&id]).await?.as_ref().map(read).transpose()
}

/// Grants one. Returns `false`, and grants none, if it would be over already.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn keep(tx: &mut Tx, new: &NewWaiver) -> Result<bool, StoreError> {
    let (environment, with) = (new.environment.as_uuid(), new.with.as_uuid());
    let (here, there, difference) = (Json(&new.here), Json(&new.there), new.difference.to_string());
    let kept = tx.execute(KEEP, &[&new.id, &environment, &with, &difference, &here, &there, &new.owner, &new.reason, &new.until]).await?;
    Ok(kept > 0)
}

/// Takes one back. Returns `false` if it was not in force.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn remove(tx: &mut Tx, id: Uuid) -> Result<bool, StoreError> {
    Ok(tx.execute(REMOVE, &[&id]).await? > 0)
}

fn read(row: &Row) -> Result<Waiver, StoreError> {
    Ok(Waiver {
        id: column::uuid(row, "id")?,
        environment: column::parsed(row, "environment")?,
        with: column::parsed(row, "with_environment")?,
        difference: column::parsed(row, "difference")?,
        here: column::get::<Json<Waived>>(row, "values_here")?.0,
        there: column::get::<Json<Waived>>(row, "values_there")?.0,
        owner: column::get(row, "owner")?,
        reason: column::get(row, "reason")?,
        until: column::get(row, "until")?,
        granted_at: column::get(row, "granted_at")?,
        ended: column::get(row, "ended")?,
    })
}
