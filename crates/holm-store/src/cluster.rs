//! Clusters: PostgreSQL servers that tenants' databases are placed on, each in one environment.

use holm_core::cluster::{ClusterName, ServerAddress};
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::id::{ClusterId, EnvironmentId};
use holm_core::role::RoleName;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::{self, column};
use crate::sealed::Sealed;
use crate::tx::Tx;

/// How Holm reaches a server, and what it observed there; may change while the cluster stays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where it listens.
    pub address: ServerAddress,
    /// Who Holm logs in as.
    pub admin_role: RoleName,
    /// With what.
    pub sealed_admin_password: Sealed,
    /// PostgreSQL's `server_version_num`: 150019.
    pub server_version: u32,
    /// How many connections Holm may have open to it.
    pub connections_max: u32,
}

/// A server to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCluster {
    /// Its identity.
    pub id: ClusterId,
    /// Its environment, for good.
    pub environment: EnvironmentName,
    /// Its name, unique over all environments.
    pub name: ClusterName,
    /// `pg_control_system().system_identifier`, made by initdb.
    pub system_identifier: i64,
    /// How to reach it.
    pub access: Access,
}

/// A cluster as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its identity.
    pub id: ClusterId,
    /// Its environment.
    pub environment: EnvironmentName,
    /// The same, as rows refer to it.
    pub environment_id: EnvironmentId,
    /// Its name.
    pub name: ClusterName,
    /// `pg_control_system().system_identifier`.
    pub system_identifier: i64,
    /// How to reach it.
    pub access: Access,
    /// What is wrong with it, if anything is.
    pub trouble: Option<Problem>,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// What became of an [`insert`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Inserted {
    /// It is registered.
    Done(Cluster),
    /// No such environment.
    NoSuchEnvironment,
    /// That server, or another of that name, is registered already.
    Taken(Cluster),
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, e.name AS environment, c.environment_id, c.name, c.host, c.port, c.admin_role, c.sealed_admin_password,\n",
            "    c.system_identifier, c.server_version, c.connections_max, c.trouble, c.created_at\n",
            "FROM cluster c\nJOIN environment e ON e.id = c.environment_id\n",
            $rest
        )
    };
}

const LIST: &str = select!("ORDER BY c.name");
const BY_NAME: &str = select!("WHERE c.name = $1");
const BY_ID: &str = select!("WHERE c.id = $1");
const BY_SYSTEM_IDENTIFIER: &str = select!("WHERE c.system_identifier = $1");
const CLASH: &str = select!("WHERE c.system_identifier = $1 OR c.name = $2\nORDER BY c.system_identifier = $1 DESC\nLIMIT 1");
const ENVIRONMENT: &str = "SELECT id FROM environment WHERE name = $1";
const INSERT: &str = "\
INSERT INTO cluster (id, environment_id, name, host, port, admin_role, sealed_admin_password, system_identifier, server_version, connections_max)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING";
const SET_ACCESS: &str = "\
UPDATE cluster
SET host = $2, port = $3, admin_role = $4, sealed_admin_password = $5, server_version = $6, connections_max = $7
WHERE id = $1";
const SET_TROUBLE: &str = "\
UPDATE cluster
SET trouble = $2
WHERE id = $1 AND trouble IS DISTINCT FROM $2";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[LIST, BY_NAME, BY_ID, BY_SYSTEM_IDENTIFIER, CLASH, ENVIRONMENT, INSERT, SET_ACCESS, SET_TROUBLE];

/// Registers a server.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn insert(tx: &mut Tx, new: &NewCluster) -> Result<Inserted, StoreError> {
    let Some(row) = tx.query_opt(ENVIRONMENT, &[&new.environment.as_str()]).await? else {
        return Ok(Inserted::NoSuchEnvironment);
    };
    let environment_id = column::uuid(&row, "id")?;
    let (port, version, connections) = numbers(&new.access)?;
    let inserted = tx
        .execute(
            INSERT,
            &[
                &new.id.as_uuid(),
                &environment_id,
                &new.name.as_str(),
                &&*new.access.address.host,
                &port,
                &new.access.admin_role.as_str(),
                &new.access.sealed_admin_password.as_bytes(),
                &new.system_identifier,
                &version,
                &connections,
            ],
        )
        .await?;
    if inserted == 0 {
        let row = tx.query_one(CLASH, &[&new.system_identifier, &new.name.as_str()]).await?;
        return read(&row).map(Inserted::Taken);
    }
    tx.changed_cluster(new.id);
    read(&tx.query_one(BY_ID, &[&new.id.as_uuid()]).await?).map(Inserted::Done)
}

/// Replaces how a server is reached. Returns `false` if there is no such cluster.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn set_access(tx: &mut Tx, id: ClusterId, access: &Access) -> Result<bool, StoreError> {
    let (port, version, connections) = numbers(access)?;
    let updated = tx
        .execute(
            SET_ACCESS,
            &[
                &id.as_uuid(),
                &&*access.address.host,
                &port,
                &access.admin_role.as_str(),
                &access.sealed_admin_password.as_bytes(),
                &version,
                &connections,
            ],
        )
        .await?;
    if updated > 0 {
        tx.changed_cluster(id);
    }
    Ok(updated > 0)
}

fn numbers(access: &Access) -> Result<(i32, i32, i32), StoreError> {
    let fits = |number: u32| i32::try_from(number).map_err(|error| StoreError::Fault(error.into()));
    Ok((access.address.port.into(), fits(access.server_version)?, fits(access.connections_max)?))
}

/// Notes what is wrong with a cluster, or that nothing is any more. Returns whether that is news.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: one statement.
pub async fn set_trouble(catalog: &Catalog, id: ClusterId, trouble: Option<&Problem>) -> Result<bool, StoreError> {
    let trouble = trouble.map(row::problem);
    Ok(catalog.session().await?.execute(SET_TROUBLE, &[&id.as_uuid(), &trouble]).await? > 0)
}

/// All of them, by name; an installation has tens.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog) -> Result<Vec<Cluster>, StoreError> {
    catalog.session().await?.query(LIST, &[]).await?.iter().map(read).collect()
}

/// The one of a name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_name(catalog: &Catalog, name: &ClusterName) -> Result<Option<Cluster>, StoreError> {
    catalog.session().await?.query_opt(BY_NAME, &[&name.as_str()]).await?.as_ref().map(read).transpose()
}

/// The one of an id.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_id(catalog: &Catalog, id: ClusterId) -> Result<Option<Cluster>, StoreError> {
    catalog.session().await?.query_opt(BY_ID, &[&id.as_uuid()]).await?.as_ref().map(read).transpose()
}

/// The one that is this server, in whatever environment.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_system_identifier(catalog: &Catalog, identifier: i64) -> Result<Option<Cluster>, StoreError> {
    catalog.session().await?.query_opt(BY_SYSTEM_IDENTIFIER, &[&identifier]).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Cluster, StoreError> {
    Ok(Cluster {
        id: ClusterId::from_uuid(column::uuid(row, "id")?),
        environment: column::parsed(row, "environment")?,
        environment_id: EnvironmentId::from_uuid(column::uuid(row, "environment_id")?),
        name: column::parsed(row, "name")?,
        system_identifier: column::get(row, "system_identifier")?,
        access: Access {
            address: column::address(row)?,
            admin_role: column::parsed(row, "admin_role")?,
            sealed_admin_password: column::sealed(row, "sealed_admin_password")?,
            server_version: column::count(row, "server_version")?,
            connections_max: column::count(row, "connections_max")?,
        },
        trouble: column::problem(row, "trouble")?,
        created_at: column::get(row, "created_at")?,
    })
}
