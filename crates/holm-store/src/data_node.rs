//! Nodes of the data plane that reach the control plane and not the catalog: their names and the public halves of their keys.
//!
//! Promises: a name means one node that is not removed; whatever a node asked counts once, whichever process hears it. Refuses
//! private keys: those never leave the node's machine. Which runs there are of them, [`node`](crate::node) says.

use std::time::Duration;

use holm_core::environment::EnvironmentName;
use holm_core::id::{EnvironmentId, NodeId};
use holm_core::route::RouteVersion;
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::migrate;
use crate::node::TELL;
use crate::row::{Corrupt, column};
use crate::tx::Tx;
use crate::wake::NODES;

/// A node to be let in.
#[derive(Clone, Debug)]
pub struct NewDataNode {
    /// Its identity, for ever.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What its word is known by.
    pub public_key: [u8; 32],
    /// The one environment that it is told of, for good; of all of them without.
    pub environment: Option<EnvironmentId>,
}

/// A node that was let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataNode {
    /// Its identity, for ever.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What its word is known by.
    pub public_key: [u8; 32],
    /// The one environment that it is told of, for good; of all of them without.
    pub environment: Option<EnvironmentName>,
    /// When it was let in.
    pub created_at: Timestamp,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
}

/// What became of an [`insert`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Inserted {
    /// It is there.
    Done,
    /// The name is in use, or a process of that name was heard of.
    Taken,
}

/// What became of a [`join`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Joined {
    /// It is known.
    Done,
    /// The run is another node's, or there are too many of this node.
    Refused,
}

/// What a node's question means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// It counts.
    Counts {
        /// What people call the node.
        name: String,
        /// What this run of it used before; `None` for a run that is not known yet.
        used: Option<RouteVersion>,
        /// The one environment that it is told of; of all of them without.
        environment: Option<EnvironmentName>,
    },
    /// It, or a later one, was heard before; or the node is not let in.
    Not,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.name, d.public_key, e.name AS environment, d.created_at, d.removed_at\n",
            "FROM data_node d\nLEFT JOIN environment e ON e.id = d.environment_id\n",
            $rest
        )
    };
}

/// A run that was heard of may still be there: under its name nobody else is let in.
const INSERT: &str = "\
INSERT INTO data_node (id, name, public_key, environment_id)
SELECT $1, $2, $3, $4
WHERE NOT EXISTS (SELECT FROM node WHERE name = $2)
ON CONFLICT DO NOTHING";
const REMOVE: &str = "\
WITH d AS (
    UPDATE data_node SET removed_at = now()
    WHERE name = $1 AND removed_at IS NULL
    RETURNING id, name, public_key, environment_id, created_at, removed_at
)
SELECT d.id, d.name, d.public_key, e.name AS environment, d.created_at, d.removed_at
FROM d
LEFT JOIN environment e ON e.id = d.environment_id";
const LIST: &str = select!("WHERE d.removed_at IS NULL\nORDER BY d.name");
const ALL: &str = select!("");
const BY_ID: &str = select!("WHERE d.id = $1");
/// Both updates or none; what the run used before is of the moment before them.
const HEARD: &str = "\
WITH asked AS (
    UPDATE data_node SET asked_micros = $2
    WHERE id = $1 AND removed_at IS NULL AND asked_micros < $2
    RETURNING name, environment_id
), seen AS (
    UPDATE node SET seen_at = now(), route_version = greatest(route_version, $4)
    WHERE id = $3 AND data_node_id = $1 AND EXISTS (SELECT FROM asked)
    RETURNING id
)
SELECT a.name, e.name AS environment, (SELECT n.route_version FROM node n WHERE n.id = $3) AS used, (SELECT count(*) FROM seen) AS seen
FROM asked a
LEFT JOIN environment e ON e.id = a.environment_id";

