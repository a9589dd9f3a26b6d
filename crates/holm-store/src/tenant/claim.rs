//! Taking a name, and a database from the pool, in one transaction.
//!
//! Promises: of two that take one name at once, one gets it and the other is told so; no database goes to two tenants.
//! Who finds the pool empty keeps the name and waits in order. Refuses to wait itself.

use std::time::Duration;

use holm_core::cluster::ClusterName;
use holm_core::cluster::state::ClusterState;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, DatabaseId, EnvironmentId, TenantId};
use holm_core::parameter::TenantParameter;
use holm_core::route::RouteVersion;
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use super::Tenant;
use super::expiry::millis;
use super::name::{self, Alias};
use crate::catalog::Catalog;
use crate::database::{self, Database};
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

/// A tenant to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTenant {
    /// Its identity.
    pub id: TenantId,
    /// Its environment, for good.
    pub environment: EnvironmentName,
    /// Its name.
    pub slug: TenantSlug,
    /// Where its database must be, if that matters.
    pub cluster: Option<ClusterName>,
    /// What its sessions start with.
    pub parameters: Vec<TenantParameter>,
    /// How long it lives, if it has an end.
    pub ttl: Option<Duration>,
    /// By which profile its copies are judged.
    pub profile: Option<String>,
    /// Near what its database is wished, if that is said.
    pub near: Option<String>,
}

/// What became of a [`claim`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Claim {
    /// It has its name and a database. `seeded` is true if its environment has no seed, so that it may serve at once.
    Claimed {
        /// The tenant, `creating`.
        tenant: Tenant,
        /// Its database.
        database: Box<Database>,
    },
    /// It has its name and waits for a database. Committing wakes those who make some.
    Awaiting(Tenant),
    /// A living tenant of the environment has that name; nothing was changed.
    SlugTaken,
    /// Another tenant had that name until lately, and it is kept for it; nothing was changed.
    SlugReserved(Box<Alias>),
    /// No such environment; nothing was changed.
    NoSuchEnvironment,
    /// No such cluster in that environment, or one that is there for a database that somebody brought; nothing was changed.
    NoSuchCluster,
    /// That cluster takes no tenants, or not yet; nothing was changed.
    ClusterClosed(ClusterState),
}

/// Trouble in which a cluster's ready databases would be of no use; with any other they are handed out.
const USELESS: [ErrorCode; 2] = [ErrorCode::ClusterUnreachable, ErrorCode::ClusterReadOnly];

const INSERT: &str = "\
INSERT INTO tenant (id, environment_id, slug, wanted_cluster_id, state, seeded, epoch, parameters, expires_at, profile, near)
SELECT $1, e.id, $3, c.id, 'creating', e.seed IS NULL, 1, $5, now() + $6::bigint * interval '1 millisecond', $7, $8
FROM environment e
LEFT JOIN cluster c ON c.environment_id = e.id AND c.name = $4 AND c.state = 'open' AND c.adopted_oid IS NULL
WHERE e.name = $2 AND ($4::text IS NULL OR c.id IS NOT NULL)
    AND NOT EXISTS (SELECT FROM tenant_alias a WHERE a.environment_id = e.id AND a.slug = $3)
ON CONFLICT (environment_id, slug) WHERE state NOT IN ('failed', 'dropped') DO NOTHING
RETURNING environment_id, wanted_cluster_id, seeded, expires_at, created_at";
const WHY_NOT: &str = "\
SELECT e.id AS environment, $2::text IS NULL OR c.id IS NOT NULL AS cluster, c.state
FROM (VALUES ($1::text)) AS asked (name)
LEFT JOIN environment e ON e.name = asked.name
LEFT JOIN cluster c ON c.environment_id = e.id AND c.name = $2::text AND c.state <> 'removed' AND c.adopted_oid IS NULL";
/// A database that somebody brought is the tenant's from the first moment, and filled already.
const ADOPT: &str = "\
INSERT INTO tenant (id, environment_id, slug, database_id, state, seeded, epoch, parameters, profile)
SELECT $1, d.environment_id, $2, d.id, 'creating', true, 1, '[]', $4
FROM database d
WHERE d.id = $3 AND d.adopted
ON CONFLICT (environment_id, slug) WHERE state NOT IN ('failed', 'dropped') DO NOTHING";
pub(crate) const TAKE_MEMBER: &str = include_str!("../../queries/take_member.sql");
pub(crate) const ASSIGN_WAITING: &str = include_str!("../../queries/assign_waiting.sql");

