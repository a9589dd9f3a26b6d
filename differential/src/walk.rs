//! Who and what a rule is about: for each copy the countries and companies of which every one must pass.

use std::collections::BTreeSet;

use holm_policy::copy::{CopyRole, ServiceKind};
use holm_policy::country::Territory;
use holm_policy::evaluate::{BackupBy, Placement};
use holm_policy::fact::Fact;
use holm_policy::id::{EntityId, Place};
use holm_policy::registry::Registry;
use holm_policy::registry::provider::{Provider, Region};
use holm_policy::registry::service::BackupRule;
use jiff::Timestamp;

use crate::policy::Policy;
use crate::world::{Known, NOWHERE, SOMEWHERE};

/// What must pass.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Subject {
    Country(String),
    Group(String),
    Company(String),
}

/// Everything of one kind that a rule is about. `doubt` is that there may be more.
#[derive(Clone, Default)]
pub(crate) struct About {
    pub(crate) subjects: BTreeSet<Subject>,
    pub(crate) doubt: bool,
    pub(crate) refused: bool,
}

impl About {
    fn add(&mut self, other: &Self) {
        self.subjects.extend(other.subjects.iter().cloned());
        self.doubt |= other.doubt;
        self.refused |= other.refused;
    }

    /// The subjects, with one that is in no place if it is refused and one of which nobody knows where it is if there may be more.
    pub(crate) fn all(&self) -> impl Iterator<Item = Subject> {
        let nobody = self.refused.then_some(NOWHERE).into_iter().chain(self.doubt.then_some(SOMEWHERE));
        self.subjects.iter().cloned().chain(nobody.map(|id| Subject::Country(id.to_owned())))
    }
}

/// Walks the registry for one profile at one time.
pub(crate) struct Walk<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Timestamp,
}

/// A copy and whoever is around it.
pub(crate) struct Around {
    pub(crate) location: About,
    pub(crate) staff: About,
    pub(crate) contracting: About,
    pub(crate) owners: About,
    pub(crate) sub_processors: About,
    pub(crate) affiliates: About,
}

impl<'a> Walk<'a> {
    fn ask<T>(&self, about: &mut About, fact: &'a Fact<T>) -> Option<&'a T> {
        let known = Known::of(fact, self.policy, self.now);
        about.doubt |= !known.is_sure();
        known.value()
    }

    pub(crate) fn around(&self, placement: &Placement) -> Option<Around> {
        let (provider, region) = self.registry.region(&placement.place)?;
        let mut lies = About::default();
        let regions = self.regions(placement, provider, region, &mut lies);
        let mut location = lies.clone();
        for (_, region) in &regions {
            let countries = self.ask(&mut location, &region.countries).into_iter().flatten();
            location.subjects.extend(countries.map(|country| Subject::Country(country.to_string())));
        }
        let mut contracting = About::default();
        let signs = self.ask(&mut contracting, &provider.contracting);
        contracting.subjects.extend(signs.map(|id| Subject::Company(id.to_string())));
        let mut owners = About { doubt: contracting.doubt, ..About::default() };
        let mut affiliates = owners.clone();
        if let Some(id) = signs {
            let above = self.above(id, &mut owners);
            affiliates.doubt |= owners.doubt;
            owners.subjects.extend(above.iter().map(|id| Subject::Company(id.to_string())));
            for id in std::iter::once(&id).chain(&above) {
                let Some(company) = self.registry.entity(id) else { continue };
                let countries = self.ask(&mut affiliates, &company.affiliates).into_iter().flatten();
                affiliates.subjects.extend(countries.map(|country| Subject::Country(country.to_string())));
            }
        }
        let (mut sub_processors, mut staff) = (lies.clone(), About::default());
        let links = self.links(placement, provider, &regions, &mut sub_processors, &mut staff);
        staff.add(&About { subjects: BTreeSet::new(), ..sub_processors.clone() });
        for id in links {
            let above = self.above(id, &mut sub_processors);
            sub_processors.subjects.extend(std::iter::once(id).chain(above).map(|id| Subject::Company(id.to_string())));
        }
        Some(Around { location, staff, contracting, owners, sub_processors, affiliates })
    }

    /// Where a copy lies: what follows a database may lie elsewhere.
    fn regions(
        &self,
        placement: &Placement,
        provider: &'a Provider,
        region: &'a Region,
        lies: &mut About,
    ) -> Vec<(&'a Provider, &'a Region)> {
        if !matches!(placement.role, CopyRole::Backup | CopyRole::Snapshot | CopyRole::Wal) {
            return vec![(provider, region)];
        }
        let postgres = provider.services.get(&ServiceKind::Postgres).and_then(|service| service.postgres.as_ref());
        match (&placement.backup, postgres) {
            (BackupBy::Holm, _) => vec![(provider, region)],
            (BackupBy::ProviderDefault, None) => {
                lies.doubt = true;
                Vec::new()
            }
            (BackupBy::ProviderDefault, Some(postgres)) => match self.ask(lies, &postgres.backup_rule) {
                Some(BackupRule::SameRegion | BackupRule::SameCountry) => vec![(provider, region)],
                Some(_) => {
                    let places = self.ask(lies, &region.backup_regions).into_iter().flatten();
                    places.filter_map(|place| self.region(place, lies)).collect()
                }
                None => Vec::new(),
            },
            (BackupBy::ProviderIn(place), postgres) => {
                match postgres.map(|postgres| self.ask(lies, &postgres.backup_overridable)) {
                    None => lies.doubt = true,
                    Some(Some(false)) => lies.refused = true,
                    Some(_) => {}
                }
                self.region(place, lies).into_iter().collect()
            }
        }
    }

    fn region(&self, place: &Place, lies: &mut About) -> Option<(&'a Provider, &'a Region)> {
        let found = self.registry.region(place);
        lies.doubt |= found.is_none();
        found
    }

    /// Every company above one, once each.
    fn above(&self, id: &EntityId, about: &mut About) -> Vec<&'a EntityId> {
        let mut found: Vec<&EntityId> = Vec::new();
        let mut open = vec![id.clone()];
        while let Some(id) = open.pop() {
            let Some(company) = self.registry.entity(&id) else {
                about.doubt = true;
                continue;
            };
            for parent in self.ask(about, &company.parents).into_iter().flatten() {
                if !found.contains(&parent) {
                    found.push(parent);
                    open.push(parent.clone());
                }
            }
        }
        found
    }

