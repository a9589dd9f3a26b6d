//! Registers a server as a cluster of one environment.
//!
//! Promises: a server belongs to one environment for good (R13), known by the identifier that `initdb` gave it and not by
//! its address; a server that Holm could not work on is refused before anything changes. Registering it again under its
//! name brings address and password up to date. Looks at a server that is new in the clear: one on this machine, or on a network
//! of its own; others are added.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::cluster::state::ClusterState;
use holm_core::cluster::tls::ServerTls;
use holm_core::cluster::{ClusterName, ServerAddress};
use holm_core::environment::EnvironmentName;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::ClusterId;
use holm_core::key::KeyPurpose;
use holm_core::role::RoleName;
use holm_core::secret::Secret;
use holm_store::audit::record;
use holm_store::cluster::{self, Cluster, Inserted};
use holm_store::data_key::KeyOwner;
use holm_store::residency::observed::{self, Seen};
use holm_store::sealed::Sealed;
use uuid::Uuid;

use super::connect::Access;
use super::observe::{self, Server};
use super::{copies, guard, trouble::ClusterError};
use crate::control::{CONFIRM_PATIENCE, Control};
use crate::environment;
use crate::secret::keys::Sealing;
use crate::secret::seal::Purpose;

/// Sessions that Holm itself may need at once: the pool's, its workers', the seeds', the doctor's.
const KEPT_FOR_HOLM: u32 = 10;

/// A server to be registered.
#[derive(Clone, Debug)]
pub struct NewCluster {
    /// Its name, unique over all environments.
    pub name: ClusterName,
    /// Its environment, for good.
    pub environment: EnvironmentName,
    /// Where it listens.
    pub address: ServerAddress,
    /// A superuser there.
    pub admin_role: RoleName,
    /// Its password.
    pub admin_password: Secret<String>,
    /// How many sessions the data plane may have there; left out, all but a few that Holm needs itself.
    pub connections_max: Option<u32>,
}

/// Registers a server, or brings a registered one up to date.
///
/// # Errors
/// [`ErrorCode::ClusterElsewhere`]: it belongs to another environment, or has another name already;
/// [`ErrorCode::InvalidValue`]: another server has that name; the server's own trouble; nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn register(control: &Control, by: &Actor, new: NewCluster) -> Result<Cluster, Problem> {
    let (cluster, version) = control.tasks().finish("register a cluster", act(control.clone(), by.clone(), new)).await?;
    if let Some(version) = version {
        control.confirmed(version, CONFIRM_PATIENCE).await?;
    }
    Ok(cluster)
}

async fn act(control: Control, by: Actor, new: NewCluster) -> Result<(Cluster, Option<holm_core::route::RouteVersion>), Problem> {
    // Nothing has changed before the catalog is written, whatever a server's error would have to leave open.
    let refused = |error: ClusterError| error.problem(&new.name).changed(Changed::Nothing);
    environment::show(&control, &new.environment).await?;
    // Whoever is spoken to over TLS stays so, from the first word on.
    let named = cluster::by_name(control.catalog(), &new.name).await?;
    let tls = named.as_ref().map_or(ServerTls::Disable, |named| named.access.tls.clone());
    let shown = match &named {
        Some(named) => control.access(named).await?.client_certificate,
        None => None,
    };
    let access = Access {
        cluster: new.name.clone(),
        address: new.address.clone(),
        tls: tls.clone(),
        client_certificate: shown,
        role: new.admin_role.clone(),
        password: new.admin_password.clone(),
        application_name: None,
        home: None,
    };
    let admin = access.maintenance().await.map_err(refused)?;
    let server = observe::server(&admin).await.map_err(refused)?;
    server.usable(&new.name)?;
    let known = cluster::on_server(control.catalog(), server.system_identifier).await?.into_iter().next();
    if let Some(known) = &known {
        same(known, &new)?;
    }
    let id = known.map_or_else(|| ClusterId::from_uuid(Uuid::now_v7()), |known| known.id);
    let sealing = control.keys().for_owner(KeyOwner::Cluster(id), KeyPurpose::AdminPassword).await?;
    let sealed = sealing.key.seal(Purpose::AdminPassword(id), new.admin_password.expose().as_bytes());
    let stored = cluster::Access {
        address: new.address.clone(),
        tls,
        client_certificate: named.and_then(|named| named.access.client_certificate),
        admin_role: new.admin_role.clone(),
        sealed_admin_password: Sealed::new(sealed),
        server_version: server.version_num,
        connections_max: connections(&new, &server)?,
    };
    let public_before = guard::public(&admin).await.map_err(refused)?;
    guard::close_to_public(&admin).await.map_err(refused)?;
    let copies = copies::look(&admin).await.map_err(refused)?;
    admin.close().await;
    let row = cluster::NewCluster {
        id,
        environment: new.environment.clone(),
        name: new.name.clone(),
        system_identifier: server.system_identifier,
        access: stored,
        state: ClusterState::Open,
        adopted: None,
        public_before,
    };
    write(&control, &by, &new, row, &sealing, &copies).await
}

