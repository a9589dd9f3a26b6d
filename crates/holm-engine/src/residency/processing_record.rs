//! The part of a record of processing activities that Holm knows: for each tenant which copies there are, where, by whom, carried by
//! which mechanism, and for how long (GDPR Art. 30).
//!
//! Promises: it says which profile is satisfied, by which facts, as of when. Refuses to say that anything is lawful, and to make up
//! what a controller alone knows: purposes, categories of persons and of data.

use std::collections::{BTreeMap, BTreeSet};

use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::Problem;
use holm_core::slug::TenantSlug;
use holm_policy::copy::CopyRole;
use holm_policy::evaluate::verdict::{Finding, Outcome};
use holm_policy::id::Place;
use holm_policy::registry::Registry;
use holm_store::cluster::Cluster;
use holm_store::residency::assigned::Held;
use jiff::Timestamp;
use jiff::civil::Date;

use super::as_of::{AsOf, Moment};
use super::copies::{self, Comes, Origin, Terms, Whose};
use super::known::Known;
use super::lies::{self, Lies};
use crate::control::Control;
use crate::environment;

/// The record, as of one moment.
#[derive(Clone, Debug)]
pub struct Record {
    /// Of which environment.
    pub environment: EnvironmentName,
    /// What that is for.
    pub kind: EnvironmentKind,
    /// As of when.
    pub as_of: Timestamp,
    /// What was known, as a hash.
    pub registry_hash: String,
    /// How many tenants it is about.
    pub tenants_count: usize,
    /// By name: all of them, or a part.
    pub tenants: Vec<Entry>,
    /// After whom the next part begins, if there is one.
    pub next: Option<TenantSlug>,
    /// What is not known of then.
    pub notes: Vec<String>,
}

/// What there is of a tenant.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose.
    pub tenant: TenantSlug,
    /// The profile, its version, and what it is about.
    pub profile: Option<(String, u32, String)>,
    /// The cluster of its database.
    pub cluster: String,
    /// Where that is said to be.
    pub place: Option<String>,
    /// Who signs there.
    pub contracting: Option<String>,
    /// Every copy.
    pub copies: Vec<Copy>,
}

/// A copy of its data.
#[derive(Clone, Debug)]
pub struct Copy {
    /// What it is.
    pub role: CopyRole,
    /// Where it lies.
    pub lies: Lies,
    /// What the profile says of it; `None` without one.
    pub outcome: Option<Outcome>,
    /// Until when that holds, if nothing changes before.
    pub valid_until: Option<Timestamp>,
    /// What it says of transfers to third countries: rule, and why.
    pub transfers: Vec<(String, Outcome, String)>,
    /// By which facts.
    pub facts: Vec<String>,
    /// What is known of how long it is kept.
    pub retention: Vec<Retention>,
}

/// What is known of how long something is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retention {
    /// The fact.
    pub fact: String,
    /// What it says: days.
    pub value: String,
    /// Where it was read.
    pub source: String,
    /// When.
    pub checked_on: Date,
}

/// Writes it.
///
/// # Errors
/// No such environment; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn record(control: &Control, name: &EnvironmentName) -> Result<Record, Problem> {
    record_as_of(control, name, AsOf::default()).await
}

/// Writes that of another day.
///
/// # Errors
/// As [`record`]; a time of which nothing is known.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn record_as_of(control: &Control, name: &EnvironmentName, asked: AsOf) -> Result<Record, Problem> {
    record_part(control, name, asked, None, usize::MAX).await
}

/// Writes the part that begins after a tenant and has so many at the most.
///
/// # Errors
/// As [`record_as_of`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn record_part(
    control: &Control,
    name: &EnvironmentName,
    asked: AsOf,
    after: Option<&TenantSlug>,
    limit: usize,
) -> Result<Record, Problem> {
    let kind = environment::show(control, name).await?.kind;
    let mut moment = Moment::of(control, asked).await?;
    moment.note_gone(control, name).await?;
    let (known, as_of) = (moment.known.clone(), moment.now);
    let clusters: BTreeMap<_, _> = moment.clusters(control).await?.into_iter().map(|one| (one.id.as_uuid(), one)).collect();
    let mut held = moment.held(control, name).await?;
    held.sort_by(|a, b| a.slug.cmp(&b.slug));
    let tenants_count = held.len();
    // What is not in this part is not judged for it.
    held.retain(|held| after.is_none_or(|after| held.slug > *after));
    let more = held.len() > limit;
    held.truncate(limit);
    let next = held.last().filter(|_| more).map(|last| last.slug.clone());
    let registry_hash = known.registry().hash().as_str().to_owned();
    let entries = move || {
        let retention = retention(known.registry(), as_of);
        let of = |held: &Held| Some(entry(&known, kind, held, clusters.get(&held.cluster.as_uuid())?, &retention, as_of));
        held.iter().filter_map(of).collect()
    };
    let tenants = tokio::task::spawn_blocking(entries).await.expect("judging does not panic");
    Ok(Record { environment: name.clone(), kind, as_of, registry_hash, tenants_count, tenants, next, notes: moment.notes() })
}

