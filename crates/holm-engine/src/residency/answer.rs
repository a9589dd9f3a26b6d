//! Answers: where every copy of a tenant's data is and by whose word, why it may be there, why it could not be elsewhere, and
//! what that rests on.
//!
//! Promises: an answer is judged when it is asked for, by what is in force then; what was decided when the tenant was placed is
//! told beside it, as it was. Asked about another day, what was in force then is what counts.

use std::collections::BTreeMap;

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::slug::TenantSlug;
use holm_policy::copy::CopyRole;
use holm_policy::evaluate::verdict::Outcome;
use holm_policy::id::Place;
use holm_store::cluster::Cluster;
use holm_store::residency::observed::Observed;
use holm_store::residency::placed::Placed;
use holm_store::residency::{decision, standing};
use holm_store::tenant::Tenant;
use jiff::Timestamp;

use super::as_of::{AsOf, Moment};
use super::copies::{self, Judged, Kept, Origin, Terms, Whose};
use super::decision::{Candidate, Decision, objections};
use super::lies::{self, Lies};
use super::rests_on::{self, Fall, Ground};
use crate::control::Control;
use crate::{environment, tenant};

/// A copy, where it is and what it comes to.
#[derive(Clone, Debug)]
pub struct Where {
    /// The copy; judged if the tenant has a profile.
    pub copy: String,
    /// What it is: `primary`.
    pub role: String,
    /// The cluster that it is on.
    pub cluster: ClusterName,
    /// Where that is said to be.
    pub placed: Option<Placed>,
    /// Whose machines hold the copy, where; of a backup that a provider makes not always that place.
    pub lies: Lies,
    /// Who signs there.
    pub contracting: Option<String>,
    /// When the server was last seen to be the one that was registered.
    pub observed_at: Option<Timestamp>,
    /// What it comes to; `None` without a profile.
    pub judged: Option<Judged>,
    /// Since when it comes to that, as far as it was noted.
    pub since: Option<Timestamp>,
}

/// Where every copy of a tenant is.
///
/// # Errors
/// No such tenant; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn whereabouts(control: &Control, name: &EnvironmentName, slug: &TenantSlug) -> Result<(Tenant, Vec<Where>), Problem> {
    let told = whereabouts_as_of(control, name, slug, AsOf::default()).await?;
    Ok((told.tenant, told.copies))
}

/// Where every copy of a tenant is, or was.
#[derive(Clone, Debug)]
pub struct Whereabouts {
    /// The tenant, judged as it was.
    pub tenant: Tenant,
    /// Its copies.
    pub copies: Vec<Where>,
    /// What is not known of then.
    pub notes: Vec<String>,
}