/// No more than somebody would make databases for at once, whoever waits elsewhere.
pub(crate) const WAITING_FOR: &str = "\
SELECT count(*) AS waiting
FROM (
    SELECT 1
    FROM cluster c
    JOIN tenant t ON t.environment_id = c.environment_id
    WHERE c.id = $1 AND t.state = 'creating' AND t.database_id IS NULL AND (t.wanted_cluster_id IS NULL OR t.wanted_cluster_id = c.id)
        AND ($3::text[] IS NULL OR t.profile IS NULL OR t.profile = ANY ($3))
    LIMIT $2
) AS waiting";
/// Unless it has a database by now, or was placed again by somebody else.
const PLACE_AGAIN: &str = "\
UPDATE tenant SET wanted_cluster_id = $3, updated_at = now()
WHERE id = $1 AND state = 'creating' AND database_id IS NULL AND wanted_cluster_id IS NOT DISTINCT FROM $2";
const ENVIRONMENTS: &str = "SELECT DISTINCT environment_id FROM tenant WHERE state = 'creating' AND database_id IS NULL";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[INSERT, WHY_NOT, ADOPT, TAKE_MEMBER, ASSIGN_WAITING, WAITING_FOR, PLACE_AGAIN, ENVIRONMENTS];

/// Takes the name and, if one is ready, a database.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn claim(tx: &mut Tx, new: NewTenant) -> Result<Claim, StoreError> {
    let wanted = new.cluster.as_ref().map(ClusterName::as_str);
    let (slug, ttl) = (new.slug.as_str(), new.ttl.map(millis).transpose()?);
    let (environment, parameters) = (new.environment.as_str(), Json(&new.parameters));
    let id = new.id.as_uuid();
    let inserted = tx.query_opt(INSERT, &[&id, &environment, &slug, &wanted, &parameters, &ttl, &new.profile, &new.near]).await?;
    let Some(row) = inserted else {
        return why_not(tx, &new).await;
    };
    let mut tenant = read_inserted(&row, new)?;
    let wanted_id: Option<uuid::Uuid> = column::get(&row, "wanted_cluster_id")?;
    let taken = tx.query_opt(TAKE_MEMBER, &[&tenant.id.as_uuid(), &tenant.environment_id.as_uuid(), &wanted_id, &useless()]).await?;
    let Some(row) = taken else {
        tx.wake();
        return Ok(Claim::Awaiting(tenant));
    };
    let database = Box::new(database::read(&row)?);
    tenant.cluster = Some(column::parsed(&row, "cluster")?);
    tenant.database = Some(database.name.clone());
    tenant.database_id = Some(database.id);
    // The pool has one fewer.
    tx.wake();
    Ok(Claim::Claimed { tenant, database })
}

/// Absent and taken are different answers; only a refusal pays for telling them apart.
async fn why_not(tx: &mut Tx, new: &NewTenant) -> Result<Claim, StoreError> {
    let row = tx.query_one(WHY_NOT, &[&new.environment.as_str(), &new.cluster.as_ref().map(ClusterName::as_str)]).await?;
    let Some(environment) = column::get::<Option<_>>(&row, "environment")?.map(EnvironmentId::from_uuid) else {
        return Ok(Claim::NoSuchEnvironment);
    };
    if !column::get::<bool>(&row, "cluster")? {
        return Ok(Claim::NoSuchCluster);
    }
    if let Some(state) = column::parsed_opt::<ClusterState>(&row, "state")?.filter(|state| *state != ClusterState::Open) {
        return Ok(Claim::ClusterClosed(state));
    }
    let alias = name::alias_within(tx, environment, &new.slug).await?;
    Ok(alias.map_or(Claim::SlugTaken, |alias| Claim::SlugReserved(Box::new(alias))))
}

/// What became of taking a name with [`adopt`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Named {
    /// It is the tenant's.
    Done,
    /// A living tenant of the environment has it; nothing was changed.
    Taken,
    /// Another tenant had it until lately, and it is kept for it; nothing was changed.
    Reserved(Box<Alias>),
}

