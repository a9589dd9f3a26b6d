//! Tenants: one customer in one environment each, from the taking of a name to a route.
//!
//! Promises: a name belongs to one living tenant of its environment; a state changes only by `TenantState::after`; every
//! change that a route shows has a new epoch. Claiming a database has a file of its own, [`claim`].

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::id::{ClusterId, CredentialId, DatabaseId, EnvironmentId, OperationId, TenantId};
use holm_core::limits::TenantLimits;
use holm_core::parameter::TenantParameter;
use holm_core::role::DatabaseName;
use holm_core::route::RouteVersion;
use holm_core::slug::TenantSlug;
use holm_core::tenant::{TenantEvent, TenantState};
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use crate::catalog::Catalog;
use crate::database::{self, DatabaseEvent};
use crate::error::StoreError;
use crate::page::Page;
use crate::residency::certificate;
use crate::row::{self, column};
use crate::state::Update;
use crate::tx::Tx;

pub mod claim;
pub mod copying;
pub mod expiry;
pub mod limits;
pub mod name;
pub mod version;

/// A tenant as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its identity.
    pub id: TenantId,
    /// Its environment.
    pub environment: EnvironmentName,
    /// The same, as rows refer to it.
    pub environment_id: EnvironmentId,
    /// Its name.
    pub slug: TenantSlug,
    /// Where it is in its life.
    pub state: TenantState,
    /// Where its database is; while it has none, where it was asked to be.
    pub cluster: Option<ClusterName>,
    /// Its database's name there.
    pub database: Option<DatabaseName>,
    /// Its database.
    pub database_id: Option<DatabaseId>,
    /// Whether its seed has run, or it needs none.
    pub seeded: bool,
    /// Grows with every change of its route.
    pub epoch: u64,
    /// What its sessions start with.
    pub parameters: Vec<TenantParameter>,
    /// By which profile its copies are judged, as `holm-policy` calls it; none, and nothing is.
    pub profile: Option<String>,
    /// Near what its database was wished: a country, or a place. It counts while it has none.
    pub near: Option<String>,
    /// How many of its cluster's connections it may have.
    pub limits: TenantLimits,
    /// Why it failed, if it did.
    pub failure: Option<Problem>,
    /// When it is deleted by itself, if it is.
    pub expires_at: Option<Timestamp>,
    /// The operation that makes it, while one does.
    pub made_by: Option<OperationId>,
    /// When its name was taken.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The version of the last change of its route; 0 before the first.
    pub route_version: RouteVersion,
}

/// What became of an operator's word.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Told {
    /// The tenant is in its new state; the version comes from the commit.
    Changed(Tenant),
    /// It was so already, since its `route_version`.
    Unchanged(Tenant),
    /// No such tenant in that environment.
    Absent,
    /// It is in a state in which that has no meaning.
    Refused(TenantState),
}

macro_rules! columns {
    () => {
        "SELECT t.id, e.name AS environment, t.environment_id, t.slug, t.state, c.name AS cluster, d.name AS database, t.database_id,\n\
         \x20   t.seeded, t.epoch, t.parameters, t.profile, t.near, t.connections_min, t.connections_max, t.weight, t.failure, t.expires_at, t.made_by,\n\
         \x20   t.created_at, t.updated_at, t.route_version\n"
    };
}
use columns;

macro_rules! place {
    () => {
        "LEFT JOIN database d ON d.id = t.database_id\n\
         LEFT JOIN cluster c ON c.id = coalesce(d.cluster_id, t.wanted_cluster_id)\n"
    };
}
use place;

macro_rules! select {
    ($rest:literal) => {
        concat!(columns!(), "FROM tenant t\nJOIN environment e ON e.id = t.environment_id\n", place!(), $rest)
    };
}
use select;

