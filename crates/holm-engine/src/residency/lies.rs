//! The machines that hold a copy: a backup that a provider makes may lie elsewhere than the database.
//!
//! Promises: where a rule of the provider decides, that is followed as verdicts follow it. Refuses to guess: countries are told
//! whole, or not at all.

use std::collections::BTreeSet;

use holm_policy::evaluate::{self, Placement};
use holm_policy::id::Place;
use holm_policy::profile::Profile;
use holm_policy::registry::Registry;
use holm_policy::registry::provider::{Provider, Region};
use jiff::Timestamp;

/// Where a copy lies.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lies {
    /// In which regions; none, if nobody knows.
    pub places: Vec<Place>,
    /// In which countries all of these are; `None` if that is not known of one of them.
    pub countries: Option<Vec<String>>,
}

/// Where a copy that is judged by a profile lies.
pub fn copy(registry: &Registry, profile: &Profile, placement: &Placement, now: Timestamp) -> Lies {
    of(&evaluate::regions(registry, profile, placement, now), now)
}

/// Where a server at a place lies.
pub fn server(registry: &Registry, place: &Place, now: Timestamp) -> Lies {
    of(registry.region(place).as_slice(), now)
}

fn of(regions: &[(&Provider, &Region)], now: Timestamp) -> Lies {
    let places = regions.iter().map(|(provider, region)| Place { provider: provider.id.clone(), region: region.id.clone() }).collect();
    let known: Option<BTreeSet<String>> = regions
        .iter()
        .map(|(_, region)| region.countries.at(now).ok().map(|held| held.value.iter().map(ToString::to_string).collect::<BTreeSet<_>>()))
        .try_fold(BTreeSet::new(), |mut all, countries| {
            all.extend(countries?);
            Some(all)
        });
    Lies { places, countries: known.filter(|known| !known.is_empty()).map(|known| known.into_iter().collect()) }
}
