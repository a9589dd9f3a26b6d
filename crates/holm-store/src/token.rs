//! Bearer tokens of the API: hashes only; no token was ever here.
//!
//! Promises: finding a token, whose it is and what they hold costs one statement of one shape, whether it is known, revoked
//! or neither. What has ended by the catalog's clock is not held.

use std::time::Duration;

use holm_core::access::{Held, Role, TokenScope};
use holm_core::actor::PrincipalName;
use holm_core::environment::EnvironmentName;
use holm_core::id::{PrincipalId, TokenId};
use jiff::Timestamp;
use serde::Deserialize;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

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
    /// Whose it is.
    pub principal: PrincipalId,
    /// What it leaves of what they may.
    pub scope: TokenScope,
    /// How long, from now by the catalog's clock; until it is revoked when `None`.
    pub lifetime: Option<Duration>,
}

/// A token as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its identity.
    pub id: TokenId,
    /// What people call it.
    pub name: String,
    /// Whose it is; `None` of one that an older Holm issued.
    pub principal: Option<PrincipalName>,
    /// What it leaves of what they may.
    pub scope: TokenScope,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// Who presents a token, and what they may with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The token.
    pub token: TokenId,
    /// What people call the token.
    pub token_name: String,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Whether that was before now.
    pub expired: bool,
    /// Whose it is.
    pub id: PrincipalId,
    /// Their name.
    pub name: PrincipalName,
    /// What the token leaves of what they may.
    pub scope: TokenScope,
    /// What they hold now, broken glasses included.
    pub held: Vec<Held>,
}

/// As `BY_HASH` makes it.
#[derive(Deserialize)]
struct HeldRow {
    role: Role,
    environment: Option<EnvironmentName>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.name, p.name AS principal, e.name AS environment, t.role, t.created_at, t.expires_at, t.last_used_at,\n",
            "    t.revoked_at\n",
            "FROM api_token t\n",
            "LEFT JOIN principal p ON p.id = t.principal_id\n",
            "LEFT JOIN environment e ON e.id = t.environment_id\n",
            $rest
        )
    };
}

pub(crate) const BY_HASH: &str = "\
SELECT t.id, t.name, t.expires_at, coalesce(t.expires_at <= now(), false) AS expired, t.role, e.name AS environment,
    p.id AS principal_id, p.name AS principal, held.roles
FROM api_token t
JOIN principal p ON p.id = t.principal_id AND p.disabled_at IS NULL
LEFT JOIN environment e ON e.id = t.environment_id
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object('role', h.role, 'environment', here.name)), '[]') AS roles
    FROM (
        SELECT g.role, g.environment_id
        FROM role_grant g
        WHERE g.principal_id = p.id AND (g.expires_at IS NULL OR g.expires_at > now())
        UNION ALL
        SELECT b.role, b.environment_id
        FROM break_glass b
        WHERE b.principal_id = p.id AND b.ended_at IS NULL AND b.until > now()
    ) h
    LEFT JOIN environment here ON here.id = h.environment_id
) held
WHERE t.hash = $1 AND t.revoked_at IS NULL";
const BY_ID: &str = select!("WHERE t.id = $1");
/// People issue tokens by hand, so a thousand is more than a page ever needs.
const LIST: &str = select!("ORDER BY t.created_at, t.id\nLIMIT 1000");
/// One that an older Holm issued belongs to nobody until it is given to somebody.
const INSERT: &str = "\
INSERT INTO api_token (id, name, hash, principal_id, environment_id, role, expires_at)
SELECT $1, $2, $3, $4, e.id, $6, now() + make_interval(secs => $7)
FROM (VALUES ($5::text)) AS asked (environment)
LEFT JOIN environment e ON e.name = asked.environment
WHERE asked.environment IS NULL OR e.id IS NOT NULL
ON CONFLICT (hash) DO UPDATE
SET principal_id = excluded.principal_id
WHERE api_token.principal_id IS NULL AND api_token.revoked_at IS NULL
RETURNING id";
const TOUCH: &str = "\
UPDATE api_token
SET last_used_at = now()
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')";
const REVOKE: &str = "UPDATE api_token SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[BY_HASH, BY_ID, LIST, INSERT, TOUCH, REVOKE];

/// Makes a token known and returns it; `None` if one of the same hash is known, which stays as it is, revoked or not.
///
/// # Errors
/// [`StoreError`]; no such environment is a fault, since it is looked for before.
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn insert(tx: &mut Tx, new: &NewToken) -> Result<Option<Token>, StoreError> {
    let inserted = tx
        .query_opt(
            INSERT,
            &[
                &new.id.as_uuid(),
                &new.name,
                &new.hash.as_slice(),
                &new.principal.as_uuid(),
                &new.scope.environment.as_ref().map(EnvironmentName::as_str),
                &new.scope.role.map(Role::as_str),
                &new.lifetime.map(|lifetime| lifetime.as_secs_f64()),
            ],
        )
        .await?;
    let Some(row) = inserted else { return Ok(None) };
    read(&tx.query_one(BY_ID, &[&column::uuid(&row, "id")?]).await?).map(Some)
}

/// Who presents a token of this hash, if it is not revoked and its principal is not disabled. It may have ended.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_hash(catalog: &Catalog, hash: &TokenHash) -> Result<Option<Bearer>, StoreError> {
    let Some(row) = catalog.session().await?.query_opt(BY_HASH, &[&hash.as_slice()]).await? else { return Ok(None) };
    let Json(held): Json<Vec<HeldRow>> = column::get(&row, "roles")?;
    Ok(Some(Bearer {
        token: TokenId::from_uuid(column::uuid(&row, "id")?),
        token_name: column::get(&row, "name")?,
        expires_at: column::get(&row, "expires_at")?,
        expired: column::get(&row, "expired")?,
        id: PrincipalId::from_uuid(column::uuid(&row, "principal_id")?),
        name: column::parsed(&row, "principal")?,
        scope: scope(&row)?,
        held: held.into_iter().map(|row| Held { role: row.role, environment: row.environment }).collect(),
    }))
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

/// Revokes a token and returns it; `None` if there is no such one that is not revoked.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn revoke(tx: &mut Tx, id: TokenId) -> Result<Option<Token>, StoreError> {
    if tx.execute(REVOKE, &[&id.as_uuid()]).await? == 0 {
        return Ok(None);
    }
    read(&tx.query_one(BY_ID, &[&id.as_uuid()]).await?).map(Some)
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

fn scope(row: &Row) -> Result<TokenScope, StoreError> {
    Ok(TokenScope { environment: column::parsed_opt(row, "environment")?, role: column::parsed_opt(row, "role")? })
}

fn read(row: &Row) -> Result<Token, StoreError> {
    Ok(Token {
        id: TokenId::from_uuid(column::uuid(row, "id")?),
        name: column::get(row, "name")?,
        principal: column::parsed_opt(row, "principal")?,
        scope: scope(row)?,
        created_at: column::get(row, "created_at")?,
        expires_at: column::get(row, "expires_at")?,
        last_used_at: column::get(row, "last_used_at")?,
        revoked_at: column::get(row, "revoked_at")?,
    })
}