const BY_ID: &str = select!("WHERE t.id = $1");
pub(crate) const BY_SLUG: &str = select!("WHERE e.name = $1 AND t.slug = $2 AND t.state NOT IN ('failed', 'dropped')");
/// No slug is empty, so the empty text is before the first.
pub(crate) const LIST: &str = select!(
    "WHERE t.environment_id = (SELECT id FROM environment WHERE name = $1) AND t.slug > $2 AND t.state NOT IN ('failed', 'dropped')\n\
     ORDER BY t.slug\n\
     LIMIT $3"
);
/// One short walk of the index for each environment, instead of sorting all tenants for one page.
pub(crate) const LIST_ALL: &str = concat!(
    columns!(),
    "FROM environment e\n\
     CROSS JOIN LATERAL (\n\
     \x20   SELECT *\n\
     \x20   FROM tenant\n\
     \x20   WHERE environment_id = e.id AND slug > CASE WHEN e.name = $1 THEN $2 ELSE '' END AND state NOT IN ('failed', 'dropped')\n\
     \x20   ORDER BY slug\n\
     \x20   LIMIT $3\n\
     ) t\n",
    place!(),
    "WHERE e.name >= $1\nORDER BY e.name, t.slug\nLIMIT $3"
);
/// By identity, which is the order in which they were made.
const OF_CLUSTER: &str = select!("WHERE d.cluster_id = $1\nORDER BY t.id");
const AWAITING: &str = select!("WHERE t.state = 'creating' AND t.database_id IS NULL\nORDER BY t.created_at, t.id\nLIMIT $1");
pub(crate) const UNFINISHED: &str =
    select!("WHERE t.state = 'creating' AND t.database_id IS NOT NULL AND t.made_by IS NULL\nORDER BY t.created_at, t.id\nLIMIT $1");
const LOCK: &str = "SELECT state, database_id, seeded FROM tenant WHERE id = $1 FOR UPDATE";
const LOCK_BY_SLUG: &str = "\
SELECT t.id, t.state
FROM tenant t
JOIN environment e ON e.id = t.environment_id
WHERE e.name = $1 AND t.slug = $2 AND t.state NOT IN ('failed', 'dropped')
FOR UPDATE OF t";
const MARK_SEEDED: &str = "UPDATE tenant SET seeded = true, updated_at = now() WHERE id = $1";
const SET_STATE: &str = "UPDATE tenant SET state = $2, epoch = epoch + 1, updated_at = now() WHERE id = $1";
const DROP: &str = "UPDATE tenant SET state = 'dropped', database_id = NULL, epoch = epoch + 1, updated_at = now() WHERE id = $1";
const REVOKE_ITS_CREDENTIALS: &str = "\
UPDATE credential
SET revoked_at = now()
WHERE tenant_id = $1 AND revoked_at IS NULL
RETURNING id";
const FAIL: &str = "\
UPDATE tenant
SET state = $2, failure = $3, database_id = NULL, epoch = epoch + 1, updated_at = now()
WHERE id = $1";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[
    BY_ID,
    BY_SLUG,
    LIST,
    LIST_ALL,
    OF_CLUSTER,
    AWAITING,
    UNFINISHED,
    LOCK,
    LOCK_BY_SLUG,
    MARK_SEEDED,
    SET_STATE,
    DROP,
    REVOKE_ITS_CREDENTIALS,
    FAIL,
];

/// What a writer must know of a tenant before it changes it.
struct Locked {
    state: TenantState,
    database: Option<DatabaseId>,
    seeded: bool,
}

async fn lock(tx: &mut Tx, id: TenantId) -> Result<Option<Locked>, StoreError> {
    let Some(row) = tx.query_opt(LOCK, &[&id.as_uuid()]).await? else {
        return Ok(None);
    };
    Ok(Some(Locked {
        state: column::parsed(&row, "state")?,
        database: column::get::<Option<_>>(&row, "database_id")?.map(DatabaseId::from_uuid),
        seeded: column::get(&row, "seeded")?,
    }))
}

/// Notes that the seed has run. Refused unless the tenant is being created and has a database.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn mark_seeded(tx: &mut Tx, id: TenantId) -> Result<Update<TenantState>, StoreError> {
    let Some(tenant) = lock(tx, id).await? else {
        return Ok(Update::Absent);
    };
    if tenant.state != TenantState::Creating || tenant.database.is_none() {
        return Ok(Update::Refused(tenant.state));
    }
    tx.execute(MARK_SEEDED, &[&id.as_uuid()]).await?;
    Ok(Update::Done)
}

/// Lets sessions in, from the version that the commit returns. Refused unless the tenant is being created, has a
/// database and is seeded.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn mark_serving(tx: &mut Tx, id: TenantId) -> Result<Update<TenantState>, StoreError> {
    let Some(tenant) = lock(tx, id).await? else {
        return Ok(Update::Absent);
    };
    let Ok(next) = tenant.state.after(TenantEvent::Ready) else {
        return Ok(Update::Refused(tenant.state));
    };
    if tenant.database.is_none() || !tenant.seeded {
        return Ok(Update::Refused(tenant.state));
    }
    tx.execute(SET_STATE, &[&id.as_uuid(), &next.as_str()]).await?;
    certificate::first(tx, id).await?;
    tx.changed_tenant(id);
    Ok(Update::Done)
}

