//! Another server in a cluster's place: one that was made anew with all that was on the former (`pg_upgrade`, a dump of the whole
//! server that was restored, a provider's own restore).
//!
//! Promises: every database that is a tenant's is there by its name, belongs to its own role and is closed to everybody else, and
//! its roles have the logins that Holm gave them and are nobody else's to act as, before anything changes; what is not so is named. What
//! nobody has yet, templates and the pool, is made anew there: a dump leaves out databases that nobody may connect to, and what another server made before
//! is not worth carrying. The new server's maintenance databases are closed to everyone, which a dump does not do, once what everyone had
//! there is written down: that is what a removal gives back. A server that is refused is left as it was.
//! Cannot see what is in the tenants' databases: that it is all there is the word of whoever says so, and stands in the audit log.
//! Refuses the catalog's own server, another cluster's, and the one that the cluster is.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Reason, Subject};
use holm_core::capability::Suits;
use holm_core::error::{ErrorCode, Problem};
use holm_store::cluster::replaced::{Replaced, Successor, replace};
use holm_store::cluster::{Adopted, Cluster};
use holm_store::database::{self, DatabaseState};
use holm_store::residency::observed;
use holm_store::tx::Tx;

use super::add::{taken, unsuitable};
use super::capability::Seen;
use super::connect::Access;
use super::inventory::Inventory;
use super::trouble::ClusterError;
use super::{copies, guard, identity, set_server};
use crate::control::Control;
use crate::doctor::names;
use crate::tenant::adopt;

/// A server that may take a cluster's place.
pub(super) struct Found {
    successor: Successor,
    /// Copies of everything there that were seen; nothing where Holm has one database only.
    copies: Option<Vec<observed::Seen>>,
}

/// Looks whether a server can take a cluster's place, in the order in which a person would.
///
/// # Errors
/// Every reason why it cannot.
///
/// # Cancel safety
/// Safe: it only reads.
pub(super) async fn look(control: &Control, cluster: &Cluster, access: &Access, seen: &Seen) -> Result<Found, Problem> {
    identity::is_not_the_catalog(control, seen, &access.address).await?;
    let adopted = cluster.adopted.as_ref().map(|adopted| Adopted { database: adopted.database.clone(), oid: seen.database_oid });
    let others = is_another(control, cluster, access, seen, adopted.as_ref()).await?;
    if access.address != cluster.access.address {
        set_server::is_alone(control, cluster, &seen.session).await?;
    }
    let successor = |public_before, looked_at| Successor {
        identifier: identity::identifier(seen, access),
        tells: seen.system_identifier,
        adopted: adopted.clone(),
        public_before,
        looked_at,
    };
    if adopted.is_some() {
        adopt::fits(access, seen, &others).await?;
        let databases = database::of_state(control.catalog(), cluster.id, DatabaseState::Claimed, 1).await?;
        let looked_at = databases.into_iter().map(|database| database.id).collect();
        return Ok(Found { successor: successor(Vec::new(), looked_at), copies: None });
    }
    if seen.capability.suits != Suits::Pool {
        return Err(unsuitable(&seen.capability, &cluster.environment, &access.address));
    }
    let inventory = Inventory::take(control, cluster, &seen.session, &[DatabaseState::Claimed]).await?;
    if inventory.is_growing() {
        // What of it is on the former server, the operation knows; and it would go on as if it were here.
        let what = format!("a tenant is being made on cluster `{}`, whose server cannot be replaced meanwhile", cluster.name);
        return Err(Problem::new(ErrorCode::OperationInProgress, what)
            .next("let it end, or cancel it, with the former server started: `holm op list`")
            .next("if that cannot be started any more, give it up: `holm op abandon`"));
    }
    is_whole(control, cluster, access, &inventory).await?;
    let refused = |error: ClusterError| identity::at(&access.address, &error);
    let copies = copies::look(&seen.session).await.map_err(refused)?;
    Ok(Found { successor: successor(seen.public.clone(), inventory.known().collect()), copies: Some(copies) })
}

/// Closes the maintenance databases of the server that took the place, now that the catalog has what everyone had there: before,
/// whoever was refused and said it again would have had nothing noted. Where that fails the pool's next pass does it, of a cluster that takes
/// tenants; the doctor tells of it until then.
///
/// # Cancel safety
/// Safe.
pub(super) async fn close(control: &Control, cluster: &Cluster) {
    if cluster.adopted.is_some() {
        return;
    }
    let closed = async {
        let admin = control.access(cluster).await?.maintenance().await.map_err(|error| error.problem(&cluster.name))?;
        let closed = guard::close_to_public(&admin).await.map_err(|error| error.problem(&cluster.name));
        admin.close().await;
        closed
    };
    if let Err(problem) = closed.await {
        let Problem { code, what, why, .. } = problem;
        tracing::warn!(cluster.id = %cluster.id, %code, why, "maintenance databases are open to everyone: {what}");
    }
}

