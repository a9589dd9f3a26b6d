//! Changes how a cluster is reached: its address, how it is spoken to, who Holm is there and with what password.
//!
//! Promises: it stays the same server, known by the identifier that `initdb` gave it, so that a standby that was promoted may
//! take its place and no other server can; Holm has logged in the new way, and found what it needs, before anything changes.
//! Once it is confirmed, every node opens connections the new way only, and those that were opened another way are ended.
//! Refuses databases that somebody brought: their logins are the tenant's own.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::capability::Suits;
use holm_core::cluster::ClusterName;
use holm_core::cluster::state::ClusterState;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::key::KeyPurpose;
use holm_core::route::RouteVersion;
use holm_store::audit::record;
use holm_store::cluster::{self, Cluster, life};
use holm_store::data_key::KeyOwner;
use holm_store::sealed::Sealed;

use super::add::{room, unsuitable};
use super::capability::{self, Seen};
use super::connect::Access;
use super::drain::not_now;
use super::url::ServerUrl;
use super::{encrypted, identity, named};
use crate::control::{CONFIRM_PATIENCE, Control};
use crate::secret::seal::Purpose;

/// Has a cluster reached in another way from now on; returns it as it is then.
///
/// # Errors
/// No such cluster, one that somebody brought or that is not there yet; another server answers, or one that Holm could not work
/// on; the server's own trouble: nothing changed. [`ErrorCode::ChangeUnconfirmed`]: it is changed, and a node does not say so yet.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn set_server(control: &Control, by: &Actor, name: &ClusterName, url: ServerUrl) -> Result<Cluster, Problem> {
    let act = act(control.clone(), by.clone(), name.clone(), url);
    let (cluster, version) = control.tasks().finish("change how a cluster is reached", act).await?;
    if let Some(version) = version {
        control.confirmed(version, CONFIRM_PATIENCE).await?;
    }
    Ok(cluster)
}

async fn act(control: Control, by: Actor, name: ClusterName, url: ServerUrl) -> Result<(Cluster, Option<RouteVersion>), Problem> {
    let cluster = named(&control, &name).await?;
    changeable(&cluster)?;
    if url.database.as_ref().is_some_and(|database| database.as_str() != "postgres") {
        return Err(Problem::new(ErrorCode::InvalidValue, "the URL of a server names a database")
            .because("a cluster is a whole server")
            .next("leave the database out"));
    }
    encrypted::usable(&url.address, &url.tls).await?;
    let access = Access {
        cluster: name.clone(),
        address: url.address,
        tls: url.tls,
        role: url.role,
        password: url.password,
        application_name: None,
        home: None,
    };
    let capability = look(&control, &cluster, &access).await.map_err(|problem| problem.changed(Changed::Nothing))?;
    let sealing = control.keys().for_owner(KeyOwner::Cluster(cluster.id), KeyPurpose::AdminPassword).await?;
    let sealed = sealing.key.seal(Purpose::AdminPassword(cluster.id), access.password.expose().as_bytes());
    let stored = cluster::Access {
        address: access.address,
        tls: access.tls,
        admin_role: access.role,
        sealed_admin_password: Sealed::new(sealed),
        server_version: capability.facts.server_version,
        connections_max: cluster.access.connections_max,
    };
    let mut tx = control.catalog().transaction().await?;
    let gone = || Problem::new(ErrorCode::ClusterNotFound, format!("cluster `{name}` is gone"));
    if !cluster::set_access(&mut tx, cluster.id, &stored).await? {
        return Err(gone());
    }
    sealing.keep(&mut tx).await?;
    life::observed_within(&mut tx, cluster.id, &capability).await?;
    record(&mut tx, NewEntry::new(&by, AuditAction::ClusterChange, Some(&cluster.environment), Subject::Cluster(cluster.id)));
    let version = tx.commit().await?;
    control.nudge();
    let changed = cluster::by_id(control.catalog(), cluster.id).await?.ok_or_else(gone)?;
    Ok((changed, version))
}

fn changeable(cluster: &Cluster) -> Result<(), Problem> {
    if cluster.adopted.is_some() {
        return Err(Problem::new(ErrorCode::ClusterClosed, format!("cluster `{}` cannot be reached in another way", cluster.name))
            .because("it is a database that somebody brought, whose logins are the tenant's own; Holm does not change those yet")
            .next("delete the tenant, which leaves the database as it is, and adopt it anew"));
    }
    match cluster.state {
        ClusterState::Joining => Err(not_now(&cluster.name, cluster.state, "reached in another way")),
        _ => Ok(()),
    }
}

/// The new way, tried: it leads to the same server, and to all that Holm needs there.
async fn look(control: &Control, cluster: &Cluster, access: &Access) -> Result<holm_core::capability::Capability, Problem> {
    let now = identity::now(control).await?;
    let seen = capability::observe(access, now).await.map_err(|unseen| identity::unseen(&unseen, access))?;
    let is_same = identity::identifier(&seen, access) == cluster.system_identifier;
    let Seen { capability, session, .. } = seen;
    session.close().await;
    if !is_same {
        return Err(another(cluster, access));
    }
    if capability.suits != Suits::Pool {
        return Err(unsuitable(&capability, &cluster.environment, &access.address));
    }
    room(&capability, Some(cluster.access.connections_max), &cluster.name)?;
    Ok(capability)
}

fn another(cluster: &Cluster, access: &Access) -> Problem {
    Problem::new(ErrorCode::ClusterElsewhere, format!("the server at {} is not the one that is cluster `{}`", access.address, cluster.name))
        .because("its system identifier is another: a promoted standby has that of its primary, a server that was made by `initdb` its own")
        .next(format!("add it as a cluster of its own: `holm cluster add <name> --env {} --server …`", cluster.environment))
}
