//! Tenants that an operation makes: with a database of their own from the start, which nobody else touches meanwhile.
//!
//! Promises: tenant and database are planned together or not at all, and marked with the operation that makes them, so
//! that no reconciler takes them for one that was created and left unfinished.

use std::time::Duration;

use holm_core::cluster::state::ClusterState;
use holm_core::id::{ClusterId, DatabaseId, EnvironmentId, OperationId, TenantId};
use holm_core::parameter::TenantParameter;
use holm_core::role::DatabaseName;
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use tokio_postgres::types::Json;

use super::expiry::millis;
use super::name::{self, Alias};
use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::sealed::Sealed;
use crate::state::Update;
use crate::template::TemplateId;
use crate::tx::Tx;

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct NewCopy {
    /// Its identity.
    pub id: TenantId,
    /// Its environment, for good.
    pub environment: EnvironmentId,
    /// Its name.
    pub slug: TenantSlug,
    /// What its sessions start with.
    pub parameters: Vec<TenantParameter>,
    /// By which profile its copies are judged.
    pub profile: Option<String>,
    /// How long it lives, if it has an end.
    pub ttl: Option<Duration>,
    /// What makes it.
    pub made_by: OperationId,
    /// Where its database is to be.
    pub cluster: ClusterId,
    /// Its database's identity.
    pub database: DatabaseId,
    /// Its database's name.
    pub database_name: DatabaseName,
    /// The secrets of its three roles.
    pub sealed_logins: Sealed,
    /// Of that cluster; its members are laid out alike.
    pub template: TemplateId,
}

/// What became of planning one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Planned {
    /// It is there.
    Done,
    /// It was there already.
    Before,
    /// Another living tenant has the name.
    Taken,
    /// The name is kept for another tenant.
    Reserved(Box<Alias>),
    /// No tenant is placed on that cluster any more.
    ClusterClosed(ClusterState),
}

const UNDER_WAY: &str = "SELECT database_id FROM tenant WHERE state = 'creating' AND made_by IS NOT NULL AND database_id IS NOT NULL";
/// An operation that ends by itself leaves none; a person who abandons one leaves what it was making.
const LEFT_BEHIND: &str = "\
SELECT t.id, t.made_by, t.environment_id
FROM tenant t
WHERE t.state = 'creating' AND t.made_by IS NOT NULL
    AND NOT EXISTS (SELECT FROM operation o WHERE o.id = t.made_by AND o.finished_at IS NULL)
ORDER BY t.id";
const IS_THERE: &str = "SELECT 1 FROM tenant WHERE id = $1";
/// Whoever drains it waits for this, and then finds the tenant there.
const CLUSTER: &str = "SELECT state FROM cluster WHERE id = $1 FOR SHARE";
const PLAN_DATABASE: &str = "\
INSERT INTO database (id, cluster_id, environment_id, template_id, name, state, sealed_logins, ready_at)
VALUES ($1, $2, $3, $4, $5, 'claimed', $6, now())";
const PLAN_TENANT: &str = "\
INSERT INTO tenant (id, environment_id, slug, database_id, state, seeded, epoch, parameters, expires_at, made_by, profile)
VALUES ($1, $2, $3, $4, 'creating', false, 1, $5, now() + $6::bigint * interval '1 millisecond', $7, $8)";
const MADE: &str = "UPDATE tenant SET seeded = true, made_by = NULL, updated_at = now() WHERE id = $1 AND state = 'creating'";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[UNDER_WAY, LEFT_BEHIND, IS_THERE, CLUSTER, PLAN_DATABASE, PLAN_TENANT, MADE];

/// The databases that are being made for a tenant; they may or may not exist, whole or not.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn under_way(catalog: &Catalog) -> Result<Vec<DatabaseId>, StoreError> {
    let rows = catalog.session().await?.query(UNDER_WAY, &[]).await?;
    rows.iter().map(|row| column::uuid(row, "database_id").map(DatabaseId::from_uuid)).collect()
}

/// A tenant that nobody makes any more, and that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// Its identity.
    pub id: TenantId,
    /// What was making it.
    pub made_by: OperationId,
    /// Its environment.
    pub environment: EnvironmentId,
}

/// Tenants that nobody makes any more.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn left_behind(catalog: &Catalog) -> Result<Vec<LeftBehind>, StoreError> {
    let read = |row| {
        Ok(LeftBehind {
            id: TenantId::from_uuid(column::uuid(row, "id")?),
            made_by: OperationId::from_uuid(column::uuid(row, "made_by")?),
            environment: EnvironmentId::from_uuid(column::uuid(row, "environment_id")?),
        })
    };
    catalog.session().await?.query(LEFT_BEHIND, &[]).await?.iter().map(read).collect()
}

/// Takes the name, and records the database that is going to be made, on a cluster that is open.
///
/// # Errors
/// [`StoreError`]; of two that take one name at the same moment the later gets [`StoreError::Conflict`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn plan(tx: &mut Tx, new: &NewCopy) -> Result<Planned, StoreError> {
    if tx.query_opt(IS_THERE, &[&new.id.as_uuid()]).await?.is_some() {
        return Ok(Planned::Before);
    }
    let cluster = tx.query_opt(CLUSTER, &[&new.cluster.as_uuid()]).await?;
    let state = cluster.map_or(Ok(ClusterState::Removed), |row| column::parsed(&row, "state"))?;
    if state != ClusterState::Open {
        return Ok(Planned::ClusterClosed(state));
    }
    if name::is_taken(tx, new.environment, &new.slug, new.id).await? {
        return Ok(Planned::Taken);
    }
    if let Some(alias) = name::alias_within(tx, new.environment, &new.slug).await? {
        return Ok(Planned::Reserved(Box::new(alias)));
    }
    let (id, environment, database) = (new.id.as_uuid(), new.environment.as_uuid(), new.database.as_uuid());
    let (cluster, template) = (new.cluster.as_uuid(), new.template.as_uuid());
    tx.execute(PLAN_DATABASE, &[&database, &cluster, &environment, &template, &new.database_name.as_str(), &new.sealed_logins.as_bytes()])
        .await?;
    let (ttl, made_by) = (new.ttl.map(millis).transpose()?, new.made_by.as_uuid());
    let parameters = Json(&new.parameters);
    tx.execute(PLAN_TENANT, &[&id, &environment, &new.slug.as_str(), &database, &parameters, &ttl, &made_by, &new.profile]).await?;
    Ok(Planned::Done)
}

/// Lets sessions in, from the version that the commit returns.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn made(tx: &mut Tx, id: TenantId) -> Result<Update<TenantState>, StoreError> {
    tx.execute(MADE, &[&id.as_uuid()]).await?;
    super::mark_serving(tx, id).await
}
