//! Templates: databases on a cluster that pool members are cloned from, one for each set of migrations.

use std::fmt;
use std::str::FromStr;

use holm_core::error::Problem;
use holm_core::id::ClusterId;
use holm_core::role::DatabaseName;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::{self, column};
use crate::state::{UnknownWord, Update};
use crate::tx::Tx;

/// One template.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(Uuid);

impl TemplateId {
    /// Takes over a UUID that was made for a template.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID, as the catalog stores it.
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tpl_{}", self.0.simple())
    }
}

impl fmt::Debug for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a template is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TemplateState {
    /// Its name is recorded; it may or may not exist on the cluster, whole or in part.
    Planned,
    /// Members may be cloned from it.
    Ready,
    /// None is any more, and none that was is handed out.
    Retired,
}

impl TemplateState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Planned, Self::Ready, Self::Retired];

    /// The word that the catalog uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Ready => "ready",
            Self::Retired => "retired",
        }
    }
}

impl FromStr for TemplateState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// A template to be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTemplate {
    /// Its identity.
    pub id: TemplateId,
    /// Where.
    pub cluster: ClusterId,
    /// Of which set of migrations.
    pub fingerprint: String,
    /// Its name there.
    pub database: DatabaseName,
}

/// A template as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its identity.
    pub id: TemplateId,
    /// Where it is.
    pub cluster: ClusterId,
    /// Of which set of migrations it is made.
    pub fingerprint: String,
    /// Its name there.
    pub database: DatabaseName,
    /// Where it is in its life.
    pub state: TemplateState,
    /// Why it could not be built, if it could not.
    pub trouble: Option<Problem>,
    /// When it was planned.
    pub created_at: Timestamp,
    /// When it was removed from the cluster.
    pub dropped_at: Option<Timestamp>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, cluster_id, fingerprint, database_name, state, trouble, created_at, dropped_at\nFROM template\n", $rest)
    };
}

const LIST: &str = select!("WHERE cluster_id = $1\nORDER BY created_at, id");
const BY_ID: &str = select!("WHERE id = $1");
const CURRENT: &str = select!("WHERE cluster_id = $1 AND fingerprint = $2 AND state <> 'retired'");
const PLAN: &str = "\
INSERT INTO template (id, cluster_id, fingerprint, database_name, state)
SELECT $1, c.id, $3, $4, 'planned'
FROM cluster c
WHERE c.id = $2 AND c.state IN ('filling', 'open')
FOR SHARE OF c
ON CONFLICT (cluster_id, fingerprint) WHERE state <> 'retired' DO NOTHING";
const STATE: &str = "SELECT state FROM template WHERE id = $1 FOR UPDATE";
const MARK_READY: &str = "UPDATE template SET state = 'ready', trouble = NULL WHERE id = $1";
const SET_TROUBLE: &str = "\
UPDATE template
SET trouble = $2
WHERE id = $1 AND state = 'planned' AND trouble IS DISTINCT FROM $2";
const RETIRE_OTHERS: &str = "\
UPDATE template
SET state = 'retired'
WHERE cluster_id = $1 AND id <> $2 AND state <> 'retired'";
const MARK_DROPPED: &str = "UPDATE template SET dropped_at = now() WHERE id = $1 AND state = 'retired' AND dropped_at IS NULL";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[LIST, BY_ID, CURRENT, PLAN, STATE, MARK_READY, SET_TROUBLE, RETIRE_OTHERS, MARK_DROPPED];

/// Records the intent to build a template. The one that is returned is the given one, or one that somebody else planned
/// first for the same cluster and migrations; `None` if no pool is kept on the cluster any more.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn plan(tx: &mut Tx, new: &NewTemplate) -> Result<Option<Template>, StoreError> {
    tx.execute(PLAN, &[&new.id.as_uuid(), &new.cluster.as_uuid(), &new.fingerprint, &new.database.as_str()]).await?;
    tx.query_opt(CURRENT, &[&new.cluster.as_uuid(), &new.fingerprint]).await?.as_ref().map(read).transpose()
}

/// Says that members may be cloned from it, and wakes those who would.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn mark_ready(tx: &mut Tx, id: TemplateId) -> Result<Update<TemplateState>, StoreError> {
    let Some(row) = tx.query_opt(STATE, &[&id.as_uuid()]).await? else {
        return Ok(Update::Absent);
    };
    match column::parsed(&row, "state")? {
        TemplateState::Planned => {
            tx.execute(MARK_READY, &[&id.as_uuid()]).await?;
            tx.wake();
            Ok(Update::Done)
        }
        TemplateState::Ready => Ok(Update::Done),
        TemplateState::Retired => Ok(Update::Refused(TemplateState::Retired)),
    }
}

/// Notes why a template cannot be built, or that it can. Returns whether that is news; of one that is built it is none.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn set_trouble(catalog: &Catalog, id: TemplateId, trouble: Option<&Problem>) -> Result<bool, StoreError> {
    let trouble = trouble.map(row::problem);
    Ok(catalog.session().await?.execute(SET_TROUBLE, &[&id.as_uuid(), &trouble]).await? > 0)
}

/// Retires every template of the cluster but one; returns how many. Their unclaimed members are still there:
/// [`crate::database::condemn_stale`] condemns them.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn retire_others(tx: &mut Tx, cluster: ClusterId, keep: TemplateId) -> Result<u64, StoreError> {
    tx.execute(RETIRE_OTHERS, &[&cluster.as_uuid(), &keep.as_uuid()]).await
}

/// Notes that a retired template is gone from its cluster. Returns whether that is news.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn mark_dropped(catalog: &Catalog, id: TemplateId) -> Result<bool, StoreError> {
    Ok(catalog.session().await?.execute(MARK_DROPPED, &[&id.as_uuid()]).await? > 0)
}

/// The one of an id.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_id(catalog: &Catalog, id: TemplateId) -> Result<Option<Template>, StoreError> {
    catalog.session().await?.query_opt(BY_ID, &[&id.as_uuid()]).await?.as_ref().map(read).transpose()
}

/// The one of a cluster and a set of migrations that is not retired, planned or ready.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn current(catalog: &Catalog, cluster: ClusterId, fingerprint: &str) -> Result<Option<Template>, StoreError> {
    catalog.session().await?.query_opt(CURRENT, &[&cluster.as_uuid(), &fingerprint]).await?.as_ref().map(read).transpose()
}

/// All of a cluster, retired ones too, oldest first.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog, cluster: ClusterId) -> Result<Vec<Template>, StoreError> {
    catalog.session().await?.query(LIST, &[&cluster.as_uuid()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Template, StoreError> {
    Ok(Template {
        id: TemplateId(column::uuid(row, "id")?),
        cluster: ClusterId::from_uuid(column::uuid(row, "cluster_id")?),
        fingerprint: column::get(row, "fingerprint")?,
        database: column::parsed(row, "database_name")?,
        state: column::parsed(row, "state")?,
        trouble: column::problem(row, "trouble")?,
        created_at: column::get(row, "created_at")?,
        dropped_at: column::get(row, "dropped_at")?,
    })
}
