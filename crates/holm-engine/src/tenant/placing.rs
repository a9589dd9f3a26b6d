//! Places a tenant that is to be made: by its profile, or its environment's, on a cluster that it allows; near what was wished.
//!
//! Promises: what is judged by stays in force until the transaction that makes the tenant ends, so that a profile that is
//! edited meanwhile is the one that counts or is not yet; why it is there, and why not elsewhere, is kept in that transaction.

use holm_core::cluster::ClusterName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, TenantId};
use holm_policy::evaluate::verdict::Outcome;
use holm_store::cluster::{self, Cluster};
use holm_store::residency;
use holm_store::residency::assigned::{self, Waiting};
use holm_store::residency::{decision, room, standing};
use holm_store::tenant::claim;
use holm_store::tx::Tx;

use super::create::NewTenant;
use crate::control::Control;
use crate::environment;
use crate::residency::choose::{Chosen, Room, Wish, choose, nearest, standings};
use crate::residency::copies::{self, Judged, Whose};
use crate::residency::known::Known;
use crate::residency::near::Near;

/// Gives ready members of a cluster to the tenants that wait for one, and to none whose profile does not allow it now: what was
/// judged when it began to wait may be otherwise. What is judged by stays in force until the transaction ends.
pub(crate) async fn assign_waiting(control: &Control, tx: &mut Tx, cluster: ClusterId) -> Result<(), Problem> {
    residency::share(tx).await?;
    let waiting = assigned::waiting_within(tx, cluster).await?;
    let allowed = if waiting.is_empty() { Vec::new() } else { allowed(control, tx, cluster, waiting).await? };
    let names: Vec<String> = allowed.iter().map(|(profile, _)| profile.clone()).collect();
    for given in claim::assign_waiting(tx, cluster, &names).await? {
        let copies = allowed.iter().find(|(profile, _)| given.profile.as_ref() == Some(profile)).map(|(_, copies)| copies.as_slice());
        standing::set(tx, &standings(given.tenant, copies.unwrap_or_default())).await?;
    }
    Ok(())
}

/// The profiles that allow every copy there, with what each comes to; none where nobody can say.
async fn allowed(control: &Control, tx: &mut Tx, cluster: ClusterId, waiting: Vec<Waiting>) -> Result<Vec<(String, Vec<Judged>)>, Problem> {
    let (known, now) = match Known::within(control, tx).await {
        Ok(known) => known,
        Err(problem) if problem.code == ErrorCode::InForceUnreadable => {
            tracing::warn!(code = %problem.code, why = problem.why, "tenants that are judged wait: {}", problem.what);
            return Ok(Vec::new());
        }
        Err(problem) => return Err(problem),
    };
    let clusters = cluster::list_within(tx).await?;
    let Some(cluster) = clusters.iter().find(|known| known.id == cluster) else { return Ok(Vec::new()) };
    let judged = waiting.into_iter().filter_map(|waiting| {
        let whose = Whose { environment: &waiting.environment, kind: waiting.kind, tenant: None };
        let copies = copies::on(&known, known.profile(&waiting.profile).ok()?, whose, cluster, now);
        (copies::worst(&copies) == Outcome::Allow).then_some((waiting.profile, copies))
    });
    Ok(judged.collect())
}

/// The names of the profiles of tenants that wait and may have a database of a cluster.
pub(crate) async fn allowed_there(control: &Control, cluster: ClusterId) -> Result<Vec<String>, Problem> {
    let mut tx = control.catalog().transaction().await?;
    residency::share(&mut tx).await?;
    let waiting = assigned::waiting_within(&mut tx, cluster).await?;
    let allowed = if waiting.is_empty() { Vec::new() } else { allowed(control, &mut tx, cluster, waiting).await? };
    tx.rollback().await?;
    Ok(allowed.into_iter().map(|(profile, _)| profile).collect())
}

