//! Tenants that wait for a database and that Holm places: where each is to be, if its cluster may not take it any more, takes nobody, or
//! has trouble and no database to give.
//!
//! Promises: one that Holm placed is placed again, on a cluster that its profile allows now, near what was wished, with a decision that
//! says why; if there is none, it waits for any that may take it, and keeps no cluster from being emptied, also while nobody can judge.
//! It leaves a cluster for its trouble only for one that has none. One whose cluster somebody named stays there and waits, since nobody
//! asked for another. Who waits in vain can be told why. Refuses to give a database: that is `placing`'s.

use std::collections::HashMap;

use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::ClusterId;
use holm_policy::evaluate::verdict::Outcome;
use holm_store::cluster::{self, Cluster};
use holm_store::residency::assigned::{self, Unplaced};
use holm_store::residency::{self, decision, room, standing};
use holm_store::tenant::claim;
use holm_store::tx::Tx;
use jiff::Timestamp;

use super::placing;
use crate::control::Control;
use crate::residency::choose::{Chosen, Room, Wish, choose, nearest, not_there, standings};
use crate::residency::copies::{self, Whose};
use crate::residency::known::Known;
use crate::residency::near::Near;

/// A tenant that waits, and no cluster may take it.
#[derive(Clone, Debug)]
pub struct Barred {
    /// Which.
    pub tenant: Unplaced,
    /// What speaks against it.
    pub why: Problem,
}

/// What is to become of a tenant that waits.
enum Fate {
    /// Its cluster may take it.
    Waits,
    /// Another one is chosen.
    Placed(Box<Chosen>),
    /// Another one, where no profile decides.
    Nearest(ClusterId),
    /// None may take it, or not the one that was named.
    Barred(Problem),
    /// None may take it, and its own takes nobody any more.
    Adrift(Problem),
}

