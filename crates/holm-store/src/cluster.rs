//! Clusters: PostgreSQL servers that tenants' databases are placed on, each in one environment.
//!
//! Promises: a server is one cluster of one environment, and of databases that somebody brought each is one; a cluster that
//! is removed is in no answer. States and observations have a file of their own, [`life`].

use holm_core::capability::Capability;
use holm_core::cluster::client_certificate::CertificateChain;
use holm_core::cluster::state::ClusterState;
use holm_core::cluster::tls::{RootCertificates, ServerTls};
use holm_core::cluster::{ClusterName, ServerAddress};
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::id::{ClusterId, EnvironmentId};
use holm_core::role::{DatabaseName, RoleName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::residency::observed::{self, Observed};
use crate::residency::placed::{self, Placed};
use crate::row::{self, Corrupt, column};
use crate::sealed::Sealed;
use crate::tx::Tx;

pub mod life;
pub mod replaced;

/// The one database that a cluster has room for, since somebody brought it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Its name there.
    pub database: DatabaseName,
    /// Its identity there, in `pg_database`.
    pub oid: u32,
}

/// What everyone could do in a database before Holm closed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicBefore {
    /// Which.
    pub database: DatabaseName,
    /// `CONNECT`, `TEMPORARY`, `CREATE`.
    pub privileges: Vec<String>,
}

/// What Holm shows a server that asks who it is; the key is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedClientCertificate {
    /// The certificate, and those that lead to its authority.
    pub chain: CertificateChain,
    /// Its private key.
    pub sealed_key: Sealed,
}

/// How Holm reaches a server, and what it observed there; may change while the cluster stays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where it listens.
    pub address: ServerAddress,
    /// How it is spoken to there.
    pub tls: ServerTls,
    /// What it is shown there.
    pub client_certificate: Option<SealedClientCertificate>,
    /// Who Holm logs in as.
    pub admin_role: RoleName,
    /// With what.
    pub sealed_admin_password: Sealed,
    /// PostgreSQL's `server_version_num`: 150019.
    pub server_version: u32,
    /// How many connections Holm may have open to it.
    pub connections_max: u32,
}

impl Access {
    /// PostgreSQL's major version: 15 for 150019.
    pub const fn major(&self) -> u32 {
        self.server_version / 10_000
    }

    fn client_chain(&self) -> Option<&str> {
        self.client_certificate.as_ref().map(|shown| shown.chain.as_pem())
    }

    fn client_key(&self) -> Option<&[u8]> {
        self.client_certificate.as_ref().map(|shown| shown.sealed_key.as_bytes())
    }
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
    /// How it begins.
    pub state: ClusterState,
    /// The database that it is there for, if it is there for one.
    pub adopted: Option<Adopted>,
    /// What to give back to everyone when it is removed.
    pub public_before: Vec<PublicBefore>,
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
    /// Where it is in its life.
    pub state: ClusterState,
    /// The database that it is there for, if it is there for one.
    pub adopted: Option<Adopted>,
    /// What was seen of it last.
    pub capability: Option<Capability>,
    /// What was seen before, if something was different, and since when it is as it is.
    pub changed: Option<(Capability, Timestamp)>,
    /// What to give back to everyone when it is removed.
    pub public_before: Vec<PublicBefore>,
    /// Where it is said to be, if somebody said so.
    pub placed: Option<Placed>,
    /// Copies of everything there that were seen: standbys, slots, an archive.
    pub copies: Vec<Observed>,
    /// When somebody looked for such copies last.
    pub copies_seen_at: Option<Timestamp>,
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
    /// That server or database, or another cluster of that name, is registered already.
    Taken(Cluster),
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, e.name AS environment, c.environment_id, c.name, c.host, c.port, c.admin_role, c.sealed_admin_password,\n",
            "    c.system_identifier, c.server_version, c.connections_max, c.trouble, c.created_at, c.state, c.adopted_database, c.adopted_oid,\n",
            "    c.capability, c.capability_before, c.capability_changed_at, c.public_before, c.sslmode, c.ssl_root_cert,\n",
            "    c.client_cert, c.sealed_client_key,\n",
            "    c.place, c.place_plan, c.place_evidence, c.placed_at, c.copies_seen_at,\n",
            "    (SELECT coalesce(jsonb_agg(to_jsonb(o) ORDER BY o.kind, o.name), '[]') FROM cluster_copy o WHERE o.cluster_id = c.id AND o.gone_at IS NULL)",
            " AS copies\n",
            "FROM cluster c\nJOIN environment e ON e.id = c.environment_id\n",
            $rest
        )
    };
}

