//! Who processes a tenant's data besides us: every company in the chain of the places that an environment uses (GDPR Art. 28).
//!
//! Promises: each line says by which fact a company is in it, with its source and date; what nobody knows is a gap that is told, so
//! that a short list is not taken for a whole one.

use std::collections::{BTreeMap, BTreeSet};

use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_policy::copy::ServiceKind;
use holm_policy::fact::{Fact, Missing};
use holm_policy::id::{EntityId, Place};
use holm_policy::profile::Profile;
use holm_policy::registry::Registry;
use holm_policy::registry::provider::Provider;
use holm_store::cluster::Cluster;
use jiff::Timestamp;
use jiff::civil::Date;

use super::as_of::{AsOf, Moment};
use super::copies::{self, Origin, Terms, There, Whose};
use super::known::Known;
use super::lies;
use crate::control::Control;
use crate::environment;

/// The list, as of one moment.
#[derive(Clone, Debug)]
pub struct SubProcessors {
    /// Of which environment.
    pub environment: EnvironmentName,
    /// As of when.
    pub as_of: Timestamp,
    /// What was known, as a hash.
    pub registry_hash: String,
    /// The places in use, those of backups included.
    pub places: Vec<String>,
    /// By provider, then in the order of the chain.
    pub companies: Vec<Company>,
    /// What is not known, and would perhaps add to the list.
    pub gaps: Vec<String>,
}

/// A company, and why it is in the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Company {
    /// Its id in the registry.
    pub entity: String,
    /// What it is called.
    pub name: String,
    /// Where it is established.
    pub established_in: Option<String>,
    /// Who owns it, up to the last.
    pub owners: Vec<String>,
    /// Of which provider's chain.
    pub provider: String,
    /// How many links from the provider: 0 signs the contract.
    pub link: u32,
    /// What it is there for.
    pub purpose: String,
    /// How much it can see.
    pub reach: String,
    /// From where it works.
    pub countries: Vec<String>,
    /// The fact that says so.
    pub fact: String,
    /// Where that was read.
    pub source: String,
    /// Where it can be read again.
    pub url: Option<String>,
    /// When.
    pub checked_on: Date,
    /// How sure it is.
    pub certainty: String,
}

/// Lists them.
///
/// # Errors
/// No such environment; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn sub_processors(control: &Control, name: &EnvironmentName) -> Result<SubProcessors, Problem> {
    sub_processors_as_of(control, name, AsOf::default()).await
}

/// Lists those of another day; what is not known of it is a gap.
///
/// # Errors
/// As [`sub_processors`]; a time of which nothing is known.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn sub_processors_as_of(control: &Control, name: &EnvironmentName, asked: AsOf) -> Result<SubProcessors, Problem> {
    let kind = environment::show(control, name).await?.kind;
    let mut moment = Moment::of(control, asked).await?;
    moment.note_gone(control, name).await?;
    let (known, now) = (moment.known.clone(), moment.now);
    let clusters: BTreeMap<_, _> = moment.clusters(control).await?.into_iter().map(|one| (one.id.as_uuid(), one)).collect();
    let held = moment.held(control, name).await?;
    let (mut places, mut gaps) = (BTreeSet::new(), BTreeSet::from_iter(moment.notes()));
    // Where copies lie is the same for all on a cluster that are judged by one profile.
    let alike: BTreeSet<_> = held.iter().map(|held| (held.cluster.as_uuid(), held.profile.as_deref())).collect();
    let terms = Terms::of(&known, Whose { environment: name, kind, tenant: None });
    for (cluster, profile) in alike {
        let Some(cluster) = clusters.get(&cluster) else { continue };
        let profile = profile.and_then(|name| known.profile(name).ok());
        for copy in copies::there(&known, &terms, cluster) {
            match used(&known, profile, &copy, cluster, now) {
                Ok(found) => places.extend(found),
                Err(gap) => drop(gaps.insert(gap)),
            }
        }
        places.extend(copies::place_of(cluster));
    }
    let mut chain = Chain { registry: known.registry(), now, companies: Vec::new(), gaps };
    let providers: BTreeSet<_> = places.iter().map(|place| place.provider.clone()).collect();
    for id in &providers {
        match known.registry().provider(id) {
            Some(provider) => chain.of(provider, &places),
            None => drop(chain.gaps.insert(format!("nothing is known of provider `{id}`, at which something is said to be"))),
        }
    }
    Ok(SubProcessors {
        environment: name.clone(),
        as_of: now,
        registry_hash: known.registry().hash().as_str().to_owned(),
        places: places.iter().map(ToString::to_string).collect(),
        companies: chain.companies,
        gaps: chain.gaps.into_iter().collect(),
    })
}

/// The places that a copy uses; or what is not known of it.
fn used(known: &Known, profile: Option<&Profile>, copy: &There, cluster: &Cluster, now: Timestamp) -> Result<Vec<Place>, String> {
    let Some(placement) = &copy.placement else {
        return Err(match copy.origin {
            Origin::Tenant => format!("nobody said where cluster `{}` is", cluster.name),
            Origin::Seen => format!("nobody said where `{}` is, which was seen to copy cluster `{}`", copy.copy, cluster.name),
            Origin::Registered => format!("nobody said where `{}` is, which is registered", copy.copy),
            Origin::NotLooked => format!("nobody has looked yet who else receives the log of cluster `{}`", cluster.name),
        });
    };
    match (profile, copy.origin) {
        (Some(profile), _) => {
            let lies = lies::copy(known.registry(), profile, placement, now);
            let (role, place) = (copy.role, &placement.place);
            if lies.places.is_empty() {
                Err(format!("it is not known where the {role} of what is at `{place}` lies"))
            } else {
                Ok(lies.places)
            }
        }
        (None, Origin::Seen | Origin::Registered) => Ok(vec![placement.place.clone()]),
        // Of what nobody judges, the place of its cluster: where a provider puts the rest, is asked by a profile's rules.
        (None, _) => Ok(Vec::new()),
    }
}

