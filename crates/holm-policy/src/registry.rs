//! The registry: what is known of providers, companies and law, as of when.
//!
//! Promises: every reference in it leads somewhere, no owners go in a circle, and the same content has the same hash whatever
//! the order of its keys. Refuses to be changed: an overlay makes a new one.

pub mod entity;
pub mod findings;
pub mod law;
pub mod provider;
pub mod service;

mod check;
mod hash;
mod known;
mod load;
mod overlay;
mod shown;

use std::collections::BTreeMap;

use toml::Table;

use crate::country::Country;
use crate::id::{EntityId, GroupId, LawId, Place, ProviderId};
use crate::nearest::nearest;
use crate::reading::Problems;

use self::entity::{Entity, UnknownEntity};
use self::known::Version;
use self::law::{Adequacy, CountryName, Group, Law, Mechanism, MechanismEntry};
use self::provider::{Provider, Region};

pub use self::hash::Hash;
pub(crate) use self::hash::hash_of;
pub(crate) use self::overlay::halves;
pub use self::overlay::{InvalidSupposition, Supposition};

/// A text of the registry: its name, which problems cite, and its TOML.
pub type Document<'a> = (&'a str, &'a str);

/// Everything that is known.
#[derive(Clone, Debug)]
pub struct Registry {
    pub(crate) groups: BTreeMap<GroupId, Group>,
    pub(crate) countries: BTreeMap<Country, CountryName>,
    pub(crate) adequacy: BTreeMap<Country, Adequacy>,
    pub(crate) mechanisms: BTreeMap<Mechanism, MechanismEntry>,
    pub(crate) laws: BTreeMap<LawId, Law>,
    pub(crate) entities: BTreeMap<EntityId, Entity>,
    pub(crate) providers: BTreeMap<ProviderId, Provider>,
    was: Vec<Version>,
    hash: Hash,
    documents: Vec<(String, Table)>,
}

impl Registry {
    /// What Holm ships.
    ///
    /// # Panics
    /// Never: a test holds that the shipped files are a registry.
    pub fn shipped() -> Self {
        Self::load(load::SHIPPED).expect("a test holds that the shipped files are a registry")
    }

    /// Reads texts as one registry.
    ///
    /// # Errors
    /// Everything that is wrong in any of them.
    pub fn load(documents: &[Document<'_>]) -> Result<Self, Problems> {
        load::load(documents)
    }

    /// This registry with a text laid over it: facts that it replaces by their ids, providers, entities and the like that it adds.
    ///
    /// # Errors
    /// Everything that is wrong in the text, or in what would come of it.
    pub fn overlaid(&self, overlay: Document<'_>) -> Result<Self, Problems> {
        overlay::overlaid(&self.documents, overlay)
    }

    /// This registry if some facts were otherwise.
    ///
    /// # Errors
    /// A fact that there is not, or that cannot be so.
    pub fn supposing(&self, suppositions: &[Supposition], on: jiff::civil::Date) -> Result<Self, Problems> {
        overlay::supposing(&self.documents, suppositions, on)
    }

    /// The hash of everything in it.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }

    /// Every provider, in the order of their ids.
    pub fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.providers.values()
    }

    /// A provider, if there is such a one.
    pub fn provider(&self, id: &ProviderId) -> Option<&Provider> {
        self.providers.get(id)
    }

    /// An entity, if there is such a one.
    pub fn entity(&self, id: &EntityId) -> Option<&Entity> {
        self.entities.get(id)
    }

    /// The entity of an id that somebody wrote.
    ///
    /// # Errors
    /// There is none, with the nearest that there is.
    pub fn entity_called(&self, text: &str) -> Result<&Entity, UnknownEntity> {
        let found = text.parse().ok().and_then(|id: EntityId| self.entities.get(&id));
        found.ok_or_else(|| UnknownEntity {
            text: text.chars().take(80).collect(),
            nearest: nearest(text, self.entities.keys().map(EntityId::as_str)).map(ToOwned::to_owned),
        })
    }

    /// Every group of countries, in the order of their ids.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// Every adequacy decision, in the order of their countries.
    pub fn adequacy(&self) -> impl Iterator<Item = &Adequacy> {
        self.adequacy.values()
    }

    /// Every transfer mechanism.
    pub fn mechanisms(&self) -> impl Iterator<Item = &MechanismEntry> {
        self.mechanisms.values()
    }

    /// Every law, in the order of their ids.
    pub fn laws(&self) -> impl Iterator<Item = &Law> {
        self.laws.values()
    }

    /// A region, if there is such a one.
    pub fn region(&self, place: &Place) -> Option<(&Provider, &Region)> {
        let provider = self.providers.get(&place.provider)?;
        Some((provider, provider.regions.get(&place.region)?))
    }

    /// Every place of every provider.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.providers
            .values()
            .flat_map(|provider| provider.regions.keys().map(|region| Place { provider: provider.id.clone(), region: region.clone() }))
    }
}

#[cfg(test)]
mod tests;