/// What is known of each provider's PostgreSQL.
type Retentions = BTreeMap<String, Vec<(String, Retention)>>;

fn retention(registry: &Registry, now: Timestamp) -> Retentions {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut found = Retentions::new();
    for fact in registry.facts() {
        let Some((subject, key)) = fact.id.as_str().rsplit_once('.') else { continue };
        let Some(provider) = subject.strip_prefix("service:").and_then(|subject| subject.strip_suffix("/postgres")) else { continue };
        if !matches!(key, "residue_days" | "backup_retention_days_min" | "pitr_days") {
            continue;
        }
        if let (Some(value), Some(evidence)) = (fact.value, fact.evidence.filter(|evidence| today < evidence.valid_until)) {
            let retention =
                Retention { fact: fact.id.to_string(), value, source: evidence.what.to_string(), checked_on: evidence.checked_on };
            found.entry(provider.to_owned()).or_default().push((key.to_owned(), retention));
        }
    }
    found
}

fn entry(known: &Known, kind: EnvironmentKind, held: &Held, cluster: &Cluster, retention: &Retentions, now: Timestamp) -> Entry {
    let profile = held.profile.as_deref().and_then(|name| known.profile(name).ok());
    let whose = Whose { environment: &held.environment, kind, tenant: Some(held.tenant) };
    let place = copies::place_of(cluster);
    let at = place.as_ref().and_then(|place| known.registry().region(place));
    // Of the database itself nothing is kept for a time; what is made of it is.
    let kept = |role: CopyRole, place: Option<&Place>| {
        let all = place.and_then(|place| retention.get(place.provider.as_str())).into_iter().flatten();
        let all = all.filter(|(key, _)| key == "residue_days" || role == CopyRole::Backup);
        all.map(|(_, retention)| retention.clone()).collect()
    };
    let there = copies::there(known, &Terms::of(known, whose), cluster).into_iter();
    // Which copies a provider makes of what nobody judges is not asked.
    let there = there.filter(|copy| profile.is_some() || copy.origin != Origin::Tenant || copy.role == CopyRole::Primary);
    let copies = there.map(|copy| {
        let (role, place) = (copy.role, copy.placement.as_ref().map(|placement| placement.place.clone()));
        let kept = kept(role, place.as_ref());
        let Some(profile) = profile else {
            let lies = place.map(|place| lies::server(known.registry(), &place, now)).unwrap_or_default();
            return Copy { role, lies, outcome: None, valid_until: None, transfers: Vec::new(), facts: Vec::new(), retention: kept };
        };
        let lies = copy.placement.as_ref().map(|placement| lies::copy(known.registry(), profile, placement, now));
        let judged = copy.judged(known, profile, whose.tenant, now);
        let findings: &[Finding] = match &judged.standing {
            Comes::To(verdict) => &verdict.findings,
            Comes::Nowhere => &[],
        };
        let transfers = findings.iter().filter(|finding| finding.rule.as_str().starts_with("transfer."));
        let facts: BTreeSet<String> = findings.iter().flat_map(|finding| &finding.facts).map(ToString::to_string).collect();
        Copy {
            role,
            lies: lies.unwrap_or_default(),
            outcome: Some(judged.outcome()),
            valid_until: judged.valid_until(),
            transfers: transfers.map(|one| (one.rule.to_string(), one.outcome, one.because.clone())).collect(),
            facts: facts.into_iter().collect(),
            retention: kept,
        }
    });
    let copies = copies.collect();
    Entry {
        tenant: held.slug.clone(),
        profile: profile.map(|one| (one.metadata().id.to_string(), one.metadata().version, one.metadata().title.en.clone())),
        cluster: cluster.name.to_string(),
        place: place.as_ref().map(ToString::to_string),
        contracting: at.and_then(|(provider, _)| provider.contracting.at(now).ok()).map(|held| held.value.to_string()),
        copies,
    }
}