/// Takes the name for a database that somebody brought; it is in use after [`super::mark_serving`].
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn adopt(
    tx: &mut Tx,
    id: TenantId,
    environment: EnvironmentId,
    slug: &TenantSlug,
    database: DatabaseId,
    profile: Option<&str>,
) -> Result<Named, StoreError> {
    if let Some(alias) = name::alias_within(tx, environment, slug).await? {
        return Ok(Named::Reserved(Box::new(alias)));
    }
    let taken = tx.execute(ADOPT, &[&id.as_uuid(), &slug.as_str(), &database.as_uuid(), &profile]).await? == 0;
    Ok(if taken { Named::Taken } else { Named::Done })
}

/// How many tenants wait for a database of a cluster, or of any of its environment; `most` at the most. Of those that are judged, only
/// those count whose profile is `allowed`, if that is said.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn waiting_for(catalog: &Catalog, cluster: ClusterId, most: u32, allowed: Option<&[String]>) -> Result<u64, StoreError> {
    let row = catalog.session().await?.query_one(WAITING_FOR, &[&cluster.as_uuid(), &i64::from(most), &allowed]).await?;
    column::count_big(&row, "waiting")
}

/// Says where the database of a tenant that waits is to be; `None`, wherever one is that it may have. Returns whether it still waits for
/// one of `from`.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn place_again(tx: &mut Tx, tenant: TenantId, from: Option<ClusterId>, to: Option<ClusterId>) -> Result<bool, StoreError> {
    let [from, to] = [from, to].map(|cluster| cluster.map(|id| id.as_uuid()));
    let changed = tx.execute(PLACE_AGAIN, &[&tenant.as_uuid(), &from, &to]).await? > 0;
    if changed {
        tx.wake();
    }
    Ok(changed)
}

/// The environments in which somebody waits for a database.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn environments_that_wait(catalog: &Catalog) -> Result<Vec<EnvironmentId>, StoreError> {
    let rows = catalog.session().await?.query(ENVIRONMENTS, &[]).await?;
    rows.iter().map(|row| column::uuid(row, "environment_id").map(EnvironmentId::from_uuid)).collect()
}

/// A tenant that was given what it waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Its identity.
    pub tenant: TenantId,
    /// By which profile its copies are judged, if by any.
    pub profile: Option<String>,
}

/// Gives ready members of a cluster to the tenants that have waited longest, at most 100 at a time; of those
/// that are judged by a profile, to none whose profile is not allowed. Returns which.
/// Call it when members become ready *and* when woken: a tenant that began to wait while a member became ready saw
/// nothing of it, and the commit of either wakes.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn assign_waiting(tx: &mut Tx, cluster: ClusterId, allowed: &[String]) -> Result<Vec<Assigned>, StoreError> {
    let rows = tx.query(ASSIGN_WAITING, &[&cluster.as_uuid(), &useless(), &allowed]).await?;
    if !rows.is_empty() {
        tx.wake();
    }
    let read = |row: &Row| Ok(Assigned { tenant: TenantId::from_uuid(column::uuid(row, "id")?), profile: column::get(row, "profile")? });
    rows.iter().map(read).collect()
}

/// Whether a cluster in this trouble gives none of its ready databases to anybody.
pub fn gives_none(trouble: &Problem) -> bool {
    USELESS.contains(&trouble.code)
}

fn useless() -> Vec<String> {
    USELESS.iter().map(ErrorCode::to_string).collect()
}

fn read_inserted(row: &Row, new: NewTenant) -> Result<Tenant, StoreError> {
    let created_at = column::get(row, "created_at")?;
    Ok(Tenant {
        id: new.id,
        environment: new.environment,
        environment_id: EnvironmentId::from_uuid(column::uuid(row, "environment_id")?),
        slug: new.slug,
        state: TenantState::Creating,
        cluster: new.cluster,
        database: None,
        database_id: None,
        seeded: column::get(row, "seeded")?,
        epoch: 1,
        parameters: new.parameters,
        profile: new.profile,
        near: new.near,
        limits: holm_core::limits::TenantLimits::default(),
        failure: None,
        expires_at: column::get(row, "expires_at")?,
        made_by: None,
        created_at,
        updated_at: created_at,
        route_version: RouteVersion::default(),
    })
}