/// Where every copy of a tenant was.
///
/// # Errors
/// No such tenant; a time of which nothing is known; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn whereabouts_as_of(control: &Control, name: &EnvironmentName, slug: &TenantSlug, asked: AsOf) -> Result<Whereabouts, Problem> {
    let kind = environment::show(control, name).await?.kind;
    let mut moment = Moment::of(control, asked).await?;
    let tenant = its_then(&mut moment, tenant::show(control, name, slug).await?);
    let Some(cluster) = its_cluster(control, &mut moment, &tenant).await? else {
        return Ok(Whereabouts { tenant, copies: Vec::new(), notes: moment.notes() });
    };
    let (known, now, is_now) = (moment.known.clone(), moment.now, moment.in_force().is_none());
    let place = copies::place_of(&cluster);
    let at = place.as_ref().and_then(|place| known.registry().region(place));
    let contracting = at.and_then(|(provider, _)| provider.contracting.at(now).ok()).map(|held| held.value.to_string());
    let noted: BTreeMap<String, (String, Timestamp)> = standing::of_tenant(control.catalog(), tenant.id)
        .await?
        .into_iter()
        .map(|(standing, since)| (standing.copy, (standing.outcome, since)))
        .collect();
    let server = place.as_ref().map(|place| lies::server(known.registry(), place, now)).unwrap_or_default();
    let bare = |copy: &str, role: &str| Where {
        copy: copy.to_owned(),
        role: role.to_owned(),
        cluster: cluster.name.clone(),
        placed: cluster.placed.clone(),
        lies: server.clone(),
        contracting: contracting.clone(),
        observed_at: cluster.capability.as_ref().map(|seen| seen.observed_at).filter(|seen| is_now || *seen <= now),
        judged: None,
        since: None,
    };
    // What was seen on the cluster, or is registered, is somewhere else than the cluster, or may be.
    let elsewhere = |placed: Option<&Placed>, at: Where| {
        let place: Option<Place> = placed.and_then(|placed| placed.place.parse().ok());
        let region = place.as_ref().and_then(|place| known.registry().region(place));
        Where {
            placed: placed.cloned(),
            lies: place.as_ref().map(|place| lies::server(known.registry(), place, now)).unwrap_or_default(),
            contracting: region.and_then(|(provider, _)| provider.contracting.at(now).ok()).map(|held| held.value.to_string()),
            ..at
        }
    };
    let seen =
        |copy: &Observed| elsewhere(copy.placed.as_ref(), bare(copies::id_of(&copy.seen).as_str(), copies::role_of(&copy.seen).as_str()));
    let registered = |kept: &Kept| {
        // Nobody looks there.
        elsewhere(Some(&kept.placed), Where { observed_at: None, ..bare(kept.copy.as_str(), kept.role.as_str()) })
    };
    let profile = tenant.profile.as_deref().map(|name| known.profile(name)).transpose()?;
    let whose = Whose { environment: name, kind, tenant: Some(tenant.id) };
    let terms = Terms::of(&known, whose);
    let there = copies::there(&known, &terms, &cluster).into_iter();
    // Which copies a provider makes of what nobody judges is not asked.
    let there = there.filter(|copy| profile.is_some() || copy.origin != Origin::Tenant || copy.role == CopyRole::Primary);
    let found = there.map(|copy| {
        let (id, role) = (copy.copy.to_string(), copy.role.as_str());
        let at = match copy.origin {
            Origin::Tenant => bare(&id, role),
            Origin::Seen => {
                cluster.copies.iter().find(|observed| copies::id_of(&observed.seen) == copy.copy).map_or_else(|| bare(&id, role), seen)
            }
            // By somebody's word, from a day.
            Origin::Registered => terms.registered.iter().find(|kept| kept.copy == copy.copy).map_or_else(|| bare(&id, role), registered),
            Origin::NotLooked => Where { placed: None, lies: Lies::default(), contracting: None, ..bare(&id, role) },
        };
        let Some(profile) = profile else { return at };
        let lies = copy.placement.as_ref().map(|placement| lies::copy(known.registry(), profile, placement, now));
        let judged = copy.judged(&known, profile, whose.tenant, now);
        let since = noted
            .get(&id)
            .filter(|(outcome, since)| *outcome == judged.outcome().to_string() && (is_now || *since <= now))
            .map(|(_, since)| *since);
        Where { since, lies: lies.unwrap_or_default(), judged: Some(judged), ..at }
    });
    let copies = found.collect();
    Ok(Whereabouts { tenant, copies, notes: moment.notes() })
}

/// Why a tenant's data is where it is.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The tenant.
    pub tenant: Tenant,
    /// The profile, and which version; nothing else is there without one.
    pub profile: Option<(String, u32)>,
    /// Each copy where it is, with everything that each rule came to.
    pub here: Vec<Judged>,
    /// The other clusters of the environment, and why not there.
    pub elsewhere: Vec<Candidate>,
    /// What that it may be here rests on; the first to end is first.
    pub rests_on: Vec<Ground>,
    /// What would come of the fall of each law, decision or mechanism among these.
    pub falls: Vec<Fall>,
    /// What was decided when it was placed, and when.
    pub decided: Option<(Timestamp, Decision)>,
    /// What is not known of then.
    pub notes: Vec<String>,
}

/// Explains.
///
/// # Errors
/// No such tenant; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn explain(control: &Control, name: &EnvironmentName, slug: &TenantSlug) -> Result<Explained, Problem> {
    explain_as_of(control, name, slug, AsOf::default()).await
}

