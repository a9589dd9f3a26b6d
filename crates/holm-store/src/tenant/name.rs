//! Names that change: renaming, and the names that a tenant had, which are kept for it until a time.
//!
//! Promises: a name is a living tenant's or kept for one, never both; PostgreSQL refuses it too. A rename and what the
//! data plane is told of it are one transaction. Refuses to end by the clock alone: a name is kept until it is let go.

use holm_core::environment::EnvironmentName;
use holm_core::id::{EnvironmentId, TenantId};
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

/// A name that a tenant had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub slug: TenantSlug,
    /// Whose it was.
    pub tenant: TenantId,
    /// The name that it has now.
    pub now: TenantSlug,
    /// Until when it is kept.
    pub until: Timestamp,
    /// Who renamed it.
    pub renamed_by: Value,
}

/// A change of name.
#[derive(Clone, Debug)]
pub struct Rename<'a> {
    /// Of which tenant.
    pub tenant: TenantId,
    /// The name that it has.
    pub from: &'a TenantSlug,
    /// The name that it gets.
    pub to: &'a TenantSlug,
    /// Until when the old one is kept.
    pub until: Timestamp,
    /// Until when the new one was kept for it already, if it was.
    pub kept: Option<Timestamp>,
    /// Who wants it.
    pub by: &'a Value,
}

/// What became of a change of name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Renamed {
    /// It has its new name, or had it already.
    Done,
    /// No such tenant.
    Absent,
    /// It is in a state in which it is not renamed.
    Refused(TenantState),
    /// Another living tenant has the name.
    Taken,
    /// The name is kept for another tenant.
    Reserved(Box<Alias>),
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.slug, a.tenant_id, t.slug AS now, a.until, a.renamed_by\nFROM tenant_alias a\nJOIN tenant t ON t.id = a.tenant_id\n",
            $rest
        )
    };
}

const OF_NAME: &str = select!("JOIN environment e ON e.id = a.environment_id\nWHERE e.name = $1 AND a.slug = $2");
const OF_NAME_IN: &str = select!("WHERE a.environment_id = $1 AND a.slug = $2");
const OF_TENANT: &str = select!("WHERE a.tenant_id = $1\nORDER BY a.slug");
const LOCK: &str = "SELECT environment_id, slug, state FROM tenant WHERE id = $1 FOR UPDATE";
const TAKEN: &str = "\
SELECT 1
FROM tenant
WHERE environment_id = $1 AND slug = $2 AND state NOT IN ('failed', 'dropped') AND id <> $3";
/// Before the tenant's row gives the name up, so that the name's lock is taken in one order by everybody.
const KEEP: &str = "INSERT INTO tenant_alias (environment_id, slug, tenant_id, until, renamed_by) VALUES ($1, $2, $3, $4, $5)";
const LET_GO: &str = "DELETE FROM tenant_alias WHERE environment_id = $1 AND slug = $2 AND tenant_id = $3";
const SET_SLUG: &str = "UPDATE tenant SET slug = $2, epoch = epoch + 1, updated_at = now() WHERE id = $1";
/// Not while a rename is under way: it may be undone, and then wants its name back.
const LET_EXPIRED_GO: &str = "\
WITH gone AS (
    DELETE FROM tenant_alias a
    WHERE a.until <= now() AND NOT EXISTS (
        SELECT FROM operation_subject s
        JOIN operation o ON o.id = s.operation_id
        WHERE s.subject_id = a.tenant_id AND s.held AND o.kind = 'tenant.rename'
    )
    RETURNING a.tenant_id
)
UPDATE tenant t
SET epoch = t.epoch + 1
WHERE t.id IN (SELECT tenant_id FROM gone)
RETURNING t.id";
pub(super) const LET_ALL_GO: &str = "DELETE FROM tenant_alias WHERE tenant_id = $1";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[OF_NAME, OF_NAME_IN, OF_TENANT, LOCK, TAKEN, KEEP, LET_GO, SET_SLUG, LET_EXPIRED_GO, LET_ALL_GO];

/// Whose a name was, if it is kept for somebody.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn alias(catalog: &Catalog, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Option<Alias>, StoreError> {
    let row = catalog.session().await?.query_opt(OF_NAME, &[&environment.as_str(), &slug.as_str()]).await?;
    row.as_ref().map(read).transpose()
}

