//! Data keys: wrapped, and so as opaque here as what they seal.
//!
//! Promises: a thing has one live key a purpose; a key that was destroyed leaves the row that says so and nothing of itself;
//! none is written under a master key that was retired. Refuses to change a wrapped key that somebody else has changed.

use holm_core::id::{ClusterId, DataKeyId, DatabaseId, EnvironmentId, TenantId};
use holm_core::key::{KeyPurpose, MasterKeyId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::sealed::Sealed;
use crate::tx::Tx;

/// Whose a data key is; it goes with its owner.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyOwner {
    /// The whole installation's.
    Installation,
    /// An environment's.
    Environment(EnvironmentId),
    /// A cluster's.
    Cluster(ClusterId),
    /// A database's, and so of the tenant that has it.
    Database(DatabaseId),
    /// A tenant's.
    Tenant(TenantId),
}

/// A wrapped data key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrappedKey {
    /// Its identity; bound to it.
    pub id: DataKeyId,
    /// What it is wrapped with.
    pub master_key: MasterKeyId,
    /// Itself, unreadable.
    pub wrapped: Sealed,
}

/// A data key to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewDataKey {
    /// Whose.
    pub owner: KeyOwner,
    /// What for.
    pub purpose: KeyPurpose,
    /// Itself.
    pub key: WrappedKey,
}

/// What became of an [`insert`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Inserted {
    /// It is kept.
    Done,
    /// The owner has a live key of that purpose already; nothing was changed.
    Taken,
    /// Its master key is retired or was never known; nothing was changed.
    MasterKeyRetired,
}

/// What is known of a key that was asked for by its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It is there.
    Live(WrappedKey),
    /// It was destroyed.
    Destroyed(DataKeyId),
}

/// One key to be wrapped anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rewrapped {
    /// As it was read.
    pub before: WrappedKey,
    /// As it is to be.
    pub after: WrappedKey,
}

/// The lock on the master key's row keeps it from being retired between here and the commit.
const MASTER_KEY: &str = "SELECT id FROM master_key WHERE id = $1 AND retired_at IS NULL FOR KEY SHARE";
const INSERT: &str = "\
INSERT INTO data_key (id, environment_id, cluster_id, database_id, tenant_id, purpose, master_key_id, wrapped)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING";
const OF_OWNER: &str = "\
SELECT id AS key_id, master_key_id, wrapped
FROM data_key
WHERE environment_id IS NOT DISTINCT FROM $1 AND cluster_id IS NOT DISTINCT FROM $2 AND database_id IS NOT DISTINCT FROM $3
    AND tenant_id IS NOT DISTINCT FROM $4 AND purpose = $5 AND destroyed_at IS NULL";
const BY_IDS: &str = "\
SELECT id AS key_id, master_key_id, wrapped
FROM data_key
WHERE id = ANY($1)";
const WRAPPED_OTHERWISE: &str = "\
SELECT id AS key_id, master_key_id, wrapped
FROM data_key
WHERE master_key_id <> $1
ORDER BY id
LIMIT $2";
const REWRAP: &str = "\
UPDATE data_key k
SET master_key_id = $1, wrapped = n.after
FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS n (id, before, after)
WHERE k.id = n.id AND k.wrapped = n.before";
const DESTROY_OF_TENANT: &str = "\
UPDATE data_key
SET destroyed_at = now(), wrapped = NULL, master_key_id = NULL
WHERE destroyed_at IS NULL
    AND (tenant_id = $1 OR database_id = (SELECT database_id FROM tenant WHERE id = $1))";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[MASTER_KEY, INSERT, OF_OWNER, BY_IDS, WRAPPED_OTHERWISE, REWRAP, DESTROY_OF_TENANT];

/// The four columns that say whose a key is.
type OwnerColumns = [Option<Uuid>; 4];

impl KeyOwner {
    const fn columns(self) -> OwnerColumns {
        match self {
            Self::Installation => [None, None, None, None],
            Self::Environment(id) => [Some(id.as_uuid()), None, None, None],
            Self::Cluster(id) => [None, Some(id.as_uuid()), None, None],
            Self::Database(id) => [None, None, Some(id.as_uuid()), None],
            Self::Tenant(id) => [None, None, None, Some(id.as_uuid())],
        }
    }
}

