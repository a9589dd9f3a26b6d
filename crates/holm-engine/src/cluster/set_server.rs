//! Changes how a cluster is reached: its address, how it is spoken to, who Holm is there and with what password; or has another
//! server take its place (`replaced`).
//!
//! Promises: unless somebody says otherwise it stays the same server, known by the identifier that `initdb` gave it, so that a standby
//! that was promoted may take its place and a server of its own cannot; Holm has logged in the new way, and found what it needs, before
//! anything changes. What is not said of TLS, or of what the server is shown, stays as it was. Once it is confirmed, every node opens connections the new way only, and
//! ends sessions that were opened another way.
//! At another address it may be in another country: where it was said to be counts no more, and what is there is judged so.
//! Refuses another address while a server answers at the old one and is not the one at the new: what is under way would go on
//! there. Cannot tell copies of one server from each other: which of them is the right one is the caller's word.
//! A database that somebody brought stays that database, and its tenant logs in as the role that is given, whose power is looked at as
//! when it was adopted. One whose server does not say which it is is known by its address, database and role, and reached at another
//! address or by another role only while the former way leads to the same running server.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Reason, Subject};
use holm_core::capability::{Authentication, Capability, Suits};
use holm_core::cluster::ClusterName;
use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::state::ClusterState;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::DatabaseId;
use holm_core::key::KeyPurpose;
use holm_core::route::RouteVersion;
use holm_core::scram::LoginKeys;
use holm_store::audit::record;
use holm_store::cluster::replaced::{Replaced, identify};
use holm_store::cluster::{self, Cluster, SealedClientCertificate, life};
use holm_store::data_key::KeyOwner;
use holm_store::database::{self, DatabaseState, rotation};
use holm_store::residency::{self, placed};
use holm_store::sealed::Sealed;
use holm_store::tx::Tx;

use super::add::{room, unsuitable};
use super::capability::{self, Seen};
use super::client_certificate::{self, Shows};
use super::connect::{Access, Connection};
use super::drain::not_now;
use super::identity::Met;
use super::trouble::Trouble;
use super::url::ServerUrl;
use super::{encrypted, identity, named, replaced};
use crate::control::{CONFIRM_PATIENCE, Control};
use crate::residency::watch;
use crate::secret::adopted::AdoptedLogin;
use crate::secret::keys::Sealing;
use crate::secret::seal::Purpose;
use crate::tenant::adopt;

/// Who the server is that a cluster is reached at from now on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// The one that the cluster is, or a standby of it that was promoted.
    TheSame,
    /// Another one that takes its place, with all that was on it; and why.
    InItsPlace(Reason),
}

/// Has a cluster reached in another way from now on, or at another server; returns it as it is then.
///
/// # Errors
/// No such cluster, or one that is not there yet; another server answers than was said, or one that Holm could not work
/// on, or that lacks something; the server's own trouble: nothing changed. [`ErrorCode::DataPlaneSilent`]: it is changed, and a node
/// does not say so yet.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn set_server(control: &Control, by: &Actor, name: &ClusterName, url: ServerUrl, who: Who) -> Result<Cluster, Problem> {
    let shows = url.client_certificate.clone().map_or(Shows::AsBefore, Shows::This);
    let (control_of_act, by, name) = (control.clone(), by.clone(), name.clone());
    let act = async move {
        let cluster = named(&control_of_act, &name).await?;
        act(control_of_act, by, cluster, url, (who, shows)).await
    };
    finished(control, act).await
}

/// Has a cluster's server shown another certificate from now on, or none; else it is reached as it was. Connections that are open go
/// on.
///
/// # Errors
/// As with [`set_server`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn show_certificate(
    control: &Control,
    by: &Actor,
    name: &ClusterName,
    shown: Option<ClientCertificate>,
) -> Result<Cluster, Problem> {
    let shows = shown.map_or(Shows::Nothing, Shows::This);
    let (control_of_act, by, name) = (control.clone(), by.clone(), name.clone());
    let act = async move {
        let cluster = named(&control_of_act, &name).await?;
        if matches!(shows, Shows::Nothing) && cluster.access.client_certificate.is_none() {
            return Ok((cluster, None));
        }
        let Access { address, tls, role, password, .. } = control_of_act.access(&cluster).await?;
        let url = ServerUrl { address, tls, says_tls: false, client_certificate: None, role, password, database: None };
        act(control_of_act, by, cluster, url, (Who::TheSame, shows)).await
    };
    finished(control, act).await
}

async fn finished(
    control: &Control,
    act: impl Future<Output = Result<(Cluster, Option<RouteVersion>), Problem>> + Send + 'static,
) -> Result<Cluster, Problem> {
    let (cluster, version) = control.tasks().finish("change how a cluster is reached", act).await?;
    if let Some(version) = version {
        control.confirmed(version, CONFIRM_PATIENCE).await?;
    }
    Ok(cluster)
}

