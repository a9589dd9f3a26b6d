//! Databases that Holm made: planned, ready in the pool, claimed by a tenant, condemned; and those that somebody brought,
//! which are a tenant's from the start.
//!
//! Promises: a database that Holm makes is named here before it exists on its cluster and until it is gone from there, so
//! that none is ever orphaned. A tenant's database is condemned only together with the tenant's failing.

use std::str::FromStr;

use holm_core::id::{ClusterId, DatabaseId, EnvironmentId, TenantId};
use holm_core::role::DatabaseName;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::sealed::Sealed;
use crate::state::{UnknownWord, Update};
use crate::template::TemplateId;
use crate::tx::Tx;

pub mod rotation;

/// Where a database is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DatabaseState {
    /// Recorded; it and its roles may or may not exist on the cluster.
    Planned,
    /// Whole, and nobody's yet.
    Ready,
    /// A tenant's.
    Claimed,
    /// To be removed from the cluster, with its roles.
    Condemned,
}

/// What happens to a database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DatabaseEvent {
    /// It is whole on its cluster.
    Made,
    /// A tenant gets it.
    Claim,
    /// It is wanted no more, and no tenant has it.
    Condemn,
    /// Its tenant has failed.
    Bereaved,
}

/// An event that has no meaning in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a database that is `{}` cannot be told `{event:?}`", state.as_str())]
pub struct IllegalTransition {
    /// The state it was in.
    pub state: DatabaseState,
    /// What was asked.
    pub event: DatabaseEvent,
}

impl DatabaseState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Planned, Self::Ready, Self::Claimed, Self::Condemned];

    /// The word that the catalog uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Ready => "ready",
            Self::Claimed => "claimed",
            Self::Condemned => "condemned",
        }
    }

    /// The state after an event. Making and condemning twice are the same as once.
    ///
    /// # Errors
    /// Every pair that is not listed.
    pub const fn after(self, event: DatabaseEvent) -> Result<Self, IllegalTransition> {
        use DatabaseEvent as E;
        match (self, event) {
            (Self::Planned | Self::Ready, E::Made) => Ok(Self::Ready),
            (Self::Ready, E::Claim) => Ok(Self::Claimed),
            (Self::Planned | Self::Ready | Self::Condemned, E::Condemn) | (Self::Claimed, E::Bereaved) => Ok(Self::Condemned),
            (state, event) => Err(IllegalTransition { state, event }),
        }
    }
}

impl FromStr for DatabaseState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// A database to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDatabase {
    /// Its identity; binds its sealed logins.
    pub id: DatabaseId,
    /// What it is cloned from, which says the cluster and so the environment.
    pub template: TemplateId,
    /// Its name for good.
    pub name: DatabaseName,
    /// The secrets of its three roles.
    pub sealed_logins: Sealed,
}

/// A database that somebody brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAdopted {
    /// Its identity; binds its sealed login.
    pub id: DatabaseId,
    /// The cluster that has room for it alone.
    pub cluster: ClusterId,
    /// The secret of its one role.
    pub sealed_login: Sealed,
}

impl Database {
    /// Whether somebody brought it: then it is never dropped.
    pub const fn is_adopted(&self) -> bool {
        self.template.is_none()
    }
}

/// A database as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its identity.
    pub id: DatabaseId,
    /// Where it is.
    pub cluster: ClusterId,
    /// Whose it may be.
    pub environment: EnvironmentId,
    /// What it was cloned from; none for one that somebody brought, which Holm never drops.
    pub template: Option<TemplateId>,
    /// Its name there.
    pub name: DatabaseName,
    /// Where it is in its life.
    pub state: DatabaseState,
    /// The secrets of its three roles.
    pub sealed_logins: Sealed,
    /// Those that take their place while they are rotated.
    pub next_sealed_logins: Option<Sealed>,
    /// When it was planned.
    pub created_at: Timestamp,
    /// When it was whole.
    pub ready_at: Option<Timestamp>,
}

/// How many databases of one template are in each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// The cluster.
    pub cluster: ClusterId,
    /// The template.
    pub template: TemplateId,
    /// Recorded.
    pub planned: u64,
    /// In the pool.
    pub ready: u64,
    /// Tenants'.
    pub claimed: u64,
    /// To be removed.
    pub condemned: u64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.cluster_id, d.environment_id, d.template_id, d.name, d.state, d.sealed_logins, d.next_sealed_logins, d.created_at, d.ready_at\n",
            "FROM database d\n",
            $rest
        )
    };
}

