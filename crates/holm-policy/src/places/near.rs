//! How near each other two places are, by what is known of them.

use std::collections::BTreeSet;

use super::side::Side;
use super::{Bench, Near};
use crate::country::Country;
use crate::id::Place;

/// What is not known makes two places far from each other, and never near.
pub(super) fn near(bench: &Bench<'_>, database: &Side, bucket: &Side) -> Near {
    let (here, there) = (&database.place, &bucket.place);
    if here == there {
        return Near::SameRegion;
    }
    if says_so(bench, here, there) || says_so(bench, there, here) {
        return Near::Colocated;
    }
    match (countries(bench, here), countries(bench, there)) {
        (Some(a), Some(b)) if a.union(b).count() == 1 => Near::SameCountry,
        _ => Near::Elsewhere,
    }
}

fn says_so(bench: &Bench<'_>, of: &Place, other: &Place) -> bool {
    let region = bench.registry.region(of);
    region.is_some_and(|(_, region)| region.colocated_with.at(bench.now).is_ok_and(|with| with.value.contains(other)))
}

/// The countries of a place, if they are known.
pub(super) fn countries<'a>(bench: &Bench<'a>, place: &Place) -> Option<&'a BTreeSet<Country>> {
    let (_, region) = bench.registry.region(place)?;
    region.countries.at(bench.now).ok().map(|held| held.value)
}