    /// Companies that have a copy in their hands besides the one that signs, and from where their staff and the providers' see it.
    fn links(
        &self,
        placement: &Placement,
        provider: &'a Provider,
        regions: &[(&'a Provider, &'a Region)],
        about: &mut About,
        staff: &mut About,
    ) -> BTreeSet<&'a EntityId> {
        let mut links = BTreeSet::new();
        let mut providers = vec![provider];
        for (other, region) in regions {
            links.extend(self.ask(about, &region.infrastructure).into_iter().flatten());
            if providers.iter().all(|known| known.id != other.id) {
                providers.push(other);
                links.extend(self.ask(about, &other.contracting));
            }
        }
        for provider in &providers {
            self.staff(staff, &provider.support_from);
        }
        let (mut asked, mut depth): (Vec<&Provider>, usize) = (Vec::new(), 0);
        let mut open = vec![provider];
        let mut named: Vec<&EntityId> = links.iter().copied().collect();
        while self.policy.depth.is_none_or(|most| depth < most) && !open.is_empty() {
            for provider in std::mem::take(&mut open) {
                asked.push(provider);
                for link in self.ask(about, &provider.sub_processors).into_iter().flatten().filter(|link| link.sees(placement.role)) {
                    staff.subjects.extend(link.countries.iter().map(territory));
                    if links.insert(&link.entity) {
                        named.push(&link.entity);
                    }
                }
            }
            depth += 1;
            if self.policy.depth.is_none_or(|most| depth < most) {
                for id in std::mem::take(&mut named) {
                    match self.registry.providers().find(|provider| provider.contracting.claimed() == Some(id)) {
                        None => about.doubt = true,
                        Some(next) if asked.iter().all(|known| known.id != next.id) => open.push(next),
                        Some(_) => {}
                    }
                }
            }
        }
        links
    }

    fn staff(&self, staff: &mut About, from: &'a Fact<BTreeSet<Territory>>) {
        let territories = self.ask(staff, from).into_iter().flatten();
        staff.subjects.extend(territories.map(territory));
    }
}

fn territory(territory: &Territory) -> Subject {
    match territory {
        Territory::Group(group) => Subject::Group(group.to_string()),
        other => Subject::Country(other.to_string()),
    }
}
