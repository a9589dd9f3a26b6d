//! What the data plane must know, as rows: everything that changed after a version, and the version that it makes.
//!
//! Promises: the version and the rows are of one snapshot; applying the rows to a table of the version asked from gives
//! the table of the version returned. Refuses to unseal: keys come as the bytes that are stored.

use holm_core::cluster::Cluster;
use holm_core::credential::{Credential, Scope};
use holm_core::environment::{Domain, EnvironmentKind, EnvironmentName};
use holm_core::id::{ClusterId, CredentialId, DatabaseId, EnvironmentId, TenantId};
use holm_core::limits::TenantLimits;
use holm_core::parameter::TenantParameter;
use holm_core::role::DatabaseName;
use holm_core::route::{RouteState, RouteVersion};
use holm_core::scram::{SecondKeys, Verifier};
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::cluster::SealedClientCertificate;
use crate::data_key::{self, WrappedKey};
use crate::error::StoreError;
use crate::residency::certificate;
use crate::row::{Corrupt, column};
use crate::sealed::Sealed;
use crate::session::{SNAPSHOT, Session};
use crate::tenant::limits;

/// An environment, its header key still sealed.
#[derive(Clone, Debug)]
pub struct EnvironmentRow {
    /// Binds the sealed key.
    pub id: EnvironmentId,
    /// Its name.
    pub name: EnvironmentName,
    /// What it is for.
    pub kind: EnvironmentKind,
    /// Where its tenants' subdomains live.
    pub domain: Domain,
    /// Signs tenant headers.
    pub sealed_header_key: Sealed,
    /// The live data key of that purpose; which one sealed the value, the value says.
    pub key: Option<WrappedKey>,
}

/// A cluster, the key of what it is shown still sealed.
#[derive(Clone, Debug)]
pub struct ClusterRow {
    /// The cluster, without what it is shown.
    pub cluster: Cluster,
    /// What it is shown. Which data key sealed the key, the value says.
    pub client_certificate: Option<SealedClientCertificate>,
}

/// A tenant that is routed, its logins still sealed.
#[derive(Clone, Debug)]
pub struct TenantRow {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name.
    pub slug: TenantSlug,
    /// Its environment.
    pub environment: EnvironmentName,
    /// Whether sessions are let in.
    pub state: RouteState,
    /// Grows with every change of its route.
    pub epoch: u64,
    /// The server.
    pub cluster: ClusterId,
    /// Binds the sealed logins.
    pub database_id: DatabaseId,
    /// The database's name.
    pub database: DatabaseName,
    /// Whether somebody brought it, so that it has one role.
    pub adopted: bool,
    /// The secrets of its roles.
    pub sealed_logins: Sealed,
    /// Those that take their place while they are rotated; under the same key.
    pub next_sealed_logins: Option<Sealed>,
    /// The live data key of that purpose; which one sealed the value, the value says.
    pub key: Option<WrappedKey>,
    /// What its sessions start with.
    pub parameters: Vec<TenantParameter>,
    /// How many of the server's connections it may have.
    pub limits: TenantLimits,
    /// Names that it had until lately.
    pub aliases: Vec<TenantSlug>,
    /// What is said of its database where it is, if anything.
    pub placement: Option<certificate::Said>,
}

/// One difference; each has its counterpart in `holm_core::route::RouteChange`.
#[derive(Clone, Debug)]
pub enum Change {
    /// An environment was added or changed.
    Environment(EnvironmentRow),
    /// A cluster was added or changed.
    Cluster(ClusterRow),
    /// A cluster was removed.
    ClusterGone(ClusterId),
    /// A credential was added.
    Credential(Credential),
    /// A credential was revoked.
    CredentialGone(CredentialId),
    /// A tenant's route was added or changed.
    Tenant(TenantRow),
    /// A tenant has no route any more.
    TenantGone(TenantId),
}

/// What leads from one version to a newer one.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The version that they lead to: the one asked from, if there are none.
    pub version: RouteVersion,
    /// Another one after the catalog was restored from a backup: then nothing that is known counts, and everything is to be
    /// asked for anew.
    pub incarnation: Uuid,
    /// When it was read, by the catalog's clock.
    pub read_at: Timestamp,
    /// In an order in which they can be applied: what is gone first, since its name may belong to something new.
    pub changes: Vec<Change>,
}

