//! What is said of each tenant's database on its server, of which placement certificates are made when routes are given out.
//!
//! Promises: it is of one tenant on one cluster and one server; what is said anew reaches every node with the next version of the
//! routes. What nobody says any more is over after two days and its grace. Refuses keys: who gives routes out signs.

use std::collections::{HashMap, HashSet};

use holm_core::id::{ClusterId, TenantId};
use holm_core::placement::{Allows, Hash, SystemIdentifier};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::{Corrupt as _, column};
use crate::tx::Tx;

/// Which server a cluster `c` is, where it tells.
macro_rules! server {
    () => {
        "CASE WHEN c.capability -> 'facts' ->> 'known_by' = 'address' THEN NULL ELSE c.system_identifier END"
    };
}

/// Until when. Spread, so that those who were said of at once are not renewed at once.
macro_rules! lasts {
    () => {
        "now() + interval '48 hours' - random() * interval '12 hours'"
    };
}

const FIRST: &str = concat!(
    "INSERT INTO placement_certificate (tenant_id, cluster_id, server, profile_hash, registry_hash, allows, issued_at, expires_at)\n",
    "SELECT t.id, d.cluster_id, ",
    server!(),
    ",\n    decode(p.hash, 'hex'), CASE WHEN p.hash IS NOT NULL THEN (SELECT registry_hash FROM residency) END, 'all', now(), ",
    lasts!(),
    "
FROM tenant t
JOIN database d ON d.id = t.database_id
JOIN cluster c ON c.id = d.cluster_id
LEFT JOIN LATERAL (SELECT hash FROM residency_profile WHERE name = t.profile ORDER BY version DESC LIMIT 1) p ON true
WHERE t.id = ANY($1)
ON CONFLICT (tenant_id) DO NOTHING
RETURNING tenant_id"
);
const LOCK: &str = "\
SELECT id AS tenant_id, state IN ('serving', 'paused', 'suspended', 'deleted') AS routed
FROM tenant
WHERE id = ANY($1) AND state NOT IN ('failed', 'dropped')
ORDER BY id
FOR NO KEY UPDATE";
const SAY: &str = concat!(
    "INSERT INTO placement_certificate (tenant_id, cluster_id, server, profile_hash, registry_hash, allows, issued_at, expires_at)\n",
    "SELECT t.id, d.cluster_id, ",
    server!(),
    ", s.profile, s.registry, s.allows, now(), ",
    lasts!(),
    "
FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[], $5::text[]) s (tenant, cluster, profile, registry, allows)
JOIN tenant t ON t.id = s.tenant
JOIN database d ON d.id = t.database_id AND d.cluster_id = s.cluster
JOIN cluster c ON c.id = d.cluster_id
ON CONFLICT (tenant_id) DO UPDATE
SET cluster_id = excluded.cluster_id, server = excluded.server, profile_hash = excluded.profile_hash, registry_hash = excluded.registry_hash,
    allows = excluded.allows, issued_at = excluded.issued_at, expires_at = excluded.expires_at
RETURNING tenant_id"
);
const ALL: &str = concat!(
    "SELECT p.tenant_id, p.cluster_id, p.profile_hash, p.allows, p.server IS NOT DISTINCT FROM ",
    server!(),
    " AS same_server
FROM placement_certificate p
JOIN cluster c ON c.id = p.cluster_id"
);
/// Those that end first; of tenants that somebody judges ($1) or that nobody does.
pub(crate) const ENDING: &str = "\
SELECT p.tenant_id
FROM placement_certificate p
JOIN cluster c ON c.id = p.cluster_id
WHERE p.expires_at < now() + interval '24 hours' AND (p.server IS NULL OR p.server = c.system_identifier)
    AND ($1 OR p.profile_hash IS NULL)