/// As [`alias`], within a transaction.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn alias_within(tx: &mut Tx, environment: EnvironmentId, slug: &TenantSlug) -> Result<Option<Alias>, StoreError> {
    tx.query_opt(OF_NAME_IN, &[&environment.as_uuid(), &slug.as_str()]).await?.as_ref().map(read).transpose()
}

/// The names that are kept for a tenant.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of_tenant(catalog: &Catalog, tenant: TenantId) -> Result<Vec<Alias>, StoreError> {
    catalog.session().await?.query(OF_TENANT, &[&tenant.as_uuid()]).await?.iter().map(read).collect()
}

/// Whether a living tenant other than this one has a name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn is_taken(tx: &mut Tx, environment: EnvironmentId, slug: &TenantSlug, but_for: TenantId) -> Result<bool, StoreError> {
    Ok(tx.query_opt(TAKEN, &[&environment.as_uuid(), &slug.as_str(), &but_for.as_uuid()]).await?.is_some())
}

/// Gives a tenant its new name, and keeps the old one for it.
///
/// # Errors
/// [`StoreError`]; of two that take one name at the same moment the later gets [`StoreError::Conflict`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn rename(tx: &mut Tx, rename: &Rename<'_>) -> Result<Renamed, StoreError> {
    let id = rename.tenant.as_uuid();
    let Some(row) = tx.query_opt(LOCK, &[&id]).await? else { return Ok(Renamed::Absent) };
    let environment = EnvironmentId::from_uuid(column::uuid(&row, "environment_id")?);
    let state: TenantState = column::parsed(&row, "state")?;
    let now: TenantSlug = column::parsed(&row, "slug")?;
    if now == *rename.to {
        return Ok(Renamed::Done);
    }
    if now != *rename.from || !state.is_established() {
        return Ok(Renamed::Refused(state));
    }
    if is_taken(tx, environment, rename.to, rename.tenant).await? {
        return Ok(Renamed::Taken);
    }
    if let Some(alias) = alias_within(tx, environment, rename.to).await?.filter(|alias| alias.tenant != rename.tenant) {
        return Ok(Renamed::Reserved(Box::new(alias)));
    }
    keep(tx, environment, rename.from, rename, rename.until).await?;
    tx.execute(LET_GO, &[&environment.as_uuid(), &rename.to.as_str(), &id]).await?;
    tx.execute(SET_SLUG, &[&id, &rename.to.as_str()]).await?;
    tx.changed_tenant(rename.tenant);
    Ok(Renamed::Done)
}

/// Gives a tenant its old name back; nothing is done if it never had the new one.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn rename_back(tx: &mut Tx, rename: &Rename<'_>) -> Result<(), StoreError> {
    let id = rename.tenant.as_uuid();
    let Some(row) = tx.query_opt(LOCK, &[&id]).await? else { return Ok(()) };
    if column::parsed::<TenantSlug>(&row, "slug")? != *rename.to {
        return Ok(());
    }
    let environment = EnvironmentId::from_uuid(column::uuid(&row, "environment_id")?);
    tx.execute(LET_GO, &[&environment.as_uuid(), &rename.from.as_str(), &id]).await?;
    tx.execute(SET_SLUG, &[&id, &rename.from.as_str()]).await?;
    if let Some(kept) = rename.kept {
        keep(tx, environment, rename.to, rename, kept).await?;
    }
    tx.changed_tenant(rename.tenant);
    Ok(())
}

async fn keep(tx: &mut Tx, environment: EnvironmentId, slug: &TenantSlug, rename: &Rename<'_>, until: Timestamp) -> Result<(), StoreError> {
    tx.execute(KEEP, &[&environment.as_uuid(), &slug.as_str(), &rename.tenant.as_uuid(), &until, &Json(rename.by)]).await.map(drop)
}

/// Lets the names go whose time is over; returns of how many tenants.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn let_expired_go(tx: &mut Tx) -> Result<usize, StoreError> {
    let rows = tx.query(LET_EXPIRED_GO, &[]).await?;
    for row in &rows {
        tx.changed_tenant(TenantId::from_uuid(column::uuid(row, "id")?));
    }
    Ok(rows.len())
}

fn read(row: &Row) -> Result<Alias, StoreError> {
    Ok(Alias {
        slug: column::parsed(row, "slug")?,
        tenant: TenantId::from_uuid(column::uuid(row, "tenant_id")?),
        now: column::parsed(row, "now")?,
        until: column::get(row, "until")?,
        renamed_by: column::get::<Json<Value>>(row, "renamed_by")?.0,
    })
}
