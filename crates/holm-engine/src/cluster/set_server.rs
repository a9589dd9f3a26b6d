//! Changes how a cluster is reached: its address, how it is spoken to, who Holm is there and with what password.
//!
//! Promises: it stays the same server, known by the identifier that `initdb` gave it, so that a standby that was promoted may
//! take its place and a server of its own cannot; Holm has logged in the new way, and found what it needs, before anything
//! changes. What is not said of TLS stays as it was. Once it is confirmed, every node opens connections the new way only, and
//! ends sessions that were opened another way.
//! At another address it may be in another country: where it was said to be counts no more, and what is there is judged so.
//! Refuses another address while a server answers at the old one and is not the one at the new: what is under way would go on
//! there. Cannot tell copies of one server from each other: which of them is the right one is the caller's word.
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
use holm_store::residency::{self, placed};
use holm_store::sealed::Sealed;

use super::add::{room, unsuitable};
use super::capability::{self, Seen};
use super::connect::{Access, Connection};
use super::drain::not_now;
use super::trouble::Trouble;
use super::url::ServerUrl;
use super::{encrypted, identity, named};
use crate::control::{CONFIRM_PATIENCE, Control};
use crate::residency::watch;
use crate::secret::seal::Purpose;

/// Has a cluster reached in another way from now on; returns it as it is then.
///
/// # Errors
/// No such cluster, one that somebody brought or that is not there yet; another server answers, or one that Holm could not work
/// on; the server's own trouble: nothing changed. [`ErrorCode::DataPlaneSilent`]: it is changed, and a node does not say so yet.
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
    let access = Access {
        cluster: name.clone(),
        address: url.address,
        tls: if url.says_tls { url.tls } else { cluster.access.tls.clone() },
        role: url.role,
        password: url.password,
        application_name: None,
        home: None,
    };
    encrypted::usable(&access.address, &access.tls).await?;
    let capability = look(&control, &cluster, &access).await.map_err(|problem| problem.changed(Changed::Nothing))?;
    let sealing = control.keys().for_owner(KeyOwner::Cluster(cluster.id), KeyPurpose::AdminPassword).await?;
    let sealed = sealing.key.seal(Purpose::AdminPassword(cluster.id), access.password.expose().as_bytes());
    let stored = cluster::Access {
        address: access.address,
        tls: access.tls,
        admin_role: access.role,
        sealed_admin_password: Sealed::new(sealed),
        server_version: capability.facts.server_version,
        // A smaller server is not refused, least of all when the larger one is lost.
        connections_max: cluster.access.connections_max.min(room(&capability, None, &name)?),
    };
    let is_elsewhere = stored.address != cluster.access.address;
    let mut tx = control.catalog().transaction().await?;
    if is_elsewhere {
        residency::alone(&mut tx).await?;
        residency::advance(&mut tx).await?;
        placed::clear(&mut tx, cluster.id).await?;
    }
    let gone = || Problem::new(ErrorCode::ClusterNotFound, format!("cluster `{name}` is gone"));
    if !cluster::set_access(&mut tx, cluster.id, &stored).await? {
        return Err(gone());
    }
    sealing.keep(&mut tx).await?;
    let is_different = cluster.capability.as_ref().is_some_and(|before| !capability.facts.differences(&before.facts).is_empty());
    life::observed_within(&mut tx, cluster.id, &capability, is_different).await?;
    record(&mut tx, NewEntry::new(&by, AuditAction::ClusterChange, Some(&cluster.environment), Subject::Cluster(cluster.id)));
    let version = tx.commit().await?;
    control.nudge();
    if is_elsewhere {
        watch::soon(&control);
    }
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
    let is_alone = if is_same && access.address != cluster.access.address { is_alone(control, cluster, &session).await } else { Ok(()) };
    session.close().await;
    if !is_same {
        return Err(another(cluster, access));
    }
    is_alone?;
    if capability.suits != Suits::Pool {
        return Err(unsuitable(&capability, &cluster.environment, &access.address));
    }
    Ok(capability)
}

/// Nobody answers at the old address any more, or the same running server does.
async fn is_alone(control: &Control, cluster: &Cluster, session: &Connection) -> Result<(), Problem> {
    let still = |why: String| {
        let address = &cluster.access.address;
        let what = format!("cluster `{}` is not reached elsewhere while a server answers at {address}", cluster.name);
        Problem::new(ErrorCode::ClusterElsewhere, what)
            .because(why)
            .next(format!("stop the server at {address}, so that nothing is written there any more, and say it again"))
    };
    let before = control.access(cluster).await?;
    match before.maintenance().await {
        Ok(old) => {
            let is_same = identity::is_same_running(&old, session).await;
            old.close().await;
            if is_same {
                Ok(())
            } else {
                Err(still("it is not the one at the new address, and what is under way would go on there".to_owned()))
            }
        }
        Err(error) if error.trouble() == Trouble::Unreachable => Ok(()),
        Err(error) => Err(still(format!("whether it is the one at the new address cannot be seen: {}", error.problem(&cluster.name).what))),
    }
}

fn another(cluster: &Cluster, access: &Access) -> Problem {
    Problem::new(ErrorCode::ClusterElsewhere, format!("the server at {} is not the one that is cluster `{}`", access.address, cluster.name))
        .because("its system identifier is another: a promoted standby has that of its primary, a server that was made by `initdb` its own")
        .next(format!("add it as a cluster of its own: `holm cluster add <name> --env {} --server …`", cluster.environment))
}