const VERSION: &str = "SELECT version, membership, incarnation, now() AS read_at FROM route_clock";
/// The upper bound changes no result, since nothing is newer than the snapshot; it tells a planner that does not know the
/// numbers that few rows are meant, which is so for all but the first reading.
const ENVIRONMENTS: &str = "\
SELECT e.id, e.name, e.kind, e.domain, e.sealed_header_key, k.id AS key_id, k.master_key_id, k.wrapped
FROM environment e
LEFT JOIN data_key k ON k.environment_id = e.id AND k.purpose = 'header-key' AND k.destroyed_at IS NULL
WHERE e.route_version > $1 AND e.route_version <= $2
ORDER BY e.route_version, e.id";
const CLUSTERS: &str = "\
SELECT c.id, c.name, e.name AS environment, c.host, c.port, c.sslmode, c.ssl_root_cert, c.client_cert, c.sealed_client_key,
    c.connections_max, c.state = 'removed' AS gone
FROM cluster c
JOIN environment e ON e.id = c.environment_id
WHERE c.route_version > $1 AND c.route_version <= $2 AND ($1 > 0 OR c.state <> 'removed')
ORDER BY gone DESC, c.route_version, c.id";
/// A node that knows nothing yet (version 0) need not hear of what is gone.
pub(crate) const CREDENTIALS: &str = "\
SELECT k.id, k.name, e.name AS environment, k.tenant_id, k.level, k.salt, k.iterations, k.stored_key, k.server_key,
    k.second_is, k.second_stored_key, k.second_server_key, k.revoked_at IS NOT NULL AS gone
FROM credential k
JOIN environment e ON e.id = k.environment_id
WHERE k.route_version > $1 AND k.route_version <= $2 AND ($1 > 0 OR k.revoked_at IS NULL)
ORDER BY gone DESC, k.route_version, k.id";
/// The key is looked up for each by its index (LIMIT keeps it so): a planner without statistics would join all with all.
pub(crate) const TENANTS: &str = "\
SELECT t.id, t.slug, e.name AS environment, t.state, t.epoch, t.parameters, t.state IN ('failed', 'dropped') AS gone,
    t.connections_min, t.connections_max, t.weight,
    p.cluster_id = d.cluster_id AND (p.server IS NULL OR p.server = c.system_identifier) AS placement_fits, p.server AS placement_server,
    p.profile_hash, p.registry_hash, p.allows AS placement_allows, p.issued_at AS placement_issued_at, p.expires_at AS placement_expires_at,
    d.id AS database_id, d.cluster_id, d.name AS database, d.adopted, d.sealed_logins, d.next_sealed_logins, k.id AS key_id,
    k.master_key_id, k.wrapped,
    ARRAY(SELECT a.slug FROM tenant_alias a WHERE a.tenant_id = t.id ORDER BY a.slug) AS aliases
FROM tenant t
JOIN environment e ON e.id = t.environment_id
LEFT JOIN database d ON d.id = t.database_id
LEFT JOIN cluster c ON c.id = d.cluster_id
LEFT JOIN placement_certificate p ON p.tenant_id = t.id
LEFT JOIN LATERAL (
    SELECT id, master_key_id, wrapped FROM data_key WHERE database_id = d.id AND purpose = 'logins' AND destroyed_at IS NULL LIMIT 1
) k ON true
WHERE t.route_version > $1 AND t.route_version <= $2 AND ($1 > 0 OR t.state NOT IN ('failed', 'dropped'))
ORDER BY gone DESC, t.route_version, t.id";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[VERSION, ENVIRONMENTS, CLUSTERS, CREDENTIALS, TENANTS];

/// The version of the last change that was committed; 1 in an empty catalog.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn version(catalog: &Catalog) -> Result<RouteVersion, StoreError> {
    let row = catalog.session().await?.query_one(VERSION, &[]).await?;
    catalog.saw_membership(column::count_big(&row, "membership")?);
    column::route_version(&row, "version")
}

/// What changed after a version; after version 0, everything.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn changes_since(catalog: &Catalog, since: RouteVersion) -> Result<Changes, StoreError> {
    let mut session = catalog.session().await?;
    session.control(SNAPSHOT).await?;
    let read = read_changes(catalog, &mut session, since).await;
    if read.is_err() {
        session.roll_back_unawaited();
    } else {
        session.control("COMMIT").await?;
    }
    read
}

async fn read_changes(catalog: &Catalog, session: &mut Session, since: RouteVersion) -> Result<Changes, StoreError> {
    let clock = session.query_one(VERSION, &[]).await?;
    catalog.saw_membership(column::count_big(&clock, "membership")?);
    let (version, incarnation) = (column::route_version(&clock, "version")?, column::uuid(&clock, "incarnation")?);
    let read_at = column::get(&clock, "read_at")?;
    let mut changes = Vec::new();
    if version == since {
        return Ok(Changes { version, incarnation, read_at, changes });
    }
    let bound = |version: RouteVersion| i64::try_from(version.0).map_err(|error| StoreError::Fault(error.into()));
    let (after, last) = (bound(since)?, bound(version)?);
    for (sql, read) in [
        (ENVIRONMENTS, read_environment as fn(&Row) -> Result<Change, StoreError>),
        (CLUSTERS, read_cluster),
        (CREDENTIALS, read_credential),
        (TENANTS, read_tenant),
    ] {
        for row in session.query(sql, &[&after, &last]).await? {
            changes.push(read(&row)?);
        }
    }
    Ok(Changes { version, incarnation, read_at, changes })
}