ORDER BY p.expires_at
LIMIT 1000";
/// As in [`super::IS_DUE`].
pub(crate) const MISSING: &str = "\
SELECT id AS tenant_id FROM tenant WHERE state IN ('serving', 'paused', 'suspended', 'deleted') AND database_id IS NOT NULL
EXCEPT
SELECT tenant_id FROM placement_certificate
ORDER BY tenant_id
LIMIT 1000";
/// Copies were judged within a day: nobody goes on saying what nobody looks at.
const IS_FRESH: &str = "SELECT judge_by > now() - interval '24 hours' AS fresh FROM residency";
const RENEW: &str = concat!(
    "UPDATE placement_certificate p\nSET issued_at = now(), expires_at = ",
    lasts!(),
    ",\n    server = ",
    server!(),
    ",\n    registry_hash = CASE WHEN p.profile_hash IS NOT NULL THEN coalesce((SELECT registry_hash FROM residency), p.registry_hash) END
FROM cluster c
WHERE p.tenant_id = ANY($1) AND c.id = p.cluster_id AND (p.server IS NULL OR p.server = c.system_identifier)
    AND p.expires_at < now() + interval '24 hours'
RETURNING p.tenant_id"
);
/// What fitted the server that was fits the one that is; what fitted neither goes on fitting neither.
const CARRY_OVER: &str = "\
UPDATE placement_certificate
SET server = $3
WHERE cluster_id = $1 AND (server IS NULL OR server = $2)";
const FORGET: &str = "\
DELETE FROM placement_certificate p
USING tenant t
WHERE p.tenant_id = ANY($1) AND t.id = p.tenant_id AND t.state IN ('failed', 'dropped')";
const KNOWN_BY: &str = "UPDATE residency SET registry_hash = $1 WHERE registry_hash IS DISTINCT FROM $1";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[FIRST, LOCK, SAY, ALL, ENDING, MISSING, IS_FRESH, RENEW, CARRY_OVER, FORGET, KNOWN_BY];

/// What a route's row has of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// The server, where it tells.
    pub server: Option<SystemIdentifier>,
    /// By which profile it was judged, and by what was known.
    pub judged_by: Option<(Hash, Hash)>,
    /// What may be done; `None` is that it is withheld.
    pub allows: Option<Allows>,
    /// When it was said.
    pub issued_at: Timestamp,
    /// When it should have been said anew.
    pub expires_at: Timestamp,
}

/// What is to be said of a tenant's database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Saying {
    /// Whose.
    pub tenant: TenantId,
    /// Where it was judged.
    pub cluster: ClusterId,
    /// By which profile, and by what was known.
    pub judged_by: Option<(Hash, Hash)>,
    /// What may be done; `None` withholds it.
    pub allows: Option<Allows>,
    /// Whether that is something else than before, so that pools which were made for that are of no use.
    pub outruns: bool,
}

/// What was said last, for who judges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Last {
    /// Of a database where.
    pub cluster: ClusterId,
    /// Whether that cluster is the server still that it was.
    pub same_server: bool,
    /// By which profile.
    pub profile: Option<Hash>,
    /// What may be done.
    pub allows: Option<Allows>,
}

/// Says of a tenant that is about to serve that it may, if nothing was said of it: its place was judged when it was made.
pub(crate) async fn first(tx: &mut Tx, tenant: TenantId) -> Result<(), StoreError> {
    tx.query(FIRST, &[&[tenant.as_uuid()].as_slice()]).await.map(drop)
}

/// Says something of tenants, each once; from the next version of the routes on it counts. Returns of whom it was said: not of one
/// whose database is elsewhere by now. A few statements, however many they are.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn say(tx: &mut Tx, sayings: &[Saying]) -> Result<HashSet<TenantId>, StoreError> {
    let locked = lock(tx, &sayings.iter().map(|saying| saying.tenant.as_uuid()).collect::<Vec<_>>()).await?;
    let there: Vec<&Saying> = sayings.iter().filter(|saying| locked.contains_key(&saying.tenant)).collect();
    let tenants: Vec<Uuid> = there.iter().map(|saying| saying.tenant.as_uuid()).collect();
    let clusters: Vec<Uuid> = there.iter().map(|saying| saying.cluster.as_uuid()).collect();
    let profiles: Vec<Option<&[u8]>> = there.iter().map(|saying| saying.judged_by.as_ref().map(|by| by.0.as_slice())).collect();
    let registries: Vec<Option<&[u8]>> = there.iter().map(|saying| saying.judged_by.as_ref().map(|by| by.1.as_slice())).collect();
    let allows: Vec<&str> = there.iter().map(|saying| saying.allows.map_or("nothing", Allows::as_str)).collect();
    let said: HashSet<TenantId> = ids(&tx.query(SAY, &[&tenants, &clusters, &profiles, &registries, &allows]).await?)?.collect();
    let routed = |saying: &&&Saying| said.contains(&saying.tenant) && locked.get(&saying.tenant) == Some(&true);
    for saying in there.iter().filter(routed) {
        if saying.outruns {
            // Pools that were made for what was allowed before are of no use.
            tx.outran_tenant(saying.tenant);
        } else {
            tx.changed_tenant(saying.tenant);
        }
    }
    Ok(said)
}

/// Keeps tenants as they are, in the order in which everybody locks them; says which have a route. Those that are gone are left out.
async fn lock(tx: &mut Tx, tenants: &[Uuid]) -> Result<HashMap<TenantId, bool>, StoreError> {
    let rows = tx.query(LOCK, &[&tenants]).await?;
    rows.iter().map(|row| Ok((TenantId::from_uuid(column::uuid(row, "tenant_id")?), column::get(row, "routed")?))).collect()
}

