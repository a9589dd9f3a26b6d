//! Which server a cluster is: another one that takes its place, and one of which that was not known before.
//!
//! Promises: nobody is withheld for it. What was said of tenants on the server that it was is said of the one that it is, every
//! node hears of it in one version, and no pool that was made for the former is used. What nobody has is given up, since nobody
//! looked whether it is there. Refuses a server that is another cluster's, and a cluster that became something else, or somebody
//! else's, since it was looked at.

use std::collections::HashSet;

use holm_core::id::{DatabaseId, TenantId};
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::life::{CONDEMN, RETIRE};
use super::{Adopted, Cluster, LOCK_SERVER, ON_SERVER, PublicBefore, read};
use crate::error::StoreError;
use crate::residency::certificate;
use crate::row::column;
use crate::tx::Tx;

const ASSIGN: &str = "\
UPDATE cluster
SET system_identifier = $3, adopted_oid = $4
WHERE id = $1 AND system_identifier = $2 AND state NOT IN ('joining', 'removed')";
/// In the order in which everybody locks them.
const TENANTS: &str = "\
SELECT t.id, t.state IN ('serving', 'paused', 'suspended', 'deleted') AS routed
FROM tenant t
JOIN database d ON d.id = t.database_id
WHERE d.cluster_id = $1 AND t.state NOT IN ('failed', 'dropped')
ORDER BY t.id
FOR NO KEY UPDATE OF t";
const OUTRUN: &str = "UPDATE tenant SET epoch = epoch + 1 WHERE id = ANY($1)";
const KEEP_PUBLIC: &str = "UPDATE cluster SET public_before = $2 WHERE id = $1";
const CLAIMED: &str = "SELECT id FROM database WHERE cluster_id = $1 AND state = 'claimed'";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[ASSIGN, TENANTS, OUTRUN, KEEP_PUBLIC, CLAIMED];

/// Another server, as it was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Successor {
    /// By what it is known; a stand-in where it does not tell its identifier.
    pub identifier: i64,
    /// Its identifier, where it tells.
    pub tells: Option<i64>,
    /// The database there, of a cluster that is one database.
    pub adopted: Option<Adopted>,
    /// What everyone had there, to be given back when the cluster is removed; what the former server gave is of no use there.
    pub public_before: Vec<PublicBefore>,
    /// The databases that were looked for there.
    pub looked_at: Vec<DatabaseId>,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Replaced {
    /// The cluster is that server.
    Done,
    /// It is not the server any more that it was, or is being added, or gone; nothing was changed.
    Changed,
    /// The server is another cluster's; nothing was changed.
    Taken(Box<Cluster>),
    /// Some tenant's database came to the cluster since it was looked at. Roll back.
    Came,
}

/// Makes another server the one that a cluster is. The caller holds what verdicts rest on alone, and has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn replace(tx: &mut Tx, cluster: &Cluster, by: &Successor) -> Result<Replaced, StoreError> {
    let id = cluster.id.as_uuid();
    if let Some(refused) = assign(tx, cluster, by.identifier, by.adopted.as_ref()).await? {
        return Ok(refused);
    }
    tx.execute(KEEP_PUBLIC, &[&id, &Json(&by.public_before)]).await?;
    tx.execute(RETIRE, &[&id]).await?;
    let tenants = stamped(tx, cluster).await?;
    tx.execute(OUTRUN, &[&tenants]).await?;
    certificate::carry_over(tx, cluster.id, cluster.system_identifier, by.tells).await?;
    // After this nobody takes one any more, so that whoever did so before shows in what is read next.
    tx.execute(CONDEMN, &[&id]).await?;
    let looked_at: HashSet<DatabaseId> = by.looked_at.iter().copied().collect();
    for row in tx.query(CLAIMED, &[&id]).await? {
        if !looked_at.contains(&DatabaseId::from_uuid(column::uuid(&row, "id")?)) {
            return Ok(Replaced::Came);
        }
    }
    tx.wake();
    Ok(Replaced::Done)
}

/// Notes which server a cluster is: the same one, that is known by something else than before.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn identify(tx: &mut Tx, cluster: &Cluster, identifier: i64, tells: Option<i64>) -> Result<Replaced, StoreError> {
    if let Some(refused) = assign(tx, cluster, identifier, cluster.adopted.as_ref()).await? {
        return Ok(refused);
    }
    stamped(tx, cluster).await?;
    certificate::carry_over(tx, cluster.id, cluster.system_identifier, tells).await?;
    Ok(Replaced::Done)
}

/// Writes by what a cluster is known; says why not, if not.
async fn assign(tx: &mut Tx, cluster: &Cluster, identifier: i64, adopted: Option<&Adopted>) -> Result<Option<Replaced>, StoreError> {
    tx.query(LOCK_SERVER, &[&identifier]).await?;
    for row in tx.query(ON_SERVER, &[&identifier]).await? {
        let known = read(&row)?;
        if known.id != cluster.id && known.clashes(cluster.environment_id, adopted) {
            return Ok(Some(Replaced::Taken(Box::new(known))));
        }
    }
    let oid = adopted.map(|adopted| i64::from(adopted.oid));
    let assigned = tx.execute(ASSIGN, &[&cluster.id.as_uuid(), &cluster.system_identifier, &identifier, &oid]).await?;
    Ok((assigned == 0).then_some(Replaced::Changed))
}

/// Locks the tenants that are there, and has every node told of those that are routed.
async fn stamped(tx: &mut Tx, cluster: &Cluster) -> Result<Vec<Uuid>, StoreError> {
    let mut all = Vec::new();
    for row in tx.query(TENANTS, &[&cluster.id.as_uuid()]).await? {
        let tenant = column::uuid(&row, "id")?;
        all.push(tenant);
        if column::get(&row, "routed")? {
            tx.changed_tenant(TenantId::from_uuid(tenant));
        }
    }
    Ok(all)
}
