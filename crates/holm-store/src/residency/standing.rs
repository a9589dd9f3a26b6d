//! What each copy came to when it was last judged, and since when it is so.
//!
//! Promises: `since` is of the outcome and not of the look, so that it says for how long something is wrong. A copy that is no
//! more has no standing.

use std::collections::BTreeMap;

use holm_core::id::TenantId;
use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

const ALL: &str = "SELECT tenant_id, copy, outcome, objections, valid_until, denied_since FROM residency_standing ORDER BY tenant_id, copy";
const OF_TENANT: &str = "\
SELECT tenant_id, copy, outcome, objections, since, valid_until
FROM residency_standing
WHERE tenant_id = $1
ORDER BY copy";
const SET: &str = "\
INSERT INTO residency_standing (tenant_id, copy, outcome, objections, valid_until, denied_since)
SELECT s.tenant, s.copy, s.outcome, s.objections, s.valid_until, CASE WHEN s.outcome = 'deny' THEN now() END
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::timestamptz[]) s (tenant, copy, outcome, objections, valid_until)
ON CONFLICT (tenant_id, copy) DO UPDATE
SET outcome = excluded.outcome, objections = excluded.objections, valid_until = excluded.valid_until,
    since = CASE WHEN residency_standing.outcome = excluded.outcome THEN residency_standing.since ELSE now() END,
    denied_since = CASE excluded.outcome
        WHEN 'allow' THEN NULL
        WHEN 'deny' THEN coalesce(residency_standing.denied_since, now())
        ELSE residency_standing.denied_since
    END";
const FORGET: &str = "\
DELETE FROM residency_standing s
USING unnest($1::uuid[], $2::text[]) gone (tenant, copy)
WHERE s.tenant_id = gone.tenant AND s.copy = gone.copy";
/// Whoever gives one of them a database is waited for: what it is told of its copies is written with that.
const LOCK_UNHELD: &str = "SELECT FROM tenant WHERE id = ANY ($1) ORDER BY id FOR SHARE";
const FORGET_UNHELD: &str = "\
DELETE FROM residency_standing s
USING unnest($1::uuid[], $2::text[]) gone (tenant, copy)
WHERE s.tenant_id = gone.tenant AND s.copy = gone.copy
    AND NOT EXISTS (SELECT FROM tenant t WHERE t.id = s.tenant_id AND t.database_id IS NOT NULL AND t.state NOT IN ('failed', 'dropped'))";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[ALL, OF_TENANT, SET, FORGET, LOCK_UNHELD, FORGET_UNHELD];

/// What a copy came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Whose.
    pub tenant: TenantId,
    /// Which copy.
    pub copy: String,
    /// `allow`, `unknown` or `deny`.
    pub outcome: String,
    /// What speaks against it.
    pub objections: Value,
    /// Until when that holds, if nothing changes before.
    pub valid_until: Option<Timestamp>,
}

/// Notes what copies come to; of two that are called the same the last counts. One statement, however many they are.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn set(tx: &mut Tx, now: &[Standing]) -> Result<(), StoreError> {
    if now.is_empty() {
        return Ok(());
    }
    // An `INSERT` that meets its own row fails.
    let now: BTreeMap<(TenantId, &str), &Standing> = now.iter().map(|one| ((one.tenant, one.copy.as_str()), one)).collect();
    let now: Vec<&Standing> = now.into_values().collect();
    let tenants: Vec<Uuid> = now.iter().map(|standing| standing.tenant.as_uuid()).collect();
    let copies: Vec<&str> = now.iter().map(|standing| standing.copy.as_str()).collect();
    let outcomes: Vec<&str> = now.iter().map(|standing| standing.outcome.as_str()).collect();
    let objections: Vec<Json<&Value>> = now.iter().map(|standing| Json(&standing.objections)).collect();
    let valid_until: Vec<Option<Timestamp>> = now.iter().map(|standing| standing.valid_until).collect();
    tx.execute(SET, &[&tenants, &copies, &outcomes, &objections, &valid_until]).await.map(drop)
}

/// Forgets copies that are no more.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn forget(tx: &mut Tx, gone: &[(TenantId, &str)]) -> Result<(), StoreError> {
    if gone.is_empty() {
        return Ok(());
    }
    let (tenants, copies): (Vec<Uuid>, Vec<&str>) = gone.iter().map(|(tenant, copy)| (tenant.as_uuid(), *copy)).unzip();
    tx.execute(FORGET, &[&tenants, &copies]).await.map(drop)
}

/// Forgets copies of tenants that had no database when they were looked at; of one that has one by now they stay. Called before anything
/// else of the transaction.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn forget_unheld(tx: &mut Tx, gone: &[(TenantId, &str)]) -> Result<(), StoreError> {
    if gone.is_empty() {
        return Ok(());
    }
    let (tenants, copies): (Vec<Uuid>, Vec<&str>) = gone.iter().map(|(tenant, copy)| (tenant.as_uuid(), *copy)).unzip();
    tx.query(LOCK_UNHELD, &[&tenants]).await?;
    tx.execute(FORGET_UNHELD, &[&tenants, &copies]).await.map(drop)
}

/// Every copy's, with since when it is denied, counted through times in which nobody could say.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn all(catalog: &Catalog) -> Result<Vec<(Standing, Option<Timestamp>)>, StoreError> {
    let rows = catalog.session().await?.query(ALL, &[]).await?;
    rows.iter().map(|row| Ok((read(row)?, column::get(row, "denied_since")?))).collect()
}

/// Those of one tenant.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of_tenant(catalog: &Catalog, tenant: TenantId) -> Result<Vec<(Standing, Timestamp)>, StoreError> {
    catalog
        .session()
        .await?
        .query(OF_TENANT, &[&tenant.as_uuid()])
        .await?
        .iter()
        .map(|row| Ok((read(row)?, column::get(row, "since")?)))
        .collect()
}

fn read(row: &Row) -> Result<Standing, StoreError> {
    Ok(Standing {
        tenant: TenantId::from_uuid(column::uuid(row, "tenant_id")?),
        copy: column::get(row, "copy")?,
        outcome: column::get(row, "outcome")?,
        objections: column::get::<Json<Value>>(row, "objections")?.0,
        valid_until: column::get(row, "valid_until")?,
    })
}