/// What was said of every tenant.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn all(catalog: &Catalog) -> Result<Vec<(TenantId, Last)>, StoreError> {
    let rows = catalog.session().await?.query(ALL, &[]).await?;
    let read = |row: &Row| {
        let last = Last {
            cluster: ClusterId::from_uuid(column::uuid(row, "cluster_id")?),
            same_server: column::get(row, "same_server")?,
            profile: hash(row, "profile_hash")?,
            allows: allows(row, "allows")?,
        };
        Ok((TenantId::from_uuid(column::uuid(row, "tenant_id")?), last))
    };
    rows.iter().map(read).collect()
}

/// Says again what was said, of 1,000 tenants at the most whose certificates end within a day; says how many there were. Of those
/// that are judged by a profile nothing, while nobody has judged for a day.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn renew(tx: &mut Tx) -> Result<usize, StoreError> {
    let fresh: bool = column::get(&tx.query_one(IS_FRESH, &[]).await?, "fresh")?;
    let ending: Vec<Uuid> = ids(&tx.query(ENDING, &[&fresh]).await?)?.map(|id| id.as_uuid()).collect();
    if ending.is_empty() {
        return Ok(0);
    }
    let locked = lock(tx, &ending).await?;
    let (there, gone): (Vec<Uuid>, Vec<Uuid>) = ending.iter().partition(|id| locked.contains_key(&TenantId::from_uuid(**id)));
    tx.execute(FORGET, &[&gone]).await?;
    for renewed in ids(&tx.query(RENEW, &[&there]).await?)? {
        if locked.get(&renewed) == Some(&true) {
            tx.changed_tenant(renewed);
        }
    }
    Ok(ending.len())
}

/// Says of those that serve and of whom nothing was said that they may: an older Holm made them, and judged. At most 1,000; says how
/// many.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn make_up(tx: &mut Tx) -> Result<usize, StoreError> {
    let missing: Vec<Uuid> = ids(&tx.query(MISSING, &[]).await?)?.map(|id| id.as_uuid()).collect();
    if missing.is_empty() {
        return Ok(0);
    }
    let there: Vec<Uuid> = lock(tx, &missing).await?.into_keys().map(|id| id.as_uuid()).collect();
    for said in ids(&tx.query(FIRST, &[&there]).await?)? {
        tx.changed_tenant(said);
    }
    Ok(missing.len())
}

/// Says of a cluster's tenants on another server what was said of them on the one that it was. The caller has their rows, and stamps them.
pub(crate) async fn carry_over(tx: &mut Tx, cluster: ClusterId, was: i64, is: Option<i64>) -> Result<(), StoreError> {
    tx.execute(CARRY_OVER, &[&cluster.as_uuid(), &was, &is]).await.map(drop)
}

/// Notes the hash of all that is known.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn known_by(tx: &mut Tx, registry: &Hash) -> Result<(), StoreError> {
    tx.execute(KNOWN_BY, &[&registry.as_slice()]).await.map(drop)
}

/// What a route's row has of it: `None` where nothing was said of the database where it is, on the server that is there.
pub(crate) fn read(row: &Row) -> Result<Option<Said>, StoreError> {
    if !column::get::<Option<bool>>(row, "placement_fits")?.unwrap_or(false) {
        return Ok(None);
    }
    let profile = hash(row, "profile_hash")?;
    // What was known then was not noted: it is the hash of nothing.
    let registry = hash(row, "registry_hash")?.unwrap_or([0; 32]);
    Ok(Some(Said {
        server: column::get::<Option<i64>>(row, "placement_server")?.map(SystemIdentifier),
        judged_by: profile.map(|profile| (profile, registry)),
        allows: allows(row, "placement_allows")?,
        issued_at: column::get(row, "placement_issued_at")?,
        expires_at: column::get(row, "placement_expires_at")?,
    }))
}

fn allows(row: &Row, name: &'static str) -> Result<Option<Allows>, StoreError> {
    match column::get::<&str>(row, name)? {
        "nothing" => Ok(None),
        word => word.parse().map(Some).corrupt(name),
    }
}

fn hash(row: &Row, name: &'static str) -> Result<Option<Hash>, StoreError> {
    column::get::<Option<&[u8]>>(row, name)?.map(|bytes| bytes.try_into().corrupt(name)).transpose()
}

fn ids(rows: &[Row]) -> Result<impl Iterator<Item = TenantId>, StoreError> {
    let ids: Result<Vec<TenantId>, StoreError> = rows.iter().map(|row| column::uuid(row, "tenant_id").map(TenantId::from_uuid)).collect();
    ids.map(Vec::into_iter)
}
