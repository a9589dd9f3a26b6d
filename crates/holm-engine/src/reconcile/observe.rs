//! Looks at every cluster once an hour: what it can be used for, and what is different from before.
//!
//! Promises: an observation is dated, the one before is kept when something is different, and nothing is changed anywhere
//! else. A server that does not answer keeps what was last seen of it.

use std::time::Duration;

use holm_core::capability::Capability;
use holm_core::error::Problem;
use holm_store::cluster::{Cluster, life};
use tokio::time::sleep;

use crate::cluster::capability::{self, Seen};
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
    let Seen { capability, system_identifier, session, .. } = seen;
    let copies = copies::look(&session).await;
    session.close().await;
    if system_identifier.is_some_and(|identifier| identifier != cluster.system_identifier) {
        return Err(identity::another_server(cluster));
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
    life::observed(control.catalog(), cluster.id, &capability, changed).await?;
    Ok(capability)
}