pub(crate) use select;

const LIST: &str = select!("WHERE c.state <> 'removed'\nORDER BY c.name");
const BY_NAME: &str = select!("WHERE c.name = $1 AND c.state <> 'removed'");
const BY_ID: &str = select!("WHERE c.id = $1 AND c.state <> 'removed'");
const ON_SERVER: &str = select!("WHERE c.system_identifier = $1 AND c.state <> 'removed'\nORDER BY c.adopted_oid NULLS FIRST, c.id");
const CLASH: &str = select!("WHERE c.id = $1 OR (c.name = $2 AND c.state <> 'removed')\nORDER BY c.id = $1 DESC\nLIMIT 1");
/// One at a time for each server: what is looked for before an insert must not come beside it.
const LOCK_SERVER: &str = "SELECT pg_advisory_xact_lock($1)";
const ENVIRONMENT: &str = "SELECT id FROM environment WHERE name = $1";
const INSERT: &str = "\
INSERT INTO cluster (id, environment_id, name, host, port, admin_role, sealed_admin_password, system_identifier, server_version, connections_max,
    state, adopted_database, adopted_oid, public_before, sslmode, ssl_root_cert, client_cert, sealed_client_key)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT DO NOTHING";
const SET_ACCESS: &str = "\
UPDATE cluster
SET host = $2, port = $3, admin_role = $4, sealed_admin_password = $5, server_version = $6, connections_max = $7,
    sslmode = $8, ssl_root_cert = $9, client_cert = $10, sealed_client_key = $11
WHERE id = $1 AND state <> 'removed' AND ($12::bytea IS NULL OR sealed_admin_password = $12 AND sealed_client_key IS NOT DISTINCT FROM $13)";
const SET_TROUBLE: &str = "\
UPDATE cluster
SET trouble = $2
WHERE id = $1 AND state IN ('filling', 'open') AND trouble IS DISTINCT FROM $2";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[LIST, BY_NAME, BY_ID, ON_SERVER, CLASH, LOCK_SERVER, ENVIRONMENT, INSERT, SET_ACCESS, SET_TROUBLE];

/// Registers a server, or a database that somebody brought.
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
    let environment_id = EnvironmentId::from_uuid(column::uuid(&row, "id")?);
    tx.query(LOCK_SERVER, &[&new.system_identifier]).await?;
    for row in tx.query(ON_SERVER, &[&new.system_identifier]).await? {
        let known = read(&row)?;
        if known.clashes(environment_id, new.adopted.as_ref()) {
            return Ok(Inserted::Taken(known));
        }
    }
    let (port, version, connections) = numbers(&new.access)?;
    let inserted = tx
        .execute(
            INSERT,
            &[
                &new.id.as_uuid(),
                &environment_id.as_uuid(),
                &new.name.as_str(),
                &&*new.access.address.host,
                &port,
                &new.access.admin_role.as_str(),
                &new.access.sealed_admin_password.as_bytes(),
                &new.system_identifier,
                &version,
                &connections,
                &new.state.as_str(),
                &new.adopted.as_ref().map(|adopted| adopted.database.as_str()),
                &new.adopted.as_ref().map(|adopted| i64::from(adopted.oid)),
                &Json(&new.public_before),
                &new.access.tls.mode().as_str(),
                &new.access.tls.given_roots().map(RootCertificates::as_pem),
                &new.access.client_chain(),
                &new.access.client_key(),
            ],
        )
        .await?;
    if inserted == 0 {
        let row = tx.query_one(CLASH, &[&new.id.as_uuid(), &new.name.as_str()]).await?;
        return read(&row).map(Inserted::Taken);
    }
    tx.changed_cluster(new.id);
    read(&tx.query_one(BY_ID, &[&new.id.as_uuid()]).await?).map(Inserted::Done)
}

