//! Says where a cluster is: a provider and a region of the registry, with what that rests on.
//!
//! Promises: a place that nobody knows is refused with the nearest that is known, and a region that is one of several is never
//! filled in. What was there before is judged anew at once, also if that tells a breach: the truth is not refused.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::cluster::ClusterName;
use holm_core::error::{ErrorCode, Problem};
use holm_policy::id::{Place, PlanId, ProviderId, RegionId};
use holm_policy::registry::Registry;
use holm_store::audit::record;
use holm_store::cluster::Cluster;
use holm_store::residency::placed::{Claimed, Placed};
use holm_store::residency::{self, placed};

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
    /// On which plan of the provider's; not known where nobody said.
    #[serde(default)]
    pub plan: Option<String>,
    /// What that rests on: an invoice, an address, somebody's word.
    pub evidence: Option<String>,
}

/// Longer than any address of a document, and short enough for a table.
const EVIDENCE_LENGTH_MAX: usize = 2000;

impl Claim {
    /// As the catalog keeps it.
    pub(crate) fn claimed(&self) -> Claimed {
        let Self { provider, region, plan, evidence } = self.clone();
        Claimed { place: format!("{provider}/{region}"), plan, evidence }
    }

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
        self.plan.as_deref().map(|plan| plan_of(registry, &provider, plan)).transpose()?;
        Ok(Place { provider, region })
    }
}

/// A plan of a provider: one that the registry has heard of, if it has heard of any. That a region is not had on it is no mistake
/// here, since the truth is not refused: a profile may ask for it, and judges.
///
/// # Errors
/// [`ErrorCode::InvalidValue`], with the plans that there are.
pub(super) fn plan_of(registry: &Registry, provider: &ProviderId, text: &str) -> Result<PlanId, Problem> {
    let plan: PlanId = text.parse().map_err(|error| invalid("plan", &error))?;
    let known = registry.provider(provider).map(|known| known.plans()).unwrap_or_default();
    if known.is_empty() || known.contains(&plan) {
        return Ok(plan);
    }
    let known: Vec<&str> = known.into_iter().map(PlanId::as_str).collect();
    Err(invalid("plan", &format!("the registry knows no plan `{plan}` of `{provider}`; it knows: {}", known.join(", ")))
        .next("leave it out if it is none of these, or add it: `holm residency facts add FILE`"))
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
    let (what, before) = (written(&place, claim.plan.as_deref()), cluster.placed.map(|placed| said(&placed)));
    let detail = Detail::Judged { what, before };
    if !placed::set(&mut tx, cluster.id, &claim.claimed()).await? {
        return Err(Problem::new(ErrorCode::ClusterNotFound, format!("cluster `{name}` is gone")));
    }
    let entry = NewEntry::new(&by, AuditAction::ClusterPlace, Some(&cluster.environment), Subject::Cluster(cluster.id));
    record(&mut tx, entry.with(detail));
    tx.commit().await?;
    watch::soon(&control);
    crate::cluster::named(&control, &name).await
}

/// As the audit log has a place and a plan: `railway/europe-west4-drams3a@pro`.
pub(super) fn written(place: &dyn std::fmt::Display, plan: Option<&str>) -> String {
    plan.map_or_else(|| place.to_string(), |plan| format!("{place}@{plan}"))
}

/// On which plan something is said to be, as verdicts have it.
pub(super) fn plan(placed: &Placed) -> Option<PlanId> {
    placed.plan.as_ref().and_then(|plan| plan.parse().ok())
}

pub(super) fn said(placed: &Placed) -> String {
    written(&placed.place, placed.plan.as_deref())
}
