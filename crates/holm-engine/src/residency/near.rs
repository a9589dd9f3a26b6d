//! Near what a tenant's database is wished: a country, or a region of a provider.
//!
//! Promises: a wish is one among clusters that may be chosen anyway; it makes none of them allowed (ADR-0020). A place that nobody knows is
//! refused with those that are known. Refuses to guess distances from names: there is the place itself, its country, and elsewhere.

use std::collections::BTreeSet;
use std::fmt;

use holm_core::error::Problem;
use holm_policy::country::Country;
use holm_policy::id::Place;
use holm_policy::registry::Registry;
use jiff::Timestamp;

use super::assigned::invalid;
use super::placed::Claim;

/// Near what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Near {
    /// Anywhere in a country.
    Country(Country),
    /// A region of a provider; if not that, its country.
    Place(Place),
}

/// How near something is to what was wished; smaller is nearer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Nearness {
    /// In the country with all that it has, or in that region. Where nothing was wished, everything is there.
    There,
    /// In the region's country, or in the wished country with a part of what it has.
    SameCountry,
    /// Elsewhere, or nobody knows where.
    Elsewhere,
}

impl Near {
    /// What somebody wishes, if there is such a place.
    ///
    /// # Errors
    /// `InvalidValue`, with the places that there are.
    pub(crate) fn wished(text: &str, registry: &Registry, now: Timestamp) -> Result<Self, Problem> {
        if let Some((provider, region)) = text.split_once('/') {
            let claim = Claim { provider: provider.to_owned(), region: region.to_owned(), plan: None, evidence: None };
            return claim.place(registry).map(Self::Place);
        }
        let known: BTreeSet<&str> =
            registry.places().filter_map(|place| countries(registry, &place, now)).flatten().map(Country::as_str).collect();
        let there_are = format!("there are regions in: {}", known.iter().copied().collect::<Vec<_>>().join(", "));
        let refused = |why: &str| {
            invalid("place to be near", &why)
                .next(there_are.clone())
                .next("or name a region, as in `scalingo/osc-fr1`: `holm provider list` has the providers")
        };
        let country: Country = text.parse().map_err(|error: holm_policy::country::UnknownCountry| refused(&error.to_string()))?;
        if known.contains(country.as_str()) {
            Ok(Self::Country(country))
        } else {
            Err(refused(&format!("no provider that is known has a region in {country}")))
        }
    }

    /// As it was kept with a tenant that waits. Whether the place is known still is not asked: then nothing is near it.
    pub(crate) fn kept(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(place) => Some(Self::Place(place)),
            Err(_) => text.parse().ok().map(Self::Country),
        }
    }

    /// How near a place is.
    pub(crate) fn nearness(&self, registry: &Registry, place: Option<&Place>, now: Timestamp) -> Nearness {
        let Some(place) = place else { return Nearness::Elsewhere };
        if matches!(self, Self::Place(wished) if wished == place) {
            return Nearness::There;
        }
        let Some(its) = countries(registry, place, now) else { return Nearness::Elsewhere };
        match self {
            Self::Country(wished) if its.iter().all(|country| country == wished) => Nearness::There,
            Self::Country(wished) if its.contains(wished) => Nearness::SameCountry,
            Self::Place(wished) if countries(registry, wished, now).is_some_and(|wished| !wished.is_disjoint(its)) => Nearness::SameCountry,
            Self::Country(_) | Self::Place(_) => Nearness::Elsewhere,
        }
    }
}

/// The countries of a region; none if they are not known.
fn countries<'a>(registry: &'a Registry, place: &Place, now: Timestamp) -> Option<&'a BTreeSet<Country>> {
    let (_, region) = registry.region(place)?;
    region.countries.at(now).ok().map(|held| held.value).filter(|countries| !countries.is_empty())
}

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(country) => country.fmt(f),
            Self::Place(place) => place.fmt(f),
        }
    }
}