/// The environment comes from the cluster, so nobody can give a wrong one.
/// The locks keep the cluster from being drained and the template from being retired between here and the commit: whoever
/// gives up what was planned must not miss this. In the order in which draining takes them.
const PLAN: &str = "\
INSERT INTO database (id, cluster_id, environment_id, template_id, name, state, sealed_logins)
SELECT $1, t.cluster_id, c.environment_id, t.id, $3, 'planned', $4
FROM template t
JOIN cluster c ON c.id = t.cluster_id
WHERE t.id = $2 AND t.state = 'ready'
FOR SHARE OF c, t";
const ADOPT: &str = "\
INSERT INTO database (id, cluster_id, environment_id, name, state, sealed_logins, ready_at, adopted)
SELECT $1, c.id, c.environment_id, c.adopted_database, 'claimed', $3, now(), true
FROM cluster c
WHERE c.id = $2 AND c.adopted_database IS NOT NULL AND c.state = 'open'";
const STATE: &str = "SELECT state FROM database WHERE id = $1 FOR UPDATE";
const SET_STATE: &str = "\
UPDATE database
SET state = $2, ready_at = CASE WHEN $2 = 'ready' THEN now() ELSE ready_at END
WHERE id = $1";
const FORGET: &str = "DELETE FROM database WHERE id = $1 AND state = 'condemned'";
const CONDEMN_STALE: &str = "\
UPDATE database d
SET state = 'condemned'
FROM template t
WHERE t.id = d.template_id AND t.cluster_id = $1 AND t.state = 'retired' AND d.state IN ('planned', 'ready')";
const BY_ID: &str = select!("WHERE d.id = $1");
const OF_TENANT: &str = select!("JOIN tenant t ON t.database_id = d.id\nWHERE t.id = $1");
const OF_STATE: &str = select!("WHERE d.cluster_id = $1 AND d.state = $2\nORDER BY d.created_at, d.id\nLIMIT $3");
const COUNTS: &str = "\
SELECT cluster_id, template_id,
    count(*) FILTER (WHERE state = 'planned') AS planned,
    count(*) FILTER (WHERE state = 'ready') AS ready,
    count(*) FILTER (WHERE state = 'claimed') AS claimed,
    count(*) FILTER (WHERE state = 'condemned') AS condemned
FROM database
WHERE template_id IS NOT NULL
GROUP BY cluster_id, template_id";
const READY_COUNT: &str = "SELECT count(*) AS ready FROM database WHERE template_id = $1 AND state = 'ready'";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[PLAN, ADOPT, STATE, SET_STATE, FORGET, CONDEMN_STALE, BY_ID, OF_TENANT, OF_STATE, COUNTS, READY_COUNT];

/// Records the intent to make a database. Returns `None`, and records nothing, if the template is not ready.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn plan(tx: &mut Tx, new: &NewDatabase) -> Result<Option<Database>, StoreError> {
    let planned =
        tx.execute(PLAN, &[&new.id.as_uuid(), &new.template.as_uuid(), &new.name.as_str(), &new.sealed_logins.as_bytes()]).await?;
    if planned == 0 {
        return Ok(None);
    }
    read(&tx.query_one(BY_ID, &[&new.id.as_uuid()]).await?).map(Some)
}

/// Records a database that somebody brought, as a tenant's. Returns `false` if its cluster is not there for one.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn adopt(tx: &mut Tx, new: &NewAdopted) -> Result<bool, StoreError> {
    Ok(tx.execute(ADOPT, &[&new.id.as_uuid(), &new.cluster.as_uuid(), &new.sealed_login.as_bytes()]).await? > 0)
}

/// Says that it is whole, and wakes those who wait for one. Call [`crate::tenant::claim::assign_waiting`] in the same
/// transaction, so that who waited longest gets it.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn mark_ready(tx: &mut Tx, id: DatabaseId) -> Result<Update<DatabaseState>, StoreError> {
    tell(tx, id, DatabaseEvent::Made).await
}

/// Gives up a database that no tenant has, and wakes who removes it.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn condemn(tx: &mut Tx, id: DatabaseId) -> Result<Update<DatabaseState>, StoreError> {
    tell(tx, id, DatabaseEvent::Condemn).await
}

/// The one writer of a database's state, but for claiming.
pub(crate) async fn tell(tx: &mut Tx, id: DatabaseId, event: DatabaseEvent) -> Result<Update<DatabaseState>, StoreError> {
    let Some(row) = tx.query_opt(STATE, &[&id.as_uuid()]).await? else {
        return Ok(Update::Absent);
    };
    let state: DatabaseState = column::parsed(&row, "state")?;
    match state.after(event) {
        Err(illegal) => Ok(Update::Refused(illegal.state)),
        Ok(next) if next == state => Ok(Update::Done),
        Ok(next) => {
            tx.execute(SET_STATE, &[&id.as_uuid(), &next.as_str()]).await?;
            tx.wake();
            Ok(Update::Done)
        }
    }
}

