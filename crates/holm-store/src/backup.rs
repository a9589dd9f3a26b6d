//! The catalog as it is at one moment, for a backup, and what must be done to one that was restored.
//!
//! Promises: the facts are of the same snapshot that a dump is made of. After a restore no node takes what it knew for true,
//! no runner of before may write, and no database that a tenant may have got since the backup is given to another.

use holm_core::id::InstallationId;
use holm_core::key::MasterKeyId;
use holm_core::route::RouteVersion;
use jiff::Timestamp;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::sealed::Sealed;
use crate::session::{SNAPSHOT, Session};

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Which installation, once a master key was used.
    pub installation: Option<InstallationId>,
    /// The newest migration.
    pub schema_version: i32,
    /// Of the last change of routes.
    pub route_version: RouteVersion,
    /// When, by the catalog's clock.
    pub at: Timestamp,
    /// How many tenants there are, for people.
    pub tenants: u64,
    /// The master keys that something in it needs, the current one first, each with what only it opens.
    pub master_keys: Vec<(MasterKeyId, Sealed)>,
}

/// A moment of the catalog that programs of PostgreSQL can look at too, for as long as this is held and not idle for 30 s.
pub struct Snapshot {
    session: Session,
    /// What `pg_dump --snapshot` takes.
    pub id: String,
    /// What there is.
    pub facts: Facts,
}

const EXPORT: &str = "SELECT pg_export_snapshot() AS id";
const FACTS: &str = "\
SELECT (SELECT id FROM installation) AS installation, (SELECT max(version) FROM holm_migration) AS schema_version,
    (SELECT version FROM route_clock) AS route_version, now() AS at,
    (SELECT count(*) FROM tenant WHERE state NOT IN ('failed', 'dropped')) AS tenants";
const MASTER_KEYS: &str = "SELECT id, key_check FROM master_key WHERE retired_at IS NULL ORDER BY current DESC, id";

/// A node has a version from after the backup: what is ahead of any is the time, in microseconds.
const CLOCK: &str = "\
UPDATE route_clock
SET version = greatest(version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint),
    membership = membership + 1, incarnation = gen_random_uuid()";
const ENVIRONMENTS: &str = "UPDATE environment SET route_version = (SELECT version FROM route_clock) WHERE route_version > 0";
const CLUSTERS: &str = "UPDATE cluster SET route_version = (SELECT version FROM route_clock) WHERE route_version > 0";
const CREDENTIALS: &str = "UPDATE credential SET route_version = (SELECT version FROM route_clock) WHERE route_version > 0";
/// Further than any epoch has come since the backup: four thousand million changes of one tenant. One with an end may have got a
/// later one since: a day to look.
const TENANTS: &str = "\
UPDATE tenant
SET epoch = epoch + 4294967296,
    expires_at = CASE WHEN expires_at IS NOT NULL THEN greatest(expires_at, now() + interval '1 day') END,
    route_version = CASE WHEN route_version > 0 THEN (SELECT version FROM route_clock) ELSE 0 END";
/// No lease of before, nor one that was given after the backup, may write. A century: until a person has looked.
const OPERATIONS: &str = "\
UPDATE operation
SET lease_owner = NULL, lease_until = NULL, lease_epoch = lease_epoch + 4294967296,
    next_run_at = CASE WHEN finished_at IS NULL THEN now() + interval '100 years' ELSE next_run_at END";
/// A member of a pool may have become a tenant's since: it is no longer known, and so neither given out nor dropped.
const MEMBERS: &str = "\
DELETE FROM database d
WHERE d.state IN ('planned', 'ready') AND NOT EXISTS (SELECT FROM tenant t WHERE t.database_id = d.id)";
const NODES: &str = "DELETE FROM node";
const SCHEDULE: &str = "UPDATE schedule SET due_at = now(), runner = NULL";
const UNFINISHED: &str = "SELECT id FROM operation WHERE finished_at IS NULL ORDER BY id";

/// What is done in the transaction that restores, in order.
pub const AFTER_RESTORE: &[&str] = &[CLOCK, ENVIRONMENTS, CLUSTERS, CREDENTIALS, TENANTS, OPERATIONS, MEMBERS, NODES, SCHEDULE];

/// Every statement of this module.
pub const STATEMENTS: &[&str] =
    &[EXPORT, FACTS, MASTER_KEYS, CLOCK, ENVIRONMENTS, CLUSTERS, CREDENTIALS, TENANTS, OPERATIONS, MEMBERS, NODES, SCHEDULE, UNFINISHED];

/// Takes hold of the catalog as it is now.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn snapshot(catalog: &Catalog) -> Result<Snapshot, StoreError> {
    let mut session = catalog.session().await?;
    session.control(SNAPSHOT).await?;
    match read(&mut session).await {
        Ok((id, facts)) => Ok(Snapshot { session, id, facts }),
        Err(error) => {
            session.roll_back_unawaited();
            Err(error)
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.session.roll_back_unawaited();
    }
}

async fn read(session: &mut Session) -> Result<(String, Facts), StoreError> {
    let id = column::get(&session.query_one(EXPORT, &[]).await?, "id")?;
    let row = session.query_one(FACTS, &[]).await?;
    let mut master_keys = Vec::new();
    for row in session.query(MASTER_KEYS, &[]).await? {
        master_keys.push((column::parsed(&row, "id")?, column::sealed(&row, "key_check")?));
    }
    let facts = Facts {
        installation: column::get::<Option<Uuid>>(&row, "installation")?.map(InstallationId::from_uuid),
        schema_version: column::get(&row, "schema_version")?,
        route_version: column::route_version(&row, "route_version")?,
        at: column::get(&row, "at")?,
        tenants: column::count_big(&row, "tenants")?,
        master_keys,
    };
    Ok((id, facts))
}

/// The operations that were not over; for those that a restore left to be looked at.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn unfinished(catalog: &Catalog) -> Result<Vec<holm_core::id::OperationId>, StoreError> {
    let rows = catalog.session().await?.query(UNFINISHED, &[]).await?;
    rows.iter().map(|row| column::uuid(row, "id").map(holm_core::id::OperationId::from_uuid)).collect()
}
