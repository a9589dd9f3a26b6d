//! Changes how a cluster is reached: its address, how it is spoken to, who Holm is there and with what password.
//!
//! Promises: it stays the same server, known by the identifier that `initdb` gave it, so that a standby that was promoted may
//! take its place and a server of its own cannot; Holm has logged in the new way, and found what it needs, before anything
//! changes. What is not said of TLS stays as it was. Once it is confirmed, every node opens connections the new way only, and
//! ends sessions that were opened another way.
//! At another address it may be in another country: where it was said to be counts no more, and what is there is judged so.
//! Refuses another address while a server answers at the old one and is not the one at the new: what is under way would go on
//! there. Cannot tell copies of one server from each other: which of them is the right one is the caller's word.
//! A database that somebody brought stays that database, and its tenant logs in as the role that is given, whose power is looked at as
//! when it was adopted. Refuses one whose server does not say which it is, unless only its password or TLS is another.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::capability::{Authentication, Capability, Suits};
use holm_core::cluster::ClusterName;
use holm_core::cluster::state::ClusterState;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::DatabaseId;
use holm_core::key::KeyPurpose;
use holm_core::route::RouteVersion;
use holm_core::scram::LoginKeys;
use holm_store::audit::record;
use holm_store::cluster::{self, Cluster, life};
use holm_store::data_key::KeyOwner;
use holm_store::database::{self, DatabaseState, rotation};
use holm_store::residency::{self, placed};
use holm_store::sealed::Sealed;
use holm_store::tx::Tx;

use super::add::{room, unsuitable};
use super::capability::{self, Seen};
use super::connect::{Access, Connection};
use super::drain::not_now;
use super::trouble::Trouble;
use super::url::ServerUrl;
use super::{encrypted, identity, named};
use crate::control::{CONFIRM_PATIENCE, Control};
use crate::residency::watch;
use crate::secret::adopted::AdoptedLogin;
use crate::secret::keys::Sealing;
use crate::secret::seal::Purpose;
use crate::tenant::adopt;

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
    names_it(&cluster, &url)?;
    let access = Access {
        cluster: name.clone(),
        address: url.address,
        tls: if url.says_tls { url.tls } else { cluster.access.tls.clone() },
        role: url.role,
        password: url.password,
        application_name: None,
        home: cluster.adopted.as_ref().map(|adopted| adopted.database.clone()),
    };
    encrypted::usable(&access.address, &access.tls).await?;
    let Looked { capability, keys } = look(&control, &cluster, &access).await.map_err(|problem| problem.changed(Changed::Nothing))?;
    let brought = match &cluster.adopted {
        Some(_) => Some(Brought::seal(&control, &cluster, &access, keys).await?),
        None => None,
    };
    let sealing = control.keys().for_owner(KeyOwner::Cluster(cluster.id), KeyPurpose::AdminPassword).await?;
    let sealed = sealing.key.seal(Purpose::AdminPassword(cluster.id), access.password.expose().as_bytes());
    let stored = cluster::Access {
        address: access.address,
        tls: access.tls,
        admin_role: access.role,
        sealed_admin_password: Sealed::new(sealed),
        server_version: capability.facts.server_version,
        // A smaller server is not refused, least of all when the larger one is lost.
        connections_max: cluster.access.connections_max.min(match brought {
            Some(_) => adopt::room(&capability),
            None => room(&capability, None, &name)?,
        }),
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
    if let Some(brought) = &brought {
        brought.keep(&mut tx, &cluster).await?;
    }
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
    match cluster.state {
        ClusterState::Joining => Err(not_now(&cluster.name, cluster.state, "reached in another way")),
        _ => Ok(()),
    }
}

/// A URL names the database that somebody brought, or none; that of a whole server names none.
fn names_it(cluster: &Cluster, url: &ServerUrl) -> Result<(), Problem> {
    let Some(named) = &url.database else { return Ok(()) };
    match &cluster.adopted {
        Some(adopted) if *named == adopted.database => Ok(()),
        Some(adopted) => Err(Problem::new(ErrorCode::InvalidValue, format!("the URL names another database than `{}`", adopted.database))
            .because(format_args!("cluster `{}` is that database, and stays it", cluster.name))
            .next("to bring another one, adopt it as a tenant of its own: `holm tenant adopt`")),
        None if named.as_str() == "postgres" => Ok(()),
        None => Err(Problem::new(ErrorCode::InvalidValue, "the URL of a server names a database")
            .because("a cluster is a whole server")
            .next("leave the database out")),
    }
}

