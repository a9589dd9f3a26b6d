//! Places a tenant that is to be made: by its profile, or its environment's, on a cluster that it allows.
//!
//! Promises: what is judged by stays in force until the transaction that makes the tenant ends, so that a profile that is
//! edited meanwhile is the one that counts or is not yet; why it is there, and why not elsewhere, is kept in that transaction.

use holm_core::cluster::ClusterName;
use holm_core::error::Problem;
use holm_core::id::TenantId;
use holm_store::cluster;
use holm_store::residency::{assigned, decision, room, standing};
use holm_store::tx::Tx;

use super::create::NewTenant;
use crate::control::Control;
use crate::environment;
use crate::residency::choose::{Chosen, Room, choose, standings};
use crate::residency::copies::Whose;
use crate::residency::known::Known;

/// Where it is to be, by which profile.
pub(super) struct Placing {
    profile: String,
    chosen: Chosen,
}

impl Placing {
    pub(super) fn cluster(&self) -> &ClusterName {
        &self.chosen.cluster.name
    }

    pub(super) fn profile(&self) -> &str {
        &self.profile
    }

    /// Keeps why, and what each copy came to.
    pub(super) async fn keep(self, tx: &mut Tx, tenant: TenantId) -> Result<(), Problem> {
        let value = serde_json::to_value(&self.chosen.decision).expect("a decision is words and numbers");
        decision::keep(tx, tenant, &value).await?;
        for standing in standings(tenant, &self.chosen.copies) {
            standing::set(tx, &standing).await?;
        }
        Ok(())
    }
}

/// `None` for one that nobody judges.
pub(super) async fn place(control: &Control, tx: &mut Tx, new: &NewTenant) -> Result<Option<Placing>, Problem> {
    let given = assigned::of_environment_within(tx, &new.environment).await?.ok_or_else(|| environment::not_found(&new.environment))?;
    let Some(profile) = new.profile.clone().or(given.profile) else { return Ok(None) };
    let (known, now) = Known::within(control, tx).await?;
    let profile = known.profile(&profile)?;
    let clusters = cluster::list_within(tx).await?;
    if let Some(asked) = &new.cluster
        && !clusters.iter().any(|cluster| cluster.name == *asked && cluster.environment == new.environment && cluster.adopted.is_none())
    {
        return Err(super::create::no_such_cluster(new));
    }
    let rooms: Vec<Room> = room::of_environment_within(tx, &new.environment)
        .await?
        .into_iter()
        .filter_map(|room| {
            let cluster = clusters.iter().find(|cluster| cluster.id == room.cluster)?;
            Some(Room { cluster: cluster.clone(), ready: room.ready, tenants: room.tenants })
        })
        .collect();
    let whose = Whose { environment: &new.environment, kind: given.kind, tenant: None };
    let chosen = choose(&known, profile, whose, &rooms, new.cluster.as_ref(), now)?;
    Ok(Some(Placing { profile: profile.metadata().id.to_string(), chosen }))
}