/// Condemns every member of the cluster's retired templates that no tenant has; returns how many.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn condemn_stale(tx: &mut Tx, cluster: ClusterId) -> Result<u64, StoreError> {
    let condemned = tx.execute(CONDEMN_STALE, &[&cluster.as_uuid()]).await?;
    if condemned > 0 {
        tx.wake();
    }
    Ok(condemned)
}

/// Forgets a condemned database that is gone from its cluster, roles and all.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn forget(tx: &mut Tx, id: DatabaseId) -> Result<Update<DatabaseState>, StoreError> {
    let Some(row) = tx.query_opt(STATE, &[&id.as_uuid()]).await? else {
        return Ok(Update::Absent);
    };
    let state: DatabaseState = column::parsed(&row, "state")?;
    if state != DatabaseState::Condemned {
        return Ok(Update::Refused(state));
    }
    tx.execute(FORGET, &[&id.as_uuid()]).await?;
    Ok(Update::Done)
}

/// The one of an id.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_id(catalog: &Catalog, id: DatabaseId) -> Result<Option<Database>, StoreError> {
    catalog.session().await?.query_opt(BY_ID, &[&id.as_uuid()]).await?.as_ref().map(read).transpose()
}

/// The one that a tenant has.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of_tenant(catalog: &Catalog, tenant: TenantId) -> Result<Option<Database>, StoreError> {
    catalog.session().await?.query_opt(OF_TENANT, &[&tenant.as_uuid()]).await?.as_ref().map(read).transpose()
}

/// Those of a cluster in one state, oldest first, `limit` at the most.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of_state(catalog: &Catalog, cluster: ClusterId, state: DatabaseState, limit: u32) -> Result<Vec<Database>, StoreError> {
    let rows = catalog.session().await?.query(OF_STATE, &[&cluster.as_uuid(), &state.as_str(), &i64::from(limit)]).await?;
    rows.iter().map(read).collect()
}

/// How many there are, by cluster and template; those with none are left out.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn counts(catalog: &Catalog) -> Result<Vec<Counts>, StoreError> {
    catalog.session().await?.query(COUNTS, &[]).await?.iter().map(read_counts).collect()
}

/// How many of a template are in the pool.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn ready_count(catalog: &Catalog, template: TemplateId) -> Result<u64, StoreError> {
    column::count_big(&catalog.session().await?.query_one(READY_COUNT, &[&template.as_uuid()]).await?, "ready")
}

fn read_counts(row: &Row) -> Result<Counts, StoreError> {
    Ok(Counts {
        cluster: ClusterId::from_uuid(column::uuid(row, "cluster_id")?),
        template: TemplateId::from_uuid(column::uuid(row, "template_id")?),
        planned: column::count_big(row, "planned")?,
        ready: column::count_big(row, "ready")?,
        claimed: column::count_big(row, "claimed")?,
        condemned: column::count_big(row, "condemned")?,
    })
}

pub(crate) fn read(row: &Row) -> Result<Database, StoreError> {
    Ok(Database {
        id: DatabaseId::from_uuid(column::uuid(row, "id")?),
        cluster: ClusterId::from_uuid(column::uuid(row, "cluster_id")?),
        environment: EnvironmentId::from_uuid(column::uuid(row, "environment_id")?),
        template: column::get::<Option<_>>(row, "template_id")?.map(TemplateId::from_uuid),
        name: column::parsed(row, "name")?,
        state: column::parsed(row, "state")?,
        sealed_logins: column::sealed(row, "sealed_logins")?,
        next_sealed_logins: column::sealed_opt(row, "next_sealed_logins")?,
        created_at: column::get(row, "created_at")?,
        ready_at: column::get(row, "ready_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_state_and_event_is_either_listed_or_refused_with_both_parts() {
        let mut table = String::new();
        for state in DatabaseState::ALL {
            for event in [DatabaseEvent::Made, DatabaseEvent::Claim, DatabaseEvent::Condemn, DatabaseEvent::Bereaved] {
                let after = state.after(event).map_or_else(
                    |illegal| {
                        assert_eq!((illegal.state, illegal.event), (state, event));
                        "-"
                    },
                    DatabaseState::as_str,
                );
                table += &format!("{} {event:?} {after}\n", state.as_str());
            }
        }
        insta::assert_snapshot!(table, @r"
        planned Made ready
        planned Claim -
        planned Condemn condemned
        planned Bereaved -
        ready Made ready
        ready Claim claimed
        ready Condemn condemned
        ready Bereaved -
        claimed Made -
        claimed Claim -
        claimed Condemn -
        claimed Bereaved condemned
        condemned Made -
        condemned Claim -
        condemned Condemn condemned
        condemned Bereaved -
        ");
    }
}
