//! Looks at every cluster once an hour: what it can be used for, and what is different from before.
//!
//! Promises: an observation is dated, the one before is kept when something is different, and nothing is changed anywhere
//! else. A server that does not answer keeps what was last seen of it. One that was known by its address and tells by now which it is
//! stays the cluster that it is, and is known by that.

use std::time::Duration;

use holm_core::actor::{Actor, SystemActor};
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::capability::Capability;
use holm_core::error::{ErrorCode, Problem};
use holm_store::audit::record;
use holm_store::cluster::replaced::{Replaced, identify};
use holm_store::cluster::{Cluster, life};
use tokio::time::sleep;

use crate::cluster::capability::{self, Seen};
use crate::cluster::identity::Met;
use crate::cluster::{copies, identity};
use crate::control::Control;
use crate::residency::observed;

/// The catalog says which are due; asked this often.
const LOOK: Duration = Duration::from_secs(60);

/// Looks for as long as the process lives.
pub(crate) async fn run(control: Control) {
    loop {
        match life::to_observe(control.catalog()).await {
            Ok(clusters) => {
                for cluster in clusters {
                    if let Err(problem) = one(&control, &cluster).await {
                        tracing::debug!(cluster.id = %cluster.id, code = %problem.code, why = problem.why, "{}", problem.what);
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "clusters cannot be listed"),
        }
        sleep(LOOK).await;
    }
}

/// Looks at one, and notes what it sees.
///
/// # Cancel safety
/// Safe: it is looked at again.
pub(crate) async fn one(control: &Control, cluster: &Cluster) -> Result<Capability, Problem> {
    let access = control.access(cluster).await?;
    let now = identity::now(control).await?;
    let seen = capability::observe(&access, now).await.map_err(|unseen| identity::unseen(&unseen, &access))?;
    let met = identity::met(cluster, &seen, &access);
    let Seen { capability, system_identifier, session, .. } = seen;
    let copies = copies::look(&session).await;
    session.close().await;
    if met == Met::Another {
        // Also where it tells no identifier: one that was known by it is not known by its address instead, or whoever has that has all.
        return Err(match system_identifier {
            Some(_) => identity::another_server(cluster),
            None => identity::tells_no_more(cluster),
        });
    }
    let changed = cluster.capability.as_ref().is_some_and(|before| !capability.facts.differences(&before.facts).is_empty());
    if changed {
        tracing::warn!(cluster.id = %cluster.id, "cluster `{}` is not as it was seen before", cluster.name);
    }
    // Of a database that somebody brought, Holm may not see what its server does. Before the rest: what was not seen is due again.
    if cluster.adopted.is_none() {
        let copies = copies.map_err(|error| error.problem(&cluster.name))?;
        observed::note(control, cluster.id, &copies).await?;
    }
    match met {
        Met::Named(identifier) => named(control, cluster, identifier, &capability).await?,
        _ => life::observed(control.catalog(), cluster.id, &capability, changed).await?,
    }
    Ok(capability)
}

/// A server that was known by its address tells by now which it is: it is known by that from here on.
async fn named(control: &Control, cluster: &Cluster, identifier: i64, seen: &Capability) -> Result<(), Problem> {
    let mut tx = control.catalog().transaction().await?;
    match identify(&mut tx, cluster, identifier, Some(identifier)).await? {
        Replaced::Done => {}
        // Somebody else noted it, or has put another in its place.
        Replaced::Changed | Replaced::Came => return Ok(()),
        Replaced::Taken(other) => return Err(is_anothers(cluster, &other)),
    }
    life::observed_within(&mut tx, cluster.id, seen, true).await?;
    let actor = Actor::system(SystemActor::Reconciler);
    let detail = Detail::Server { before: identity::told(None), after: identity::told(Some(identifier)) };
    record(
        &mut tx,
        NewEntry::new(&actor, AuditAction::ClusterIdentify, Some(&cluster.environment), Subject::Cluster(cluster.id)).with(detail),
    );
    tx.commit().await?;
    control.nudge();
    Ok(())
}

/// Two that were known by addresses are one, or a server of one environment has a database of another (R13).
fn is_anothers(cluster: &Cluster, other: &Cluster) -> Problem {
    let what =
        format!("the server of cluster `{}` is that of cluster `{}` of environment `{}`", cluster.name, other.name, other.environment);
    Problem::new(ErrorCode::ClusterElsewhere, what)
        .because("they were known by their addresses, and the server tells by now which it is")
        .next("give up one of them, or move its database to another server")
}