fn read_environment(row: &Row) -> Result<Change, StoreError> {
    Ok(Change::Environment(EnvironmentRow {
        id: EnvironmentId::from_uuid(column::uuid(row, "id")?),
        name: column::parsed(row, "name")?,
        kind: column::parsed(row, "kind")?,
        domain: column::parsed(row, "domain")?,
        sealed_header_key: column::sealed(row, "sealed_header_key")?,
        key: data_key::read_opt(row)?,
    }))
}

fn read_cluster(row: &Row) -> Result<Change, StoreError> {
    if column::get(row, "gone")? {
        return Ok(Change::ClusterGone(ClusterId::from_uuid(column::uuid(row, "id")?)));
    }
    let cluster = Cluster {
        id: ClusterId::from_uuid(column::uuid(row, "id")?),
        name: column::parsed(row, "name")?,
        environment: column::parsed(row, "environment")?,
        address: column::address(row)?,
        tls: column::tls(row)?,
        client_certificate: None,
        connections_max: column::count(row, "connections_max")?,
    };
    Ok(Change::Cluster(ClusterRow { cluster, client_certificate: column::client_certificate(row)? }))
}

fn read_credential(row: &Row) -> Result<Change, StoreError> {
    let id = CredentialId::from_uuid(column::uuid(row, "id")?);
    if column::get(row, "gone")? {
        return Ok(Change::CredentialGone(id));
    }
    let tenant: Option<uuid::Uuid> = column::get(row, "tenant_id")?;
    Ok(Change::Credential(Credential {
        id,
        name: column::parsed(row, "name")?,
        environment: column::parsed(row, "environment")?,
        scope: tenant.map_or(Scope::App, |id| Scope::Tenant(TenantId::from_uuid(id))),
        level: column::parsed(row, "level")?,
        verifier: Verifier {
            salt: column::get::<&[u8]>(row, "salt")?.into(),
            iterations: column::count(row, "iterations")?,
            stored_key: key(row, "stored_key")?,
            server_key: key(row, "server_key")?,
        },
        // The next one is nobody's yet.
        retiring: match column::get::<Option<&str>>(row, "second_is")? {
            Some("retiring") => Some(SecondKeys { stored_key: key(row, "second_stored_key")?, server_key: key(row, "second_server_key")? }),
            _ => None,
        },
    }))
}

fn key(row: &Row, name: &'static str) -> Result<Secret<[u8; 32]>, StoreError> {
    column::get::<&[u8]>(row, name)?.try_into().map(Secret::new).corrupt(name)
}

fn read_tenant(row: &Row) -> Result<Change, StoreError> {
    let tenant = TenantId::from_uuid(column::uuid(row, "id")?);
    if column::get(row, "gone")? {
        return Ok(Change::TenantGone(tenant));
    }
    let state = match column::parsed(row, "state")? {
        TenantState::Serving => RouteState::Serving,
        TenantState::Paused => RouteState::Paused,
        TenantState::Suspended => RouteState::Suspended,
        TenantState::Deleted => RouteState::Deleted,
        other => {
            return Err(StoreError::Corrupt { column: "state", source: format!("tenant {tenant} is `{other}` and has a route").into() });
        }
    };
    Ok(Change::Tenant(TenantRow {
        tenant,
        slug: column::parsed(row, "slug")?,
        environment: column::parsed(row, "environment")?,
        state,
        epoch: column::count_big(row, "epoch")?,
        cluster: ClusterId::from_uuid(column::uuid(row, "cluster_id")?),
        database_id: DatabaseId::from_uuid(column::uuid(row, "database_id")?),
        database: column::parsed(row, "database")?,
        adopted: column::get(row, "adopted")?,
        sealed_logins: column::sealed(row, "sealed_logins")?,
        next_sealed_logins: column::sealed_opt(row, "next_sealed_logins")?,
        key: data_key::read_opt(row)?,
        parameters: column::get::<Json<Vec<TenantParameter>>>(row, "parameters")?.0,
        limits: limits::read(row)?,
        aliases: column::get::<Vec<&str>>(row, "aliases")?.into_iter().map(str::parse).collect::<Result<_, _>>().corrupt("aliases")?,
        placement: certificate::read(row)?,
    }))
}
