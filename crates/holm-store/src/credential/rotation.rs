//! The second key of a credential: the next one before its time, the retiring one until its end.
//!
//! Promises: at every instant of a rotation at least one key that was told to somebody is good; each change may be made
//! twice. Refuses a key for another salt: the exchange tells the client the salt before it knows which password comes.

use holm_core::id::CredentialId;
use holm_core::scram::SecondKeys;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::state::Update;
use crate::tx::Tx;

/// What a new key must be made with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Salting {
    /// The salt.
    pub salt: Box<[u8]>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
}

const SALTING: &str = "SELECT salt, iterations FROM credential WHERE id = $1 AND revoked_at IS NULL";
const PROPOSE: &str = "\
UPDATE credential
SET second_is = 'next', second_stored_key = $2, second_server_key = $3
WHERE id = $1 AND revoked_at IS NULL AND second_is IS DISTINCT FROM 'retiring'";
/// The two change places.
const ACTIVATE: &str = "\
UPDATE credential
SET second_is = 'retiring', stored_key = second_stored_key, server_key = second_server_key,
    second_stored_key = stored_key, second_server_key = server_key
WHERE id = $1 AND second_is = 'next' AND revoked_at IS NULL";
const PUT_BACK: &str = "\
UPDATE credential
SET second_is = NULL, second_stored_key = NULL, second_server_key = NULL,
    stored_key = CASE second_is WHEN 'retiring' THEN second_stored_key ELSE stored_key END,
    server_key = CASE second_is WHEN 'retiring' THEN second_server_key ELSE server_key END
WHERE id = $1 AND second_is IS NOT NULL";
/// Only now it has been rotated: until here it can be put back, and is as it was.
const RETIRE: &str = "\
UPDATE credential
SET second_is = NULL, second_stored_key = NULL, second_server_key = NULL, rotated_at = now()
WHERE id = $1 AND second_is = 'retiring'";
const EXISTS: &str = "SELECT second_is FROM credential WHERE id = $1 AND revoked_at IS NULL FOR UPDATE";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[SALTING, PROPOSE, ACTIVATE, PUT_BACK, RETIRE, EXISTS];

/// What a new key of a credential must be made with; `None` if it is revoked.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn salting(catalog: &Catalog, id: CredentialId) -> Result<Option<Salting>, StoreError> {
    let Some(row) = catalog.session().await?.query_opt(SALTING, &[&id.as_uuid()]).await? else { return Ok(None) };
    Ok(Some(Salting { salt: column::get::<&[u8]>(&row, "salt")?.into(), iterations: column::count(&row, "iterations")? }))
}

/// Keeps the key that is to come. Nobody can use it yet.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn propose(tx: &mut Tx, id: CredentialId, keys: &SecondKeys) -> Result<Update<()>, StoreError> {
    let (stored, server) = (keys.stored_key.expose().as_slice(), keys.server_key.expose().as_slice());
    done(tx.execute(PROPOSE, &[&id.as_uuid(), &stored, &server]).await?)
}

/// From the version that the commit returns both keys are good.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn activate(tx: &mut Tx, id: CredentialId) -> Result<Update<()>, StoreError> {
    if tx.execute(ACTIVATE, &[&id.as_uuid()]).await? > 0 {
        tx.changed_credential(id);
        return Ok(Update::Done);
    }
    let Some(row) = tx.query_opt(EXISTS, &[&id.as_uuid()]).await? else { return Ok(Update::Absent) };
    // Twice is as once.
    done(u64::from(column::get::<Option<&str>>(&row, "second_is")? == Some("retiring")))
}

/// Only the key from before is good again.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn put_back(tx: &mut Tx, id: CredentialId) -> Result<(), StoreError> {
    if tx.execute(PUT_BACK, &[&id.as_uuid()]).await? > 0 {
        tx.changed_credential(id);
    }
    Ok(())
}

/// Only the new key is good.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn retire(tx: &mut Tx, id: CredentialId) -> Result<(), StoreError> {
    if tx.execute(RETIRE, &[&id.as_uuid()]).await? > 0 {
        tx.changed_credential(id);
    }
    Ok(())
}

const fn done(rows: u64) -> Result<Update<()>, StoreError> {
    Ok(if rows > 0 { Update::Done } else { Update::Absent })
}