/// Replaces how a server is reached, if what Holm gets in with is what it `was`, where that is said. Returns `false` if it is not, or if
/// there is no such cluster any more.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn set_access(tx: &mut Tx, id: ClusterId, access: &Access, was: Option<&Access>) -> Result<bool, StoreError> {
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
                &access.tls.mode().as_str(),
                &access.tls.given_roots().map(RootCertificates::as_pem),
                &access.client_chain(),
                &access.client_key(),
                &was.map(|was| was.sealed_admin_password.as_bytes()),
                &was.and_then(Access::client_key),
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

/// Notes what is wrong with a cluster, or that nothing is any more. Returns whether that is news; where no pool is kept any
/// more nobody would take it back, so that it is not noted.
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

/// As [`list`], in a transaction.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list_within(tx: &mut Tx) -> Result<Vec<Cluster>, StoreError> {
    tx.query(LIST, &[]).await?.iter().map(read).collect()
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

/// Those on this server, in whatever environment: the server itself first, then databases on it that somebody brought.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn on_server(catalog: &Catalog, identifier: i64) -> Result<Vec<Cluster>, StoreError> {
    catalog.session().await?.query(ON_SERVER, &[&identifier]).await?.iter().map(read).collect()
}

impl Cluster {
    /// Whether another cluster on the same server cannot be beside this one: a server is one cluster, or its databases are
    /// one each, all of one environment (R13).
    pub fn clashes(&self, environment: EnvironmentId, other: Option<&Adopted>) -> bool {
        match (&self.adopted, other) {
            (Some(here), Some(other)) => here.oid == other.oid || self.environment_id != environment,
            _ => true,
        }
    }
}

fn read_adopted(row: &Row) -> Result<Option<Adopted>, StoreError> {
    let oid = column::get::<Option<i64>>(row, "adopted_oid")?.map(u32::try_from).transpose().corrupt("adopted_oid")?;
    let database = column::parsed_opt(row, "adopted_database")?;
    Ok(database.zip(oid).map(|(database, oid)| Adopted { database, oid }))
}

pub(crate) fn read(row: &Row) -> Result<Cluster, StoreError> {
    Ok(Cluster {
        id: ClusterId::from_uuid(column::uuid(row, "id")?),
        environment: column::parsed(row, "environment")?,
        environment_id: EnvironmentId::from_uuid(column::uuid(row, "environment_id")?),
        name: column::parsed(row, "name")?,
        system_identifier: column::get(row, "system_identifier")?,
        access: Access {
            address: column::address(row)?,
            tls: column::tls(row)?,
            client_certificate: column::client_certificate(row)?,
            admin_role: column::parsed(row, "admin_role")?,
            sealed_admin_password: column::sealed(row, "sealed_admin_password")?,
            server_version: column::count(row, "server_version")?,
            connections_max: column::count(row, "connections_max")?,
        },
        state: column::parsed(row, "state")?,
        adopted: read_adopted(row)?,
        capability: column::get::<Option<Json<Capability>>>(row, "capability")?.map(|Json(capability)| capability),
        changed: column::get::<Option<Json<Capability>>>(row, "capability_before")?
            .map(|Json(before)| before)
            .zip(column::get(row, "capability_changed_at")?),
        public_before: column::get::<Json<Vec<PublicBefore>>>(row, "public_before")?.0,
        placed: placed::read(row)?,
        copies: observed::read(row)?,
        copies_seen_at: column::get(row, "copies_seen_at")?,
        trouble: column::problem(row, "trouble")?,
        created_at: column::get(row, "created_at")?,
    })
}
