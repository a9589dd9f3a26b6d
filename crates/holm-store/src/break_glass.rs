//! Broken glasses: a role for hours, that its holder took and nobody gave. What lets them in is read with their token.

use std::time::Duration;

use holm_core::access::Role;
use holm_core::actor::PrincipalName;
use holm_core::audit::Reason;
use holm_core::environment::EnvironmentName;
use holm_core::id::{BreakGlassId, PrincipalId};
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

/// A glass to be broken.
#[derive(Clone, Debug)]
pub struct NewBreakGlass {
    /// Its identity.
    pub id: BreakGlassId,
    /// By whom.
    pub principal: PrincipalId,
    /// The only environment.
    pub environment: EnvironmentName,
    /// The role that is taken.
    pub role: Role,
    /// Why.
    pub reason: Reason,
    /// How long, from now by the catalog's clock; the catalog refuses more than 8 hours.
    pub lifetime: Duration,
}

/// A broken glass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakGlass {
    /// Its identity.
    pub id: BreakGlassId,
    /// By whom.
    pub principal: PrincipalName,
    /// The only environment.
    pub environment: EnvironmentName,
    /// The role that was taken.
    pub role: Role,
    /// Why.
    pub reason: String,
    /// When.
    pub opened_at: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    /// When it was given back before.
    pub ended_at: Option<Timestamp>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT b.id, p.name AS principal, e.name AS environment, b.role, b.reason, b.opened_at, b.until, b.ended_at\n",
            "FROM break_glass b\n",
            "JOIN principal p ON p.id = b.principal_id\n",
            "JOIN environment e ON e.id = b.environment_id\n",
            $rest
        )
    };
}

const BY_ID: &str = select!("WHERE b.id = $1");
/// Emergencies are few; the newest hundred are more than a page of a report.
const LIST: &str = select!("ORDER BY b.id DESC\nLIMIT 100");
const INSERT: &str = "\
INSERT INTO break_glass (id, principal_id, environment_id, role, reason, until)
SELECT $1, $2, e.id, $4, $5, now() + make_interval(secs => $6)
FROM environment e
WHERE e.name = $3";
const END: &str = "UPDATE break_glass SET ended_at = now() WHERE id = $1 AND principal_id = $2 AND ended_at IS NULL AND until > now()";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[BY_ID, LIST, INSERT, END];

/// Breaks the glass. Returns `None` if there is no such environment.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn insert(tx: &mut Tx, new: &NewBreakGlass) -> Result<Option<BreakGlass>, StoreError> {
    let inserted = tx
        .execute(
            INSERT,
            &[
                &new.id.as_uuid(),
                &new.principal.as_uuid(),
                &new.environment.as_str(),
                &new.role.as_str(),
                &new.reason.as_str(),
                &new.lifetime.as_secs_f64(),
            ],
        )
        .await?;
    if inserted == 0 {
        return Ok(None);
    }
    read(&tx.query_one(BY_ID, &[&new.id.as_uuid()]).await?).map(Some)
}

/// Gives it back; only who took it does. Returns `None` if that one is not open.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn end(tx: &mut Tx, id: BreakGlassId, principal: PrincipalId) -> Result<Option<BreakGlass>, StoreError> {
    if tx.execute(END, &[&id.as_uuid(), &principal.as_uuid()]).await? == 0 {
        return Ok(None);
    }
    read(&tx.query_one(BY_ID, &[&id.as_uuid()]).await?).map(Some)
}

/// The newest, open or not, a hundred at the most.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog) -> Result<Vec<BreakGlass>, StoreError> {
    catalog.session().await?.query(LIST, &[]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<BreakGlass, StoreError> {
    Ok(BreakGlass {
        id: BreakGlassId::from_uuid(column::uuid(row, "id")?),
        principal: column::parsed(row, "principal")?,
        environment: column::parsed(row, "environment")?,
        role: column::parsed(row, "role")?,
        reason: column::get(row, "reason")?,
        opened_at: column::get(row, "opened_at")?,
        until: column::get(row, "until")?,
        ended_at: column::get(row, "ended_at")?,
    })
}