/// Places those again whose cluster is not allowed any more, takes nobody, or cannot give them a database. What is judged by stays in
/// force until the transaction ends; where it cannot be understood nobody is placed, and who waits on a cluster that takes nobody lets go.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: the transaction is rolled back, and the next look finds the same.
pub(crate) async fn place_again(control: &Control) -> Result<(), Problem> {
    let mut tx = control.catalog().transaction().await?;
    residency::share(&mut tx).await?;
    for (tenant, fate) in fates(control, &mut tx).await? {
        let to = match &fate {
            Fate::Waits | Fate::Barred(_) => continue,
            Fate::Placed(chosen) => Some(chosen.cluster.id),
            Fate::Nearest(cluster) => Some(*cluster),
            Fate::Adrift(_) => None,
        };
        let changed = claim::place_again(&mut tx, tenant.tenant, tenant.wanted, to).await?;
        let Fate::Placed(chosen) = fate else { continue };
        if !changed {
            continue;
        }
        let value = serde_json::to_value(&chosen.decision).expect("a decision is words and numbers");
        decision::keep(&mut tx, tenant.tenant, &value).await?;
        standing::set(&mut tx, &standings(tenant.tenant, &chosen.copies)).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Those whom no cluster may take, or not the one that was named for them; all who are judged, while nobody can judge.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn barred(control: &Control) -> Result<Vec<Barred>, Problem> {
    let mut tx = control.catalog().transaction().await?;
    residency::share(&mut tx).await?;
    let fates = fates(control, &mut tx).await?;
    tx.rollback().await?;
    let barred = fates.into_iter().filter_map(|(tenant, fate)| match fate {
        Fate::Barred(why) | Fate::Adrift(why) => Some(Barred { tenant, why }),
        Fate::Waits | Fate::Placed(_) | Fate::Nearest(_) => None,
    });
    Ok(barred.collect())
}

async fn fates(control: &Control, tx: &mut Tx) -> Result<Vec<(Unplaced, Fate)>, Problem> {
    let waiting = assigned::unplaced_within(tx).await?;
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let known = match Known::within(control, tx).await {
        Ok(known) => Ok(known),
        Err(problem) if problem.code == ErrorCode::InForceUnreadable => Err(problem),
        Err(problem) => return Err(problem),
    };
    let mut rooms: HashMap<EnvironmentName, Vec<Room>> = HashMap::new();
    for tenant in &waiting {
        if !rooms.contains_key(&tenant.environment) {
            let clusters = cluster::list_within(tx).await?;
            let counted = room::of_environment_within(tx, &tenant.environment).await?;
            rooms.insert(tenant.environment.clone(), placing::rooms(&clusters, counted));
        }
    }
    let fates = waiting.into_iter().map(|tenant| {
        let rooms = &rooms[&tenant.environment];
        let fate = match &known {
            Ok((known, now)) => fate(known, &tenant, rooms, *now),
            Err(problem) => unjudged(&tenant, rooms, problem),
        };
        (tenant, fate)
    });
    Ok(fates.collect())
}

/// While nobody can judge, and nobody knows what is near: nobody is chosen for, and who is wished near a place waits as before.
fn unjudged(tenant: &Unplaced, rooms: &[Room], why: &Problem) -> Fate {
    let takes = rooms.iter().any(|room| tenant.wanted == Some(room.cluster.id) && room.cluster.state.keeps_pool());
    if tenant.wanted.is_some() && !takes && !tenant.asked_for {
        Fate::Adrift(why.clone())
    } else if tenant.profile.is_some() {
        Fate::Barred(why.clone())
    } else {
        Fate::Waits
    }
}

fn fate(known: &Known, tenant: &Unplaced, rooms: &[Room], now: Timestamp) -> Fate {
    let near = tenant.near.as_deref().and_then(Near::kept);
    let its = tenant.wanted.and_then(|wanted| rooms.iter().find(|room| room.cluster.id == wanted));
    let takes = its.is_some_and(|room| room.cluster.state.keeps_pool());
    // What was named is waited for, whatever its trouble; and so is any where there is nothing better.
    let is_there_better = || rooms.iter().any(|room| room.is_open() && room.cluster.trouble.is_none());
    let stuck = its.filter(|room| room.is_stuck() && !tenant.asked_for && is_there_better());
    let Some(profile) = &tenant.profile else {
        return match near.as_ref().and_then(|near| nearest(known, rooms, near, now)) {
            Some(other) if takes && stuck.is_some_and(|room| is_better(other, room)) => Fate::Nearest(other.id),
            _ if takes => Fate::Waits,
            Some(other) => Fate::Nearest(other.id),
            None => any(tenant),
        };
    };
    let profile = match known.profile(profile) {
        Ok(profile) => profile,
        // Nobody can judge it, and it must not keep a cluster from being emptied.
        Err(problem) if tenant.wanted.is_some() && !takes => return Fate::Adrift(problem),
        Err(problem) => return Fate::Barred(problem),
    };
    let whose = Whose { environment: &tenant.environment, kind: tenant.kind, tenant: None };
    let wish = Wish { cluster: None, near: near.as_ref() };
    if let Some(room) = its {
        let copies = copies::on(known, profile, whose, &room.cluster, now);
        let is_allowed = copies::worst(&copies) == Outcome::Allow;
        // Whoever empties the cluster turns those away for whom it was named.
        if is_allowed && (takes || tenant.asked_for) {
            let other = stuck.and_then(|_| choose(known, profile, whose, rooms, wish, now).ok());
            let better = other.filter(|chosen| is_better(&chosen.cluster, room));
            return better.map_or(Fate::Waits, |chosen| Fate::Placed(Box::new(chosen)));
        }
        if tenant.asked_for {
            return Fate::Barred(not_there(profile, &room.cluster.name, &copies));
        }
    }
    match choose(known, profile, whose, rooms, wish, now) {
        Ok(chosen) => Fate::Placed(Box::new(chosen)),
        Err(problem) if tenant.wanted.is_some() && !takes => Fate::Adrift(problem),
        Err(problem) => Fate::Barred(problem),
    }
}

/// Whether one leaves a cluster that is in trouble for another: not for one that is in trouble too, or there would be no end of it.
fn is_better(other: &Cluster, its: &Room) -> bool {
    other.id != its.cluster.id && other.trouble.is_none()
}

/// Of one that nobody judges, where no cluster takes tenants.
fn any(tenant: &Unplaced) -> Fate {
    let environment = &tenant.environment;
    let problem = Problem::new(ErrorCode::ClusterClosed, format!("no cluster of `{environment}` takes tenants"))
        .next("see how the clusters are: `holm cluster list`");
    if tenant.wanted.is_some() { Fate::Adrift(problem) } else { Fate::Barred(problem) }
}
