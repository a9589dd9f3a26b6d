//! Which master keys this catalog has been used with: names, checks, ages. The keys themselves are never here.
//!
//! Promises: one is current; one that a row still names is not retired, and none is named again after it was.

use holm_core::id::InstallationId;
use holm_core::key::MasterKeyId;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::sealed::Sealed;
use crate::tx::Tx;

/// A master key as the catalog knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterKey {
    /// Its name.
    pub id: MasterKeyId,
    /// What only it opens.
    pub key_check: Sealed,
    /// Whether new data keys are wrapped with it.
    pub current: bool,
    /// Since when it is known here, which is when it became current.
    pub created_at: Timestamp,
    /// When nothing named it any more.
    pub retired_at: Option<Timestamp>,
}

/// How a catalog stands with its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The installation, once a master key was used.
    pub installation: Option<InstallationId>,
    /// The master key that new data keys are wrapped with.
    pub current: Option<MasterKey>,
    /// Whether it has secrets that were sealed before there were data keys.
    pub sealed_directly: bool,
}

/// How often a master key is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The key.
    pub key: MasterKey,
    /// Data keys that are wrapped with it.
    pub data_keys: u64,
    /// Secrets that were sealed with it directly, before there were data keys.
    pub sealed_directly: u64,
}

/// What became of a [`retire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Retired {
    /// It is retired, or was.
    Done,
    /// It is the current one, or not known.
    NotThatOne,
    /// Something still names it.
    InUse,
}

const INSTALLATION: &str = "SELECT id FROM installation";
const INSERT_INSTALLATION: &str = "INSERT INTO installation (id) VALUES ($1) ON CONFLICT DO NOTHING";
const CURRENT: &str = "SELECT id, key_check, current, created_at, retired_at FROM master_key WHERE current";
const BY_ID: &str = "SELECT id, key_check, current, created_at, retired_at FROM master_key WHERE id = $1";
/// The first byte of a value that was sealed with a master key itself is 1.
const SEALED_DIRECTLY: &str = "\
SELECT EXISTS (SELECT FROM environment WHERE get_byte(sealed_header_key, 0) = 1)
    OR EXISTS (SELECT FROM cluster WHERE get_byte(sealed_admin_password, 0) = 1)
    OR EXISTS (SELECT FROM database WHERE get_byte(sealed_logins, 0) = 1) AS sealed_directly";
const UNSET_CURRENT: &str = "UPDATE master_key SET current = false WHERE current";
const INSERT: &str = "\
INSERT INTO master_key (id, key_check, current)
VALUES ($1, $2, true)
ON CONFLICT (id) DO NOTHING";
/// Who counts must see every row that names it: nobody adds one while this lock is held.
const LOCK: &str = "SELECT id, key_check, current, created_at, retired_at FROM master_key WHERE id = $1 FOR UPDATE";
const RETIRE: &str = "UPDATE master_key SET retired_at = coalesce(retired_at, now()) WHERE id = $1";
/// The eight bytes after the first name the key.
const USES: &str = "\
WITH direct AS (
    SELECT sealed_header_key AS sealed FROM environment
    UNION ALL SELECT sealed_admin_password FROM cluster
    UNION ALL SELECT sealed_logins FROM database
), named AS (
    SELECT encode(substring(sealed FROM 2 FOR 8), 'hex') AS id, count(*) AS sealed_directly
    FROM direct
    WHERE get_byte(sealed, 0) = 1
    GROUP BY 1
), wrapped AS (
    SELECT master_key_id AS id, count(*) AS data_keys
    FROM data_key
    WHERE wrapped IS NOT NULL
    GROUP BY 1
)
SELECT m.id, m.key_check, m.current, m.created_at, m.retired_at,
    coalesce(w.data_keys, 0) AS data_keys, coalesce(n.sealed_directly, 0) AS sealed_directly
FROM master_key m
LEFT JOIN wrapped w ON w.id = m.id
LEFT JOIN named n ON n.id = m.id
ORDER BY m.current DESC, m.created_at DESC, m.id";

/// Every statement of this module.
pub const STATEMENTS: &[&str] =
    &[INSTALLATION, INSERT_INSTALLATION, CURRENT, BY_ID, SEALED_DIRECTLY, UNSET_CURRENT, INSERT, LOCK, RETIRE, USES];

/// How the catalog stands; what to ask before anything is sealed or opened.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn standing(catalog: &Catalog) -> Result<Standing, StoreError> {
    let mut session = catalog.session().await?;
    let installation = session.query_opt(INSTALLATION, &[]).await?;
    let current = session.query_opt(CURRENT, &[]).await?;
    let sealed_directly = column::get(&session.query_one(SEALED_DIRECTLY, &[]).await?, "sealed_directly")?;
    Ok(Standing {
        installation: installation.map(|row| column::uuid(&row, "id").map(InstallationId::from_uuid)).transpose()?,
        current: current.as_ref().map(read).transpose()?,
        sealed_directly,
    })
}

/// The one that new data keys are wrapped with.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn current(catalog: &Catalog) -> Result<Option<MasterKey>, StoreError> {
    catalog.session().await?.query_opt(CURRENT, &[]).await?.as_ref().map(read).transpose()
}

/// The one of a name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_id(catalog: &Catalog, id: &MasterKeyId) -> Result<Option<MasterKey>, StoreError> {
    catalog.session().await?.query_opt(BY_ID, &[&id.as_str()]).await?.as_ref().map(read).transpose()
}

/// Names the installation, once. Returns `false` if somebody else did.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn name_installation(tx: &mut Tx, id: InstallationId) -> Result<bool, StoreError> {
    Ok(tx.execute(INSERT_INSTALLATION, &[&id.as_uuid()]).await? > 0)
}

/// Makes a master key that was never used here the current one. Returns `false`, and has to be rolled back, if it was.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn make_current(tx: &mut Tx, id: &MasterKeyId, key_check: &Sealed) -> Result<bool, StoreError> {
    tx.execute(UNSET_CURRENT, &[]).await?;
    Ok(tx.execute(INSERT, &[&id.as_str(), &key_check.as_bytes()]).await? > 0)
}

/// Retires a master key that nothing names.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn retire(tx: &mut Tx, id: &MasterKeyId) -> Result<Retired, StoreError> {
    let Some(row) = tx.query_opt(LOCK, &[&id.as_str()]).await? else { return Ok(Retired::NotThatOne) };
    if read(&row)?.current {
        return Ok(Retired::NotThatOne);
    }
    let uses = tx.query(USES, &[]).await?;
    for row in &uses {
        let seen = read_use(row)?;
        if seen.key.id == *id && seen.data_keys + seen.sealed_directly > 0 {
            return Ok(Retired::InUse);
        }
    }
    tx.execute(RETIRE, &[&id.as_str()]).await?;
    Ok(Retired::Done)
}

/// All of them with how often they are named, the current one first.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn uses(catalog: &Catalog) -> Result<Vec<Use>, StoreError> {
    catalog.session().await?.query(USES, &[]).await?.iter().map(read_use).collect()
}

fn read_use(row: &Row) -> Result<Use, StoreError> {
    Ok(Use {
        key: read(row)?,
        data_keys: column::count_big(row, "data_keys")?,
        sealed_directly: column::count_big(row, "sealed_directly")?,
    })
}

fn read(row: &Row) -> Result<MasterKey, StoreError> {
    Ok(MasterKey {
        id: column::parsed(row, "id")?,
        key_check: column::sealed(row, "key_check")?,
        current: column::get(row, "current")?,
        created_at: column::get(row, "created_at")?,
        retired_at: column::get(row, "retired_at")?,
    })
}