/// How full each cluster is. Of databases that somebody brought nobody else is told, not by the names of their clusters either.
pub(super) fn rooms(clusters: &[Cluster], counted: Vec<room::Room>) -> Vec<Room> {
    let of = |room: room::Room| {
        let cluster = clusters.iter().find(|cluster| cluster.id == room.cluster && cluster.adopted.is_none())?;
        Some(Room { cluster: cluster.clone(), ready: room.ready, tenants: room.tenants })
    };
    counted.into_iter().filter_map(of).collect()
}

/// Where it is to be, and why.
pub(super) struct Placing {
    /// None, if no cluster takes tenants: then it waits for one.
    cluster: Option<ClusterName>,
    /// By which profile, and what was chosen by it.
    judged: Option<(String, Chosen)>,
    near: Option<Near>,
}

impl Placing {
    pub(super) fn cluster(&self) -> Option<&ClusterName> {
        self.cluster.as_ref()
    }

    pub(super) fn profile(&self) -> Option<&str> {
        self.judged.as_ref().map(|(profile, _)| profile.as_str())
    }

    pub(super) fn near(&self) -> Option<&Near> {
        self.near.as_ref()
    }

    /// Keeps why, and what each copy came to.
    pub(super) async fn keep(self, tx: &mut Tx, tenant: TenantId) -> Result<(), Problem> {
        let Some((_, chosen)) = self.judged else { return Ok(()) };
        let value = serde_json::to_value(&chosen.decision).expect("a decision is words and numbers");
        decision::keep(tx, tenant, &value).await?;
        Ok(standing::set(tx, &standings(tenant, &chosen.copies)).await?)
    }
}

/// `None` for one that nobody judges and of which nobody wishes anything.
pub(super) async fn place(control: &Control, tx: &mut Tx, new: &NewTenant) -> Result<Option<Placing>, Problem> {
    if let (Some(cluster), Some(near)) = (&new.cluster, &new.near) {
        let what = format!("a tenant is placed on `{cluster}`, or near `{}`", near.escape_debug());
        let because = "a cluster that is named is where it is, and there is nothing to choose";
        return Err(Problem::new(ErrorCode::InvalidValue, what).because(because).next("leave one of the two out"));
    }
    // First, and not a lock on the environment's row: whoever gives that a profile holds this alone, and then writes the row.
    residency::share(tx).await?;
    let given = assigned::of_environment_within(tx, &new.environment).await?.ok_or_else(|| environment::not_found(&new.environment))?;
    let profile = new.profile.clone().or(given.profile);
    if profile.is_none() && new.near.is_none() {
        return Ok(None);
    }
    let (known, now) = Known::within(control, tx).await?;
    let near = new.near.as_deref().map(|near| Near::wished(near, known.registry(), now)).transpose()?;
    let profile = profile.map(|profile| known.profile(&profile)).transpose()?;
    let clusters = cluster::list_within(tx).await?;
    if let Some(asked) = &new.cluster
        && !clusters.iter().any(|cluster| cluster.name == *asked && cluster.environment == new.environment && cluster.adopted.is_none())
    {
        return Err(super::create::no_such_cluster(new));
    }
    let rooms = rooms(&clusters, room::of_environment_within(tx, &new.environment).await?);
    let Some(profile) = profile else {
        let cluster = near.as_ref().and_then(|near| nearest(&known, &rooms, near, now)).map(|cluster| cluster.name.clone());
        return Ok(Some(Placing { cluster, judged: None, near }));
    };
    let whose = Whose { environment: &new.environment, kind: given.kind, tenant: None };
    let wish = Wish { cluster: new.cluster.as_ref(), near: near.as_ref() };
    let chosen = choose(&known, profile, whose, &rooms, wish, now)?;
    let cluster = Some(chosen.cluster.name.clone());
    Ok(Some(Placing { cluster, judged: Some((profile.metadata().id.to_string(), chosen)), near }))
}
