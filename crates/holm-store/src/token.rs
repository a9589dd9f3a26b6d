//! Bearer tokens of the API: hashes only; no token was ever here.
//!
//! Promises: finding a token costs one statement of one shape, whether it is known, revoked or neither.

use holm_core::id::TokenId;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;

/// SHA-256 of a token of at least 128 random bits: looking it up by index tells a stopwatch nothing of the token.
pub type TokenHash = [u8; 32];

/// A token to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Its identity.
    pub id: TokenId,
    /// What people call it; not unique.
    pub name: String,
    /// Its hash.
    pub hash: TokenHash,
}

/// A token as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its identity.
    pub id: TokenId,
    /// What people call it.
    pub name: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, name, created_at, last_used_at, revoked_at\nFROM api_token\n", $rest)
    };
}

pub(crate) const BY_HASH: &str = select!("WHERE hash = $1 AND revoked_at IS NULL");
/// People issue tokens by hand, so a thousand is more than a page ever needs.
const LIST: &str = select!("ORDER BY created_at, id\nLIMIT 1000");
const INSERT: &str = "INSERT INTO api_token (id, name, hash) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING";
const TOUCH: &str = "\
UPDATE api_token
SET last_used_at = now()
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')";
const REVOKE: &str = "UPDATE api_token SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[BY_HASH, LIST, INSERT, TOUCH, REVOKE];

/// Makes a token known. Returns whether it is new; one of the same hash stays as it is, revoked or not.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn insert(catalog: &Catalog, new: &NewToken) -> Result<bool, StoreError> {
    let inserted = catalog.session().await?.execute(INSERT, &[&new.id.as_uuid(), &new.name, &new.hash.as_slice()]).await?;
    Ok(inserted > 0)
}

/// The one of a hash that is not revoked.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_hash(catalog: &Catalog, hash: &TokenHash) -> Result<Option<Token>, StoreError> {
    catalog.session().await?.query_opt(BY_HASH, &[&hash.as_slice()]).await?.as_ref().map(read).transpose()
}

/// Notes that a token was used; writes at most once a minute, whatever the traffic. Returns whether it wrote.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn touch(catalog: &Catalog, id: TokenId) -> Result<bool, StoreError> {
    Ok(catalog.session().await?.execute(TOUCH, &[&id.as_uuid()]).await? > 0)
}

/// Revokes a token. Returns `false` if there is no such one that is not revoked.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn revoke(catalog: &Catalog, id: TokenId) -> Result<bool, StoreError> {
    Ok(catalog.session().await?.execute(REVOKE, &[&id.as_uuid()]).await? > 0)
}

/// All of them, revoked ones too, oldest first, 1,000 at the most.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog) -> Result<Vec<Token>, StoreError> {
    catalog.session().await?.query(LIST, &[]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Token, StoreError> {
    Ok(Token {
        id: TokenId::from_uuid(column::uuid(row, "id")?),
        name: column::get(row, "name")?,
        created_at: column::get(row, "created_at")?,
        last_used_at: column::get(row, "last_used_at")?,
        revoked_at: column::get(row, "revoked_at")?,
    })
}