/// A chain as far as it was followed.
struct Chain<'a> {
    registry: &'a Registry,
    now: Timestamp,
    companies: Vec<Company>,
    gaps: BTreeSet<String>,
}

/// A link of it.
struct Link<'a> {
    number: u32,
    purpose: String,
    reach: String,
    countries: Vec<String>,
    entity: &'a EntityId,
}

impl<'a> Chain<'a> {
    /// Adds everybody in a provider's.
    fn of(&mut self, provider: &'a Provider, places: &BTreeSet<Place>) {
        let mut seen = BTreeSet::new();
        if let Some(entity) = self.ask(&provider.contracting) {
            seen.insert(entity);
            let countries = self.ask(&provider.support_from).into_iter().flatten().map(ToString::to_string).collect();
            let link = Link { number: 0, purpose: "contract".to_owned(), reach: "content".to_owned(), countries, entity };
            self.add(provider, link, &provider.contracting);
        }
        for region in places.iter().filter(|place| place.provider == provider.id).filter_map(|place| provider.regions.get(&place.region)) {
            for entity in self.ask(&region.infrastructure).into_iter().flatten() {
                let countries = self.ask(&region.countries).into_iter().flatten().map(ToString::to_string).collect();
                let link = Link { number: 1, purpose: "infrastructure".to_owned(), reach: "content".to_owned(), countries, entity };
                self.add(provider, link, &region.infrastructure);
            }
        }
        let mut next = vec![provider];
        let mut number = 1;
        while !next.is_empty() {
            let mut further = Vec::new();
            for of in next {
                for part in self.ask(&of.sub_processors).into_iter().flatten() {
                    let countries = part.countries.iter().map(ToString::to_string).collect();
                    let (purpose, reach) = (part.purpose.to_string(), part.reach.to_string());
                    self.add(provider, Link { number, purpose, reach, countries, entity: &part.entity }, &of.sub_processors);
                    if seen.insert(&part.entity) {
                        match self.registry.providers().find(|other| other.contracting.claimed() == Some(&part.entity)) {
                            Some(other) => further.push(other),
                            None => drop(self.gaps.insert(format!("the registry does not say who processes for `{}`", part.entity))),
                        }
                    }
                }
            }
            (next, number) = (further, number + 1);
        }
        if !provider.services.contains_key(&ServiceKind::Postgres) && provider.regions.is_empty() {
            self.gaps.insert(format!("the registry knows no region of `{}`", provider.id));
        }
    }

    /// A fact's value; what is not known is a gap.
    fn ask<T>(&mut self, fact: &'a Fact<T>) -> Option<&'a T> {
        match fact.at(self.now) {
            Ok(held) => Some(held.value),
            Err(Missing::Unknown) => {
                self.gaps.insert(format!("`{}` is not known", fact.id()));
                None
            }
            Err(Missing::Expired(day)) => {
                self.gaps.insert(format!("`{}` was known until {day}", fact.id()));
                None
            }
        }
    }

    fn add<T>(&mut self, provider: &Provider, link: Link<'a>, because: &Fact<T>) {
        let (Some(entity), Some(evidence)) = (self.registry.entity(link.entity), because.evidence()) else {
            self.gaps.insert(format!("the registry knows no entity `{}`", link.entity));
            return;
        };
        let owners = self.owners(link.entity);
        let company = Company {
            entity: entity.id.to_string(),
            name: entity.name.clone(),
            established_in: self.ask(&entity.country).map(ToString::to_string),
            owners,
            provider: provider.id.to_string(),
            link: link.number,
            purpose: link.purpose,
            reach: link.reach,
            countries: link.countries,
            fact: because.id().to_string(),
            source: evidence.what.to_string(),
            url: evidence.url.as_ref().map(ToString::to_string),
            checked_on: evidence.checked_on,
            certainty: evidence.certainty.to_string(),
        };
        if !self.companies.contains(&company) {
            self.companies.push(company);
        }
    }

    /// Who owns a company, and who owns those; a circle of owners is walked once.
    fn owners(&mut self, id: &EntityId) -> Vec<String> {
        let (mut seen, mut next, mut names) = (BTreeSet::from([id.clone()]), vec![id.clone()], Vec::new());
        while let Some(id) = next.pop() {
            let Some(entity) = self.registry.entity(&id) else { continue };
            for parent in self.ask(&entity.parents).into_iter().flatten() {
                if seen.insert(parent.clone()) {
                    let parent_entity = self.registry.entity(parent);
                    let country =
                        parent_entity.and_then(|known| self.ask(&known.country)).map_or_else(|| "?".to_owned(), ToString::to_string);
                    names.push(format!("{} ({country})", parent_entity.map_or(parent.as_str(), |known| known.name.as_str())));
                    next.push(parent.clone());
                }
            }
        }
        names
    }
}