/// Gives a tenant's creation up: its name is free again, its database, if it has one, is condemned. The row stays, with
/// the reason.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn fail(tx: &mut Tx, id: TenantId, failure: &Problem) -> Result<Update<TenantState>, StoreError> {
    let Some(tenant) = lock(tx, id).await? else {
        return Ok(Update::Absent);
    };
    let Ok(next) = tenant.state.after(TenantEvent::GivenUp) else {
        return Ok(Update::Refused(tenant.state));
    };
    tx.execute(FAIL, &[&id.as_uuid(), &next.as_str(), &row::problem(failure)]).await?;
    if let Some(database) = tenant.database {
        match database::tell(tx, database, DatabaseEvent::Bereaved).await? {
            Update::Done => {}
            other => return Err(StoreError::Fault(format!("database {database} of tenant {id} could not be condemned: {other:?}").into())),
        }
    }
    tx.changed_tenant(id);
    Ok(Update::Done)
}

/// Stops a tenant's sessions, from the version that the commit returns. Suspending twice is the same as once.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn suspend(tx: &mut Tx, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Told, StoreError> {
    tell(tx, environment, slug, TenantEvent::Suspend).await
}

/// Has a tenant's transactions wait, from the version that the commit returns. Pausing twice is the same as once.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn pause(tx: &mut Tx, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Told, StoreError> {
    tell(tx, environment, slug, TenantEvent::Pause).await
}

/// Lets a tenant's sessions in again, from the version that the commit returns. Resuming twice is the same as once.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn resume(tx: &mut Tx, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Told, StoreError> {
    tell(tx, environment, slug, TenantEvent::Resume).await
}

async fn tell(tx: &mut Tx, environment: &EnvironmentName, slug: &TenantSlug, event: TenantEvent) -> Result<Told, StoreError> {
    let Some(row) = tx.query_opt(LOCK_BY_SLUG, &[&environment.as_str(), &slug.as_str()]).await? else {
        return Ok(Told::Absent);
    };
    let id = TenantId::from_uuid(column::uuid(&row, "id")?);
    let state: TenantState = column::parsed(&row, "state")?;
    let Ok(next) = state.after(event) else {
        return Ok(Told::Refused(state));
    };
    if next != state {
        tx.execute(SET_STATE, &[&id.as_uuid(), &next.as_str()]).await?;
        tx.changed_tenant(id);
    }
    let tenant = read(&tx.query_one(BY_ID, &[&id.as_uuid()]).await?)?;
    Ok(if next == state { Told::Unchanged(tenant) } else { Told::Changed(tenant) })
}

/// What an event made of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Moved {
    /// It is in a state, which may be the one it was in.
    To {
        /// In which it was.
        from: TenantState,
        /// In which it is.
        to: TenantState,
    },
    /// No such tenant.
    Absent,
    /// It is in a state in which that has no meaning.
    Refused(TenantState),
}

/// Tells a tenant an event by its identity; for those that make or take its database there are functions of their own.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn tell_one(tx: &mut Tx, id: TenantId, event: TenantEvent) -> Result<Moved, StoreError> {
    let Some(Locked { state, .. }) = lock(tx, id).await? else {
        return Ok(Moved::Absent);
    };
    let Ok(next) = state.after(event) else {
        return Ok(Moved::Refused(state));
    };
    if next != state {
        tx.execute(SET_STATE, &[&id.as_uuid(), &next.as_str()]).await?;
        tx.changed_tenant(id);
    }
    Ok(Moved::To { from: state, to: next })
}