async fn act(
    control: Control,
    by: Actor,
    cluster: Cluster,
    url: ServerUrl,
    (who, shows): (Who, Shows),
) -> Result<(Cluster, Option<RouteVersion>), Problem> {
    let name = cluster.name.clone();
    changeable(&cluster)?;
    names_it(&cluster, &url)?;
    let access = Access {
        cluster: name.clone(),
        address: url.address,
        tls: if url.says_tls { url.tls } else { cluster.access.tls.clone() },
        client_certificate: match &shows {
            Shows::This(shown) => Some(shown.clone()),
            Shows::Nothing => None,
            Shows::AsBefore => control.access(&cluster).await?.client_certificate,
        },
        role: url.role,
        password: url.password,
        application_name: None,
        home: cluster.adopted.as_ref().map(|adopted| adopted.database.clone()),
    };
    let given = if let Shows::This(shown) = &shows { Some(shown) } else { None };
    encrypted::usable(&access.address, &access.tls, given).await?;
    // Whether one that is kept is over is the server's to say: a new password must not wait for it.
    if access.client_certificate.is_some() {
        client_certificate::is_of_use(&access.tls)?;
    }
    let mut looked = look(&control, &cluster, &access, &who).await.map_err(|problem| problem.changed(Changed::Nothing))?;
    let keys = looked.keys.take();
    let brought = match &cluster.adopted {
        Some(_) => Some(Brought::seal(&control, &cluster, &access, keys).await?),
        None => None,
    };
    let secrets = Secrets::seal(&control, &cluster, &access, &shows).await?;
    let stored = cluster::Access {
        address: access.address.clone(),
        tls: access.tls.clone(),
        client_certificate: secrets.client_certificate.clone(),
        admin_role: access.role.clone(),
        sealed_admin_password: secrets.password.clone(),
        server_version: looked.capability.facts.server_version,
        // A smaller server is not refused, least of all when the larger one is lost.
        connections_max: cluster.access.connections_max.min(match brought {
            Some(_) => adopt::room(&looked.capability),
            None => room(&looked.capability, None, &name)?,
        }),
    };
    let rests_on_it = stored.address != cluster.access.address || who != Who::TheSame;
    let mut tx = control.catalog().transaction().await?;
    write(&mut tx, &cluster, &access, &stored, &looked).await.map_err(|problem| problem.changed(Changed::Nothing))?;
    secrets.keep(&mut tx).await?;
    if let Some(brought) = &brought {
        brought.keep(&mut tx, &cluster).await?;
    }
    record(&mut tx, entry(&by, &cluster, &who, &looked));
    let version = tx.commit().await?;
    control.nudge();
    if rests_on_it {
        watch::soon(&control);
    }
    let changed = cluster::by_id(control.catalog(), cluster.id).await?.ok_or_else(|| gone(&name))?;
    if who != Who::TheSame {
        replaced::close(&control, &changed).await;
    }
    Ok((changed, version))
}

/// What Holm gets in with, sealed, and the keys that sealed it.
struct Secrets {
    password: Sealed,
    client_certificate: Option<SealedClientCertificate>,
    sealings: Vec<Sealing>,
}

impl Secrets {
    async fn seal(control: &Control, cluster: &Cluster, access: &Access, shows: &Shows) -> Result<Self, Problem> {
        let sealing = control.keys().for_owner(KeyOwner::Cluster(cluster.id), KeyPurpose::AdminPassword).await?;
        let password = Sealed::new(sealing.key.seal(Purpose::AdminPassword(cluster.id), access.password.expose().as_bytes()));
        let (client_certificate, of_its_key) = match shows {
            Shows::This(shown) => Some(client_certificate::seal(control.keys(), cluster.id, shown).await?).unzip(),
            Shows::Nothing => (None, None),
            Shows::AsBefore => (cluster.access.client_certificate.clone(), None),
        };
        Ok(Self { password, client_certificate, sealings: std::iter::once(sealing).chain(of_its_key).collect() })
    }

    async fn keep(&self, tx: &mut Tx) -> Result<(), Problem> {
        for sealing in &self.sealings {
            sealing.keep(tx).await?;
        }
        Ok(())
    }
}

/// Which server it is and how it is reached, in the order in which everybody locks.
async fn write(tx: &mut Tx, cluster: &Cluster, access: &Access, stored: &cluster::Access, looked: &Looked) -> Result<(), Problem> {
    let is_elsewhere = stored.address != cluster.access.address;
    if is_elsewhere || matches!(looked.is, Is::Another(_)) {
        residency::alone(tx).await?;
        residency::advance(tx).await?;
    }
    match &looked.is {
        Is::Another(found) => replaced::write(tx, cluster, access, found).await?,
        Is::TheSame { identifier, tells } if *identifier != cluster.system_identifier => {
            match identify(tx, cluster, *identifier, *tells).await? {
                Replaced::Done => {}
                other => return Err(replaced::refused(&other, cluster, access)),
            }
        }
        Is::TheSame { .. } => {}
    }
    if is_elsewhere {
        placed::clear(tx, cluster.id).await?;
    }
    // What was kept of a password or a certificate is of the moment at which it was read.
    if !cluster::set_access(tx, cluster.id, stored, Some(&cluster.access)).await? {
        let what = format!("cluster `{}` is gone, or somebody else changed how its server is reached meanwhile", cluster.name);
        return Err(Problem::new(ErrorCode::OperationInProgress, what).next("see how it is reached, and say it again: `holm cluster show`"));
    }
    if let Is::Another(found) = &looked.is {
        replaced::note(tx, cluster, found).await?;
    }
    let is_different = cluster.capability.as_ref().is_some_and(|before| !looked.capability.facts.differences(&before.facts).is_empty());
    Ok(life::observed_within(tx, cluster.id, &looked.capability, is_different).await?)
}

