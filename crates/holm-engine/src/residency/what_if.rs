//! What if facts were otherwise: which tenants' copies would come to something else, and where these would go (R10, R21).
//!
//! Promises: every copy of every tenant that has a profile and a place is judged twice, as things are and as they are supposed to
//! be, those that were seen on its server too; the plan names clusters of the tenant's own environment alone, and only those that take
//! tenants, by what was seen there. Whatever is not judged is counted, so that silence is not taken for safety. Refuses to change anything.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use aws_lc_rs::digest;
use holm_core::cluster::ClusterName;
use holm_core::cluster::state::ClusterState;
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::ClusterId;
use holm_core::slug::TenantSlug;
use holm_policy::copy::KeyHolder;
use holm_policy::fleet::what_if::{self as fleet, Change};
use holm_policy::fleet::{self as policy, Found, Of, shorthand};
use holm_policy::profile::Profile;
use holm_policy::registry::Supposition;
use holm_store::cluster::{self, Cluster};
use holm_store::residency::assigned::{self, Held};
use jiff::Timestamp;

use super::copies::{self, Origin, Terms, There, Whose};
use super::known::Known;
use crate::control::Control;

pub use holm_policy::fleet::plan::{Act, Why};

/// As many as a person thinks of at once; each costs a reading of the registry.
const SUPPOSED_MAX: usize = 32;

/// What would come of it.
#[derive(Clone, Debug)]
pub struct WhatIf {
    /// As of when.
    pub judged_at: Timestamp,
    /// What is known, as a hash.
    pub registry_hash: String,
    /// The same as it is supposed to be.
    pub supposed_hash: String,
    /// Each fact that is supposed, and its value.
    pub supposed: Vec<(String, String)>,
    /// Copies that would come to something else: production first.
    pub changes: Vec<Changed>,
    /// How many copies would come to the same.
    pub unchanged: usize,
    /// What to do, in this order.
    pub plan: Vec<Step>,
    /// Tenants that nobody judges, since they have no profile.
    pub without_profile: usize,
    /// Tenants that cannot be judged, since nobody said where their cluster is.
    pub without_place: usize,
    /// Copies that were seen and cannot be judged, since nobody said where they are.
    pub unplaced: Vec<Unplaced>,
}

/// A copy of everything on a cluster that cannot be judged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Unplaced {
    /// Where.
    pub environment: EnvironmentName,
    /// Of what.
    pub cluster: ClusterName,
    /// What it is called; `not-looked` where nobody has looked yet.
    pub copy: String,
}

/// A copy that would come to something else.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Where.
    pub environment: EnvironmentName,
    /// On which cluster its database is.
    pub cluster: ClusterName,
    /// What changes.
    pub change: Change<TenantSlug>,
}

/// Something to do.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where.
    pub environment: EnvironmentName,
    /// From which cluster.
    pub cluster: ClusterName,
    /// What.
    pub step: policy::plan::Step<TenantSlug>,
}