/// As a process on the catalog joins: the clock's row first. Runs of the node before this one that are silent are gone, as with any
/// two processes of one name, and go with the same statement.
const JOIN: &str = "\
WITH clock AS (
    UPDATE route_clock SET membership = membership + 1 RETURNING membership
), joined AS (
    INSERT INTO node (id, name, role, holm_version, schema_version, data_node_id)
    SELECT $1, $2, 'data', $3, $4, $5 FROM clock
    WHERE (SELECT count(*) FROM node WHERE data_node_id = $5 AND seen_at >= now() - $7::bigint * interval '1 millisecond') < $6
    ON CONFLICT DO NOTHING
    RETURNING id
), cleared AS (
    DELETE FROM node
    WHERE data_node_id = $5 AND seen_at < now() - $7::bigint * interval '1 millisecond' AND EXISTS (SELECT FROM joined)
)
SELECT EXISTS (SELECT FROM joined) AS joined";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[INSERT, REMOVE, LIST, ALL, BY_ID, HEARD, JOIN];

/// Two machines with one key are a mistake; more than a few restarts within seconds are too.
const RUNS_MAX: i64 = 8;

/// Lets one in.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn insert(tx: &mut Tx, new: &NewDataNode) -> Result<Inserted, StoreError> {
    let NewDataNode { id, name, public_key, environment } = new;
    let environment = environment.map(|id| id.as_uuid());
    let inserted = tx.execute(INSERT, &[id, name, &public_key.as_slice(), &environment]).await?;
    Ok(if inserted == 0 { Inserted::Taken } else { Inserted::Done })
}

/// Removes one; nothing if there is none of that name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn remove(tx: &mut Tx, name: &str) -> Result<Option<DataNode>, StoreError> {
    tx.query_opt(REMOVE, &[&name]).await?.as_ref().map(read).transpose()
}

/// Those that are let in, by name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog) -> Result<Vec<DataNode>, StoreError> {
    catalog.session().await?.query(LIST, &[]).await?.iter().map(read).collect()
}

/// Every one that was ever let in.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn all(catalog: &Catalog) -> Result<Vec<DataNode>, StoreError> {
    catalog.session().await?.query(ALL, &[]).await?.iter().map(read).collect()
}

/// A run of a node joins; read the routes only after it. Its former runs that were silent for `live` are forgotten.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it has joined or not, and an id that is not used is forgotten.
pub async fn join(catalog: &Catalog, id: Uuid, name: &str, run: NodeId, holm_version: &str, live: Duration) -> Result<Joined, StoreError> {
    let live = i64::try_from(live.as_millis()).map_err(|error| StoreError::Fault(error.into()))?;
    let mut session = catalog.session().await?;
    let parameters: [&(dyn ToSql + Sync); 7] = [&run.as_uuid(), &name, &holm_version, &migrate::known(), &id, &RUNS_MAX, &live];
    let joined = session.query_one(JOIN, &parameters).await?;
    session.execute(TELL, &[&NODES]).await?;
    Ok(if column::get(&joined, "joined")? { Joined::Done } else { Joined::Refused })
}

/// One by its identity, removed or not.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_id(catalog: &Catalog, id: Uuid) -> Result<Option<DataNode>, StoreError> {
    catalog.session().await?.query_opt(BY_ID, &[&id]).await?.as_ref().map(read).transpose()
}

/// Notes that a node asked something: when, by its clock, in microseconds since 1970; which run of it; and what that uses.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it is noted or not.
pub async fn heard(catalog: &Catalog, id: Uuid, asked_micros: i64, run: NodeId, uses: RouteVersion) -> Result<Heard, StoreError> {
    let uses = i64::try_from(uses.0).map_err(|error| StoreError::Fault(error.into()))?;
    let row = catalog.session().await?.query_opt(HEARD, &[&id, &asked_micros, &run.as_uuid(), &uses]).await?;
    let Some(row) = row else { return Ok(Heard::Not) };
    let known = column::get::<i64>(&row, "seen")? > 0;
    let used = known.then(|| column::route_version(&row, "used")).transpose()?;
    Ok(Heard::Counts { name: column::get(&row, "name")?, used, environment: column::parsed_opt(&row, "environment")? })
}

fn read(row: &Row) -> Result<DataNode, StoreError> {
    Ok(DataNode {
        id: column::uuid(row, "id")?,
        name: column::get(row, "name")?,
        public_key: column::get::<&[u8]>(row, "public_key")?.try_into().corrupt("public_key")?,
        environment: column::parsed_opt(row, "environment")?,
        created_at: column::get(row, "created_at")?,
        removed_at: column::get(row, "removed_at")?,
    })
}