/// Gives a deleted tenant up: its names are free, its credentials are revoked, its database is condemned.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn drop_one(tx: &mut Tx, id: TenantId) -> Result<Update<TenantState>, StoreError> {
    let Some(tenant) = lock(tx, id).await? else {
        return Ok(Update::Absent);
    };
    match tenant.state.after(TenantEvent::Drop) {
        Err(illegal) => return Ok(Update::Refused(illegal.state)),
        Ok(next) if next == tenant.state => return Ok(Update::Done),
        Ok(_) => {}
    }
    tx.execute(DROP, &[&id.as_uuid()]).await?;
    if let Some(database) = tenant.database {
        match database::tell(tx, database, DatabaseEvent::Bereaved).await? {
            Update::Done => {}
            other => return Err(StoreError::Fault(format!("database {database} of tenant {id} could not be condemned: {other:?}").into())),
        }
    }
    tx.execute(name::LET_ALL_GO, &[&id.as_uuid()]).await?;
    for row in tx.query(REVOKE_ITS_CREDENTIALS, &[&id.as_uuid()]).await? {
        tx.changed_credential(CredentialId::from_uuid(column::uuid(&row, "id")?));
    }
    tx.changed_tenant(id);
    Ok(Update::Done)
}

/// The living one of a name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_slug(catalog: &Catalog, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Option<Tenant>, StoreError> {
    let row = catalog.session().await?.query_opt(BY_SLUG, &[&environment.as_str(), &slug.as_str()]).await?;
    row.as_ref().map(read).transpose()
}

/// The one of an id, failed ones too.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_id(catalog: &Catalog, id: TenantId) -> Result<Option<Tenant>, StoreError> {
    catalog.session().await?.query_opt(BY_ID, &[&id.as_uuid()]).await?.as_ref().map(read).transpose()
}

/// A page of an environment's living tenants, by slug; empty for an environment that does not exist.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog, environment: &EnvironmentName, page: &Page<TenantSlug>) -> Result<Vec<Tenant>, StoreError> {
    let after = page.after.as_ref().map_or("", TenantSlug::as_str);
    let rows = catalog.session().await?.query(LIST, &[&environment.as_str(), &after, &page.rows_max()]).await?;
    rows.iter().map(read).collect()
}

/// A page of the living tenants of all environments, by environment and slug.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list_all(catalog: &Catalog, page: &Page<(EnvironmentName, TenantSlug)>) -> Result<Vec<Tenant>, StoreError> {
    let (environment, slug) = page.after.as_ref().map_or(("", ""), |(environment, slug)| (environment.as_str(), slug.as_str()));
    catalog.session().await?.query(LIST_ALL, &[&environment, &slug, &page.rows_max()]).await?.iter().map(read).collect()
}

/// Every tenant with a database on a cluster: as many as one server can hold.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn of_cluster(tx: &mut Tx, cluster: ClusterId) -> Result<Vec<Tenant>, StoreError> {
    tx.query(OF_CLUSTER, &[&cluster.as_uuid()]).await?.iter().map(read).collect()
}

/// Those that wait for a database, longest first, `limit` at the most.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn awaiting(catalog: &Catalog, limit: u32) -> Result<Vec<Tenant>, StoreError> {
    catalog.session().await?.query(AWAITING, &[&i64::from(limit)]).await?.iter().map(read).collect()
}

/// Those that have a database and are not serving yet, oldest first, `limit` at the most; `seeded` says what is missing.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn unfinished(catalog: &Catalog, limit: u32) -> Result<Vec<Tenant>, StoreError> {
    catalog.session().await?.query(UNFINISHED, &[&i64::from(limit)]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Tenant, StoreError> {
    Ok(Tenant {
        id: TenantId::from_uuid(column::uuid(row, "id")?),
        environment: column::parsed(row, "environment")?,
        environment_id: EnvironmentId::from_uuid(column::uuid(row, "environment_id")?),
        slug: column::parsed(row, "slug")?,
        state: column::parsed(row, "state")?,
        cluster: column::parsed_opt(row, "cluster")?,
        database: column::parsed_opt(row, "database")?,
        database_id: column::get::<Option<_>>(row, "database_id")?.map(DatabaseId::from_uuid),
        seeded: column::get(row, "seeded")?,
        epoch: column::count_big(row, "epoch")?,
        parameters: column::get::<Json<Vec<TenantParameter>>>(row, "parameters")?.0,
        profile: column::get(row, "profile")?,
        near: column::get(row, "near")?,
        limits: limits::read(row)?,
        failure: column::problem(row, "failure")?,
        expires_at: column::get(row, "expires_at")?,
        made_by: column::get::<Option<_>>(row, "made_by")?.map(OperationId::from_uuid),
        created_at: column::get(row, "created_at")?,
        updated_at: column::get(row, "updated_at")?,
        route_version: column::route_version(row, "route_version")?,
    })
}