impl WhatIf {
    /// Another one where anything in it is another but the time of asking: also where the same tenants would go elsewhere, or what
    /// speaks against a cluster is another reason.
    pub fn fingerprint(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        let mut add = |text: &dyn std::fmt::Debug| context.update(format!("{text:?}\0").as_bytes());
        let Self {
            judged_at: _,
            registry_hash,
            supposed_hash,
            supposed,
            changes,
            unchanged,
            plan,
            without_profile,
            without_place,
            unplaced,
        } = self;
        add(&(registry_hash, supposed_hash, supposed, unchanged, without_profile, without_place, unplaced));
        changes.iter().for_each(|change| add(change));
        plan.iter().for_each(|step| add(step));
        context.finish().as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Everything that is asked about.
struct Asked {
    known: Arc<Known>,
    now: Timestamp,
    supposed: Vec<Supposition>,
    clusters: Vec<Cluster>,
    held: Vec<Held>,
}

/// Asks, in the environments that `counts` says; a supposition is written as `dpf=annulled`.
///
/// # Errors
/// [`ErrorCode::InvalidValue`]: nothing is supposed, or something that cannot be; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn what_if(control: &Control, texts: &[String], counts: impl Fn(&EnvironmentName) -> bool) -> Result<WhatIf, Problem> {
    let (known, now) = Known::now(control).await?;
    let supposed = suppose(&known, texts)?;
    let clusters = cluster::list(control.catalog()).await?;
    let held = assigned::held(control.catalog()).await?.into_iter().filter(|held| counts(&held.environment)).collect();
    let asked = Asked { known, now, supposed, clusters, held };
    tokio::task::spawn_blocking(move || answer(&asked)).await.expect("judging does not panic")
}

/// Reads what is supposed.
pub(super) fn suppose(known: &Known, texts: &[String]) -> Result<Vec<Supposition>, Problem> {
    let wrong = |why: String| {
        Problem::new(ErrorCode::InvalidValue, "that cannot be supposed")
            .because(why)
            .next("write a name and what it would be: `eu-us-dpf=annulled`; facts and their ids: `holm provider show PROVIDER`")
    };
    if texts.is_empty() || texts.len() > SUPPOSED_MAX {
        return Err(wrong(format!("{} things are supposed; accepted: 1 to {SUPPOSED_MAX}", texts.len())));
    }
    let mut supposed = Vec::new();
    for text in texts {
        for one in shorthand::suppose(known.registry(), text).map_err(|error| wrong(error.to_string()))? {
            if let Some(same) = supposed.iter().find(|same: &&Supposition| same.fact == one.fact) {
                if same.is != one.is {
                    return Err(wrong(format!("`{}` is supposed twice, as {} and as {}", one.fact, same.is, one.is)));
                }
            } else {
                supposed.push(one);
            }
        }
    }
    Ok(supposed)
}

fn answer(asked: &Asked) -> Result<WhatIf, Problem> {
    let by_id: HashMap<ClusterId, &Cluster> = asked.clusters.iter().map(|cluster| (cluster.id, cluster)).collect();
    let mut environments: Vec<(&EnvironmentName, EnvironmentKind)> = Vec::new();
    for held in &asked.held {
        if !environments.iter().any(|(name, _)| **name == held.environment) {
            environments.push((&held.environment, held.kind));
        }
    }
    environments.sort_by_key(|(name, kind)| (EnvironmentKind::ALL.iter().position(|one| one == kind), *name));
    let registry = asked.known.registry();
    let today = asked.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let supposing = registry.supposing(&asked.supposed, today).map_err(|problems| cannot_be(&problems))?;
    let mut all = WhatIf {
        judged_at: asked.now,
        registry_hash: registry.hash().as_str().to_owned(),
        supposed_hash: supposing.hash().as_str().to_owned(),
        supposed: asked.supposed.iter().map(|one| (one.fact.to_string(), written(one))).collect(),
        changes: Vec::new(),
        unchanged: 0,
        plan: Vec::new(),
        without_profile: 0,
        without_place: 0,
        unplaced: Vec::new(),
    };
    let mut unplaced = BTreeSet::new();
    for (environment, kind) in environments {
        let tenants = asked.held.iter().filter(|held| held.environment == *environment);
        let on: HashMap<&TenantSlug, &Cluster> =
            tenants.clone().filter_map(|held| Some((&held.slug, *by_id.get(&held.cluster)?))).collect();
        let mut copies = Vec::new();
        for tenant in tenants {
            let Some(profile) = tenant.profile.as_ref().and_then(|name| asked.known.profile(name).ok()) else {
                all.without_profile += 1;
                continue;
            };
            let Some(cluster) = on.get(&tenant.slug).filter(|cluster| copies::place_of(cluster).is_some()) else {
                all.without_place += 1;
                continue;
            };
            let whose = Whose { environment, kind, tenant: Some(tenant.tenant) };
            for copy in copies::there(&asked.known, &Terms::of(&asked.known, whose), cluster) {
                match held_copy(&asked.known, tenant, profile, cluster, &copy) {
                    Some(held) => copies.push(held),
                    None => drop(unplaced.insert(Unplaced {
                        environment: environment.clone(),
                        cluster: cluster.name.clone(),
                        copy: copy.copy.to_string(),
                    })),
                }
            }
        }
        let candidates = candidates(asked, environment, kind);
        let found = fleet::what_if(registry, &copies, &asked.supposed, &candidates, asked.now).map_err(|problems| cannot_be(&problems))?;
        let cluster = |tenant: &TenantSlug| on[tenant].name.clone();
        all.unchanged += found.unchanged;
        all.changes.extend(found.changes.into_iter().map(|change| Changed {
            environment: environment.clone(),
            cluster: cluster(&change.tenant),
            change,
        }));
        all.plan.extend(found.plan.into_iter().map(|step| Step { environment: environment.clone(), cluster: cluster(&step.tenant), step }));
    }
    all.unplaced = unplaced.into_iter().collect();
    Ok(all)
}

/// A copy as surveys have it; `None` where nobody said where it is.
fn held_copy<'a>(
    known: &'a Known,
    tenant: &Held,
    profile: &'a Profile,
    cluster: &Cluster,
    copy: &There,
) -> Option<policy::Held<'a, TenantSlug>> {
    let placement = copy.placement.clone()?;
    Some(policy::Held {
        tenant: tenant.slug.clone(),
        profile,
        exceptions: known.exceptions(tenant.tenant, &placement.place),
        placement,
        of: match copy.origin {
            Origin::Tenant => Of::Tenant,
            // A registered one is at every candidate of the environment too: no move leaves it behind.
            Origin::Seen | Origin::Registered | Origin::NotLooked => Of::Server(cluster.name.as_str().into()),
        },
    })
}

/// Where tenants of an environment could go.
fn candidates(asked: &Asked, environment: &EnvironmentName, kind: EnvironmentKind) -> Vec<policy::Candidate> {
    let takes =
        |cluster: &&Cluster| cluster.environment == *environment && cluster.adopted.is_none() && cluster.state == ClusterState::Open;
    let terms = Terms::of(&asked.known, Whose { environment, kind, tenant: None });
    let candidate = |cluster: &Cluster| {
        let seen = copies::there(&asked.known, &terms, cluster).into_iter().filter(|copy| copy.origin != Origin::Tenant);
        let found = seen.map(|copy| {
            let key_holder = copy.placement.as_ref().map_or(KeyHolder::Provider, |placement| placement.key_holder);
            let (place, plan) = copy.placement.map(|placement| (placement.place, placement.plan)).unzip();
            Found { copy: copy.copy, role: copy.role, place, plan: plan.flatten(), key_holder }
        });
        let found = found.collect();
        Some(policy::Candidate {
            found,
            plan: copies::plan_of(cluster),
            ..policy::Candidate::anywhere(cluster.name.as_str(), copies::place_of(cluster)?)
        })
    };
    asked.clusters.iter().filter(takes).filter_map(candidate).collect()
}

/// What a fact is supposed to be, as people write it.
pub(super) fn written(one: &Supposition) -> String {
    one.is.as_str().map_or_else(|| one.is.to_string(), ToOwned::to_owned)
}

pub(super) fn cannot_be(problems: &dyn std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::InvalidValue, "what is supposed cannot be").because(problems.to_string())
}