/// Explains why it was where it was.
///
/// # Errors
/// No such tenant; a time of which nothing is known; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn explain_as_of(control: &Control, name: &EnvironmentName, slug: &TenantSlug, asked: AsOf) -> Result<Explained, Problem> {
    let kind = environment::show(control, name).await?.kind;
    let mut moment = Moment::of(control, asked).await?;
    moment.note_gone(control, name).await?;
    let tenant = its_then(&mut moment, tenant::show(control, name, slug).await?);
    let decided = match moment.in_force() {
        Some(at) => decision::at(control.catalog(), tenant.id, at).await?,
        None => decision::latest(control.catalog(), tenant.id).await?,
    };
    let decided = decided.and_then(|(at, value)| serde_json::from_value(value).ok().map(|decision| (at, decision)));
    let (known, now) = (moment.known.clone(), moment.now);
    let nothing = |tenant: Tenant, notes: Vec<String>| Explained {
        tenant,
        profile: None,
        here: Vec::new(),
        elsewhere: Vec::new(),
        rests_on: Vec::new(),
        falls: Vec::new(),
        decided: None,
        notes,
    };
    let Some(profile) = tenant.profile.as_deref().map(|name| known.profile(name)).transpose()? else {
        return Ok(nothing(tenant, moment.notes()));
    };
    let whose = Whose { environment: name, kind, tenant: Some(tenant.id) };
    let cluster = its_cluster(control, &mut moment, &tenant).await?;
    let here = cluster.as_ref().map_or_else(Vec::new, |cluster| copies::on(&known, profile, whose, cluster, now));
    let others = moment.clusters(control).await?.into_iter().filter(|other| {
        other.environment == *name && other.adopted.is_none() && cluster.as_ref().is_none_or(|cluster| cluster.id != other.id)
    });
    let is_now = moment.in_force().is_none();
    let elsewhere = others.map(|other| {
        let copies = copies::on(&known, profile, whose, &other, now);
        let because = match copies::worst(&copies) {
            Outcome::Allow => "it would be allowed".to_owned(),
            Outcome::Unknown => "it cannot be said, and what is not known blocks".to_owned(),
            Outcome::Deny => "the profile denies it".to_owned(),
        };
        let candidate = Candidate::of(&other, &copies, because);
        // How far something was on another day is not kept.
        Candidate { round_trip_us: candidate.round_trip_us.filter(|_| is_now), ..candidate }
    });
    let elsewhere = elsewhere.collect();
    let grounds = rests_on::grounds(&known, &here);
    let profile = (profile.metadata().id.to_string(), profile.metadata().version);
    let falls = match cluster {
        Some(cluster) => {
            let (known, name, id, profile, grounds) = (known.clone(), name.clone(), tenant.id, profile.0.clone(), grounds.clone());
            let judge = move || {
                let whose = Whose { environment: &name, kind, tenant: Some(id) };
                rests_on::falls(&known, &profile, whose, &cluster, &grounds, now)
            };
            tokio::task::spawn_blocking(judge).await.expect("judging does not panic")?
        }
        None => Vec::new(),
    };
    Ok(Explained { profile: Some(profile), elsewhere, rests_on: grounds, falls, here, decided, tenant, notes: moment.notes() })
}

/// Where its database is; `None` while it has none.
async fn its_cluster(control: &Control, moment: &mut Moment, tenant: &Tenant) -> Result<Option<Cluster>, Problem> {
    match tenant.database.as_ref().and(tenant.cluster.as_ref()) {
        Some(name) if moment.had(tenant.created_at) => Ok(Some(moment.cluster(crate::cluster::named(control, name).await?))),
        _ => Ok(None),
    }
}

/// A tenant with the profile that it had.
fn its_then(moment: &mut Moment, tenant: Tenant) -> Tenant {
    if !moment.had(tenant.created_at) {
        moment.note(format!("`{}` was not there yet, or nobody knew: its name was taken at {}", tenant.slug, tenant.created_at));
    }
    let profile = moment.profile(tenant.id, tenant.profile.clone());
    Tenant { profile, ..tenant }
}

/// What speaks against a tenant's copies, in words.
pub fn written(copies: &[Judged]) -> Vec<String> {
    objections(copies).into_iter().map(|objection| format!("{} of the {}: {}", objection.rule, objection.copy, objection.because)).collect()
}
