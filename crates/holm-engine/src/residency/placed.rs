//! Says where a cluster is: a provider and a region of the registry, with what that rests on.
//!
//! Promises: a place that nobody knows is refused with the nearest that is known, and a region that is one of several is never
//! filled in. What was there before is judged anew at once, also if that tells a breach: the truth is not refused.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::cluster::ClusterName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::ClusterId;
use holm_policy::id::{Place, ProviderId, RegionId};
use holm_policy::registry::Registry;
use holm_store::audit::record;
use holm_store::cluster::Cluster;
use holm_store::residency::{self, placed};
use holm_store::tx::Tx;

use super::assigned::invalid;
use super::known::Known;
use super::watch;
use crate::control::Control;

/// Where something is said to be, before it is known whether there is such a place.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Claim {
    /// A provider of the registry.
    pub provider: String,
    /// A region of it.
    pub region: String,
    /// What that rests on: an invoice, an address, somebody's word.
    pub evidence: Option<String>,
}

/// Longer than any address of a document, and short enough for a table.
const EVIDENCE_LENGTH_MAX: usize = 2000;

impl Claim {
    /// The place, if the registry knows it.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidValue`], with the places that there are.
    pub fn place(&self, registry: &Registry) -> Result<Place, Problem> {
        let provider: ProviderId = self.provider.parse().map_err(|error| invalid("provider", &error))?;
        let region: RegionId = self.region.parse().map_err(|error| invalid("region", &error))?;
        let fits = |evidence: &String| evidence.chars().count() <= EVIDENCE_LENGTH_MAX && !evidence.chars().any(char::is_control);
        if !self.evidence.as_ref().is_none_or(fits) {
            return Err(invalid("evidence", &format!("accepted: at most {EVIDENCE_LENGTH_MAX} characters on one line")));
        }
        let Some(known) = registry.provider(&provider) else {
            return Err(invalid("provider", &format!("the registry knows no provider `{provider}`"))
                .next("see which there are: `holm provider list`; add one of your own: `holm residency facts add FILE`"));
        };
        if !known.regions.contains_key(&region) {
            let regions: Vec<&str> = known.regions.keys().map(RegionId::as_str).collect();
            let why = match regions.as_slice() {
                [] => format!("the registry knows no region of `{provider}`"),
                some => format!("`{provider}` has no region `{region}`; it has: {}", some.join(", ")),
            };
            return Err(invalid("region", &why).next("a region is never filled in: say which, or add it: `holm residency facts add FILE`"));
        }
        Ok(Place { provider, region })
    }
}

/// Says where a cluster is, and returns it.
///
/// # Errors
/// No such cluster, no such place; nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn set_place(control: &Control, by: &Actor, name: &ClusterName, claim: Claim) -> Result<Cluster, Problem> {
    control.tasks().finish("say where a cluster is", act(control.clone(), by.clone(), name.clone(), claim)).await
}

async fn act(control: Control, by: Actor, name: ClusterName, claim: Claim) -> Result<Cluster, Problem> {
    let cluster = crate::cluster::named(&control, &name).await?;
    let mut tx = control.catalog().transaction().await?;
    let (known, _) = Known::alone(&control, &mut tx).await?;
    let place = claim.place(known.registry())?;
    residency::advance(&mut tx).await?;
    let detail = Detail::Judged { what: place.to_string(), before: cluster.placed.map(|placed| placed.place) };
    if !write(&mut tx, cluster.id, &place, claim.evidence.as_deref()).await? {
        return Err(Problem::new(ErrorCode::ClusterNotFound, format!("cluster `{name}` is gone")));
    }
    let entry = NewEntry::new(&by, AuditAction::ClusterPlace, Some(&cluster.environment), Subject::Cluster(cluster.id));
    record(&mut tx, entry.with(detail));
    tx.commit().await?;
    watch::soon(&control);
    crate::cluster::named(&control, &name).await
}

/// In the transaction that makes or changes the cluster's row.
pub(crate) async fn write(tx: &mut Tx, cluster: ClusterId, place: &Place, evidence: Option<&str>) -> Result<bool, Problem> {
    Ok(placed::set(tx, cluster, &place.to_string(), evidence).await?)
}