/// Keeps a data key, in the transaction that keeps its owner or what it seals.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn insert(tx: &mut Tx, new: &NewDataKey) -> Result<Inserted, StoreError> {
    let [environment, cluster, database, tenant] = new.owner.columns();
    let master_key = new.key.master_key.as_str();
    if tx.query_opt(MASTER_KEY, &[&master_key]).await?.is_none() {
        return Ok(Inserted::MasterKeyRetired);
    }
    let wrapped = new.key.wrapped.as_bytes();
    let id = new.key.id.as_uuid();
    let inserted =
        tx.execute(INSERT, &[&id, &environment, &cluster, &database, &tenant, &new.purpose.as_str(), &master_key, &wrapped]).await?;
    Ok(if inserted > 0 { Inserted::Done } else { Inserted::Taken })
}

/// The live key of an owner and a purpose.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of_owner(catalog: &Catalog, owner: KeyOwner, purpose: KeyPurpose) -> Result<Option<WrappedKey>, StoreError> {
    let [environment, cluster, database, tenant] = owner.columns();
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 5] = [&environment, &cluster, &database, &tenant, &purpose.as_str()];
    catalog.session().await?.query_opt(OF_OWNER, &params).await?.as_ref().map(read).transpose()
}

/// Those of some ids; the ones that never were, or whose owner is gone, are left out.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_ids(catalog: &Catalog, ids: &[DataKeyId]) -> Result<Vec<Found>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(DataKeyId::as_uuid).collect();
    catalog.session().await?.query(BY_IDS, &[&ids]).await?.iter().map(read_found).collect()
}

/// Some keys that are wrapped with another master key than this one, `limit` at the most.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn wrapped_otherwise(catalog: &Catalog, than: &MasterKeyId, limit: u32) -> Result<Vec<WrappedKey>, StoreError> {
    catalog.session().await?.query(WRAPPED_OTHERWISE, &[&than.as_str(), &i64::from(limit)]).await?.iter().map(read).collect()
}

/// Replaces wrapped keys by the same keys wrapped with one master key. Those that were changed or destroyed since they were
/// read stay as they are. Returns how many were replaced, or `None` if that master key is retired.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn rewrap(tx: &mut Tx, with: &MasterKeyId, keys: &[Rewrapped]) -> Result<Option<u64>, StoreError> {
    if tx.query_opt(MASTER_KEY, &[&with.as_str()]).await?.is_none() {
        return Ok(None);
    }
    let ids: Vec<Uuid> = keys.iter().map(|key| key.before.id.as_uuid()).collect();
    let before: Vec<&[u8]> = keys.iter().map(|key| key.before.wrapped.as_bytes()).collect();
    let after: Vec<&[u8]> = keys.iter().map(|key| key.after.wrapped.as_bytes()).collect();
    tx.execute(REWRAP, &[&with.as_str(), &ids, &before, &after]).await.map(Some)
}

/// Destroys every data key of a tenant, those of its database too; returns how many. What they sealed cannot be opened again
/// from this catalog; a backup of the catalog still has them, wrapped, for as long as it is kept.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn destroy_of_tenant(tx: &mut Tx, tenant: TenantId) -> Result<u64, StoreError> {
    tx.execute(DESTROY_OF_TENANT, &[&tenant.as_uuid()]).await
}

/// Columns `key_id`, `master_key_id` and `wrapped`.
pub(crate) fn read(row: &Row) -> Result<WrappedKey, StoreError> {
    Ok(WrappedKey {
        id: DataKeyId::from_uuid(column::uuid(row, "key_id")?),
        master_key: column::parsed(row, "master_key_id")?,
        wrapped: column::sealed(row, "wrapped")?,
    })
}

/// As [`read`], of an outer join.
pub(crate) fn read_opt(row: &Row) -> Result<Option<WrappedKey>, StoreError> {
    if column::get::<Option<&[u8]>>(row, "wrapped")?.is_none() { Ok(None) } else { read(row).map(Some) }
}

fn read_found(row: &Row) -> Result<Found, StoreError> {
    let id = DataKeyId::from_uuid(column::uuid(row, "key_id")?);
    Ok(read_opt(row)?.map_or(Found::Destroyed(id), Found::Live))
}