/// Refuses the server that the cluster is, and another cluster's; gives what else of Holm's is on that server.
async fn is_another(
    control: &Control,
    cluster: &Cluster,
    access: &Access,
    seen: &Seen,
    adopted: Option<&Adopted>,
) -> Result<Vec<Cluster>, Problem> {
    let mut others = identity::known(control, seen, access).await?;
    let is_here = others.iter().any(|known| known.id == cluster.id);
    // Another database of the same name on the same server is another one.
    if is_here && cluster.adopted.as_ref().is_none_or(|adopted| adopted.oid == seen.database_oid) {
        return Err(Problem::new(
            ErrorCode::InvalidValue,
            format!("the server at {} is cluster `{}` already", access.address, cluster.name),
        )
        .because("it is not another one, which would have another system identifier")
        .next("leave out `--replaced` and its reason"));
    }
    others.retain(|known| known.id != cluster.id);
    match others.iter().find(|known| known.clashes(cluster.environment_id, adopted)) {
        Some(known) => Err(taken(known, &cluster.environment, &access.address)),
        None => Ok(others),
    }
}

/// Everything that is a tenant's is there, and nobody else's.
async fn is_whole(control: &Control, cluster: &Cluster, access: &Access, inventory: &Inventory) -> Result<(), Problem> {
    let found = [
        ("databases are not there", inventory.missing()),
        ("databases are open to others, or closed to their own roles", inventory.wrong_doors()),
        ("roles have more than was given to them, or their databases belong to another", inventory.grown_roles()),
        ("roles may be acted as by others", inventory.lent_roles()),
        ("roles are not there, may not log in, or have not the login that Holm gave them", inventory.drifted_logins(control).await?),
    ];
    let wrong: Vec<String> = found
        .into_iter()
        .filter(|(_, wrong)| !wrong.is_empty())
        .map(|(what, wrong)| format!("{} {what}: {}", wrong.len(), names(wrong.into_iter())))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let what = format!("the server at {} cannot take the place of cluster `{}`", access.address, cluster.name);
    Err(Problem::new(ErrorCode::ServerUnsuitable, what)
        .because(wrong.join("; "))
        .next("bring everything over: roles with their passwords, databases with their owners and privileges, as `pg_dumpall` and `pg_upgrade` do"))
}

/// Writes it, beside what is written of how the server is reached. The caller holds what verdicts rest on alone, and has advanced
/// the epoch; it rolls back what is refused.
///
/// # Errors
/// The server is another cluster's by now, or the cluster is not what it was looked at as; the catalog does not answer.
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub(super) async fn write(tx: &mut Tx, cluster: &Cluster, access: &Access, found: &Found) -> Result<(), Problem> {
    match replace(tx, cluster, &found.successor).await? {
        Replaced::Done => Ok(()),
        other => Err(refused(&other, cluster, access)),
    }
}

/// Why it was not written.
pub(super) fn refused(why: &Replaced, cluster: &Cluster, access: &Access) -> Problem {
    if let Replaced::Taken(known) = why {
        return taken(known, &cluster.environment, &access.address);
    }
    let what = format!("cluster `{}` became something else, or one tenant more came to it, while the server was looked at", cluster.name);
    Problem::new(ErrorCode::OperationInProgress, what).next("say it again")
}

/// Notes what else was seen there, once the rest is written; copies that were seen on the former server are there no more.
pub(super) async fn note(tx: &mut Tx, cluster: &Cluster, found: &Found) -> Result<(), Problem> {
    if let Some(copies) = &found.copies {
        observed::note(tx, cluster.id, copies).await?;
    }
    Ok(())
}

/// What is kept of it for ever.
pub(super) fn entry(by: &Actor, cluster: &Cluster, found: &Found, reason: &Reason) -> NewEntry {
    let (before, after) = (identity::told(identity::identifier_of(cluster)), identity::told(found.successor.tells));
    NewEntry::new(by, AuditAction::ClusterReplace, Some(&cluster.environment), Subject::Cluster(cluster.id))
        .because(reason)
        .with(Detail::Server { before, after })
}