/// What was found the new way.
struct Looked {
    capability: Capability,
    /// What the data plane could log in with.
    keys: Option<LoginKeys>,
}

/// The new way, tried: it leads to the same server, and to all that Holm needs there.
async fn look(control: &Control, cluster: &Cluster, access: &Access) -> Result<Looked, Problem> {
    let now = identity::now(control).await?;
    let seen = capability::observe(access, now).await.map_err(|unseen| identity::unseen(&unseen, access))?;
    let judged = judge(control, cluster, access, &seen).await;
    let Seen { capability, session, keys, .. } = seen;
    session.close().await;
    judged.map(|()| Looked { capability, keys })
}

async fn judge(control: &Control, cluster: &Cluster, access: &Access, seen: &Seen) -> Result<(), Problem> {
    let is_same_database = cluster.adopted.as_ref().is_none_or(|adopted| adopted.oid == seen.database_oid);
    if identity::identifier(seen, access) != cluster.system_identifier || !is_same_database {
        return Err(another(cluster, access, seen));
    }
    if access.address != cluster.access.address {
        is_alone(control, cluster, &seen.session).await?;
    }
    if cluster.adopted.is_some() {
        let others = identity::known(control, seen, access).await?;
        let others: Vec<Cluster> = others.into_iter().filter(|known| known.id != cluster.id).collect();
        return adopt::fits(access, seen, &others).await;
    }
    if seen.capability.suits != Suits::Pool {
        return Err(unsuitable(&seen.capability, &cluster.environment, &access.address));
    }
    Ok(())
}

/// The login of a database that somebody brought, which its tenant's sessions use.
struct Brought {
    database: DatabaseId,
    sealing: Sealing,
    sealed: Sealed,
}

impl Brought {
    async fn seal(control: &Control, cluster: &Cluster, access: &Access, keys: Option<LoginKeys>) -> Result<Self, Problem> {
        let keys = keys.ok_or_else(|| identity::not_scram(access, Authentication::Trust).changed(Changed::Nothing))?;
        let databases = database::of_state(control.catalog(), cluster.id, DatabaseState::Claimed, 1).await?;
        let database = databases.first().ok_or_else(|| nobodys(cluster))?.id;
        let (owner, purpose) = adopt::owner_of_login(database);
        let sealing = control.keys().for_owner(owner, purpose).await?;
        let login = AdoptedLogin { role: access.role.clone(), keys };
        let sealed = Sealed::new(login.seal(&sealing.key, database));
        Ok(Self { database, sealing, sealed })
    }

    async fn keep(&self, tx: &mut Tx, cluster: &Cluster) -> Result<(), Problem> {
        if !rotation::bring(tx, self.database, &self.sealed).await? {
            return Err(nobodys(cluster));
        }
        self.sealing.keep(tx).await
    }
}

fn nobodys(cluster: &Cluster) -> Problem {
    Problem::new(ErrorCode::ClusterClosed, format!("cluster `{}` cannot be reached in another way", cluster.name))
        .because("the database is no tenant's any more")
        .changed(Changed::Nothing)
        .next("wait until it is gone from `holm cluster list`, and adopt the database anew")
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

fn another(cluster: &Cluster, access: &Access, seen: &Seen) -> Problem {
    let what = format!("the server at {} is not the one that is cluster `{}`", access.address, cluster.name);
    let problem = Problem::new(ErrorCode::ClusterElsewhere, what);
    match &cluster.adopted {
        None => problem
            .because(
                "its system identifier is another: a promoted standby has that of its primary, a server that was made by `initdb` its own",
            )
            .next(format!("add it as a cluster of its own: `holm cluster add <name> --env {} --server …`", cluster.environment)),
        Some(_) if seen.system_identifier.is_none() => problem
            .because("the server does not say which it is, and what was seen of it is another: address, role or database")
            .next(format!("have it say so: `GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO \"{}\"`", access.role))
            .next("if it did not say so when the database was adopted either, only its password and TLS can be said anew"),
        Some(adopted) => problem
            .because(format_args!("its system identifier, or the number of database `{}` there, is another", adopted.database))
            .next("a database that was dumped and restored is another one: adopt it anew once the tenant is deleted"),
    }
}
