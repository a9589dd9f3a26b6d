//! Where the catalog itself is, by what its server is and not by its address.
//!
//! Promises: another server or database can be compared with it although it is reached in another way: by the identifier
//! that `initdb` gave, and where that may not be read, by an advisory lock that is seen there or not.

use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::{Corrupt, column};
use crate::tx::Tx;

const READABLE: &str = "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS readable";
const IDENTIFIER: &str = "SELECT system_identifier FROM pg_catalog.pg_control_system()";
const OID: &str = "SELECT oid::bigint AS oid FROM pg_database WHERE datname = current_database()";
const BEACON: &str = "SELECT pg_advisory_xact_lock($1)";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[READABLE, IDENTIFIER, OID, BEACON];

/// A server and a database on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of the server; none where it may not be read.
    pub system_identifier: Option<i64>,
    /// Of the database.
    pub oid: u32,
}

/// A lock in the catalog that can be seen by whoever is on the same server, for as long as this lives.
pub struct Beacon {
    /// What `pg_locks` shows.
    pub key: i64,
    _tx: Tx,
}

/// Where the catalog is.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn own(catalog: &Catalog) -> Result<Place, StoreError> {
    let mut session = catalog.session().await?;
    let readable: bool = column::get(&session.query_one(READABLE, &[]).await?, "readable")?;
    let system_identifier =
        if readable { Some(column::get(&session.query_one(IDENTIFIER, &[]).await?, "system_identifier")?) } else { None };
    let oid = column::count_big(&session.query_one(OID, &[]).await?, "oid")?.try_into().corrupt("oid")?;
    Ok(Place { system_identifier, oid })
}

/// Lights a beacon.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it goes out with the transaction.
pub async fn beacon(catalog: &Catalog) -> Result<Beacon, StoreError> {
    let key = i64::from_be_bytes(Uuid::new_v4().as_u64_pair().0.to_be_bytes());
    let mut tx = catalog.transaction().await?;
    tx.query(BEACON, &[&key]).await?;
    Ok(Beacon { key, _tx: tx })
}