async fn write(
    control: &Control,
    by: &Actor,
    new: &NewCluster,
    row: cluster::NewCluster,
    sealing: &Sealing,
    copies: &[Seen],
) -> Result<(Cluster, Option<holm_core::route::RouteVersion>), Problem> {
    let id = row.id;
    let mut tx = control.catalog().transaction().await?;
    let mut action = AuditAction::ClusterChange;
    if !cluster::set_access(&mut tx, id, &row.access, None).await? {
        action = AuditAction::ClusterRegister;
        match cluster::insert(&mut tx, &row).await? {
            Inserted::Done(_) => observed::note(&mut tx, id, copies).await?,
            Inserted::NoSuchEnvironment => return Err(environment::not_found(&new.environment)),
            Inserted::Taken(other) if other.system_identifier == row.system_identifier => return Err(elsewhere(&other, new)),
            Inserted::Taken(_) => return Err(name_taken(new)),
        }
    }
    sealing.keep(&mut tx).await?;
    record(&mut tx, NewEntry::new(by, action, Some(&new.environment), Subject::Cluster(row.id)));
    let version = tx.commit().await?;
    control.nudge();
    let cluster = cluster::by_id(control.catalog(), row.id).await?;
    Ok((cluster.ok_or_else(|| Problem::new(ErrorCode::Internal, format!("cluster `{}` was written and is not there", new.name)))?, version))
}

fn same(known: &Cluster, new: &NewCluster) -> Result<(), Problem> {
    if known.environment == new.environment && known.name == new.name && known.adopted.is_none() {
        Ok(())
    } else {
        Err(elsewhere(known, new))
    }
}

fn elsewhere(known: &Cluster, new: &NewCluster) -> Problem {
    let what = format!("the server at {} is cluster `{}` of environment `{}`", new.address, known.name, known.environment);
    Problem::new(ErrorCode::ClusterElsewhere, what)
        .because("a server belongs to one environment, so that nothing crosses from one to another")
        .next(format!("give `{}` a server of its own", new.environment))
}

fn name_taken(new: &NewCluster) -> Problem {
    Problem::new(ErrorCode::InvalidValue, format!("another server is called `{}`", new.name))
        .next("choose another name: `holm cluster list`")
}

fn connections(new: &NewCluster, server: &Server) -> Result<u32, Problem> {
    let most = server.connections.saturating_sub(KEPT_FOR_HOLM).max(1);
    match new.connections_max {
        None => Ok(most),
        Some(wanted) if (1..=most).contains(&wanted) => Ok(wanted),
        Some(wanted) => {
            let what = format!("{wanted} connections to cluster `{}` are more than it has to give: {most}", new.name);
            Err(Problem::new(ErrorCode::InvalidValue, what).next("raise `max_connections` there, or ask for fewer"))
        }
    }
}