fn entry(by: &Actor, cluster: &Cluster, who: &Who, looked: &Looked) -> NewEntry {
    match (&looked.is, who) {
        (Is::Another(found), Who::InItsPlace(reason)) => replaced::entry(by, cluster, found, reason),
        (is, _) => {
            let entry = NewEntry::new(by, AuditAction::ClusterChange, Some(&cluster.environment), Subject::Cluster(cluster.id));
            match (identity::identifier_of(cluster), is) {
                (before, Is::TheSame { tells, .. }) if before != *tells => {
                    entry.with(Detail::Server { before: identity::told(before), after: identity::told(*tells) })
                }
                _ => entry,
            }
        }
    }
}

fn gone(name: &ClusterName) -> Problem {
    Problem::new(ErrorCode::ClusterNotFound, format!("cluster `{name}` is gone"))
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
    is: Is,
}

/// Which server it is.
enum Is {
    /// The one that the cluster is; by what it is known there, and its identifier, where it tells.
    TheSame { identifier: i64, tells: Option<i64> },
    /// One that may take its place.
    Another(replaced::Found),
}

/// The new way, tried: it leads to the server that was said, and to all that Holm needs there.
async fn look(control: &Control, cluster: &Cluster, access: &Access, who: &Who) -> Result<Looked, Problem> {
    let now = identity::now(control).await?;
    let seen = capability::observe(access, now).await.map_err(|unseen| identity::unseen(&unseen, access))?;
    let is = match who {
        Who::TheSame => {
            let (identifier, tells) = (identity::identifier(&seen, access), seen.system_identifier);
            judge(control, cluster, access, &seen).await.map(|()| Is::TheSame { identifier, tells })
        }
        Who::InItsPlace(_) => replaced::look(control, cluster, access, &seen).await.map(Is::Another),
    };
    let Seen { capability, session, keys, .. } = seen;
    session.close().await;
    Ok(Looked { capability, keys, is: is? })
}

async fn judge(control: &Control, cluster: &Cluster, access: &Access, seen: &Seen) -> Result<(), Problem> {
    if !is_it(control, cluster, access, seen).await {
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

/// Whether it is the server, and the database, that the cluster is. Where one of both ways does not tell which server it is, a lock
/// that is taken the one way shows the other way, as long as the old one leads there.
async fn is_it(control: &Control, cluster: &Cluster, access: &Access, seen: &Seen) -> bool {
    if identity::met(cluster, seen, access) != Met::Another {
        return true;
    }
    let is_same_database = cluster.adopted.as_ref().is_none_or(|adopted| adopted.oid == seen.database_oid);
    let is_comparable = seen.system_identifier.is_some() && identity::identifier_of(cluster).is_some();
    is_same_database && !is_comparable && identity::is_on(control, cluster, &seen.session).await
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
pub(super) async fn is_alone(control: &Control, cluster: &Cluster, session: &Connection) -> Result<(), Problem> {
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

const MADE_ANEW: &str =
    "if it was made anew with all that was on the former (`pg_upgrade`, a dump that was restored), say so: `--replaced --reason …`";

fn another(cluster: &Cluster, access: &Access, seen: &Seen) -> Problem {
    let what = format!("the server at {} is not the one that is cluster `{}`", access.address, cluster.name);
    let problem = Problem::new(ErrorCode::ClusterElsewhere, what);
    match &cluster.adopted {
        None => problem
            .because(
                "its system identifier is another: a promoted standby has that of its primary, a server that was made by `initdb` its own",
            )
            .next(format!("add it as a cluster of its own: `holm cluster add <name> --env {} --server …`", cluster.environment))
            .next(MADE_ANEW),
        Some(_) if seen.system_identifier.is_none() => problem
            .because("the server does not say which it is, and what was seen of it is another: address, role or database")
            .next(format!("have it say so: `GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO \"{}\"`", access.role))
            .next("if it never did, say another address or another role while the former way still leads there, one after the other")
            .next(MADE_ANEW),
        Some(adopted) => problem
            .because(format_args!("its system identifier, or the number of database `{}` there, is another", adopted.database))
            .next(MADE_ANEW),
    }
}
