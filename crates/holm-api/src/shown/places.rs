//! How the answer to where a database and a bucket could lie is shown.

use holm_engine::residency::places::{Against, Candidate, Need, Pair, Places, Refused};

use crate::view::places::{AgainstView, NeedView, PairView, PlaceView, PlacesView, RefusedPlaceView};

impl From<Places> for PlacesView {
    fn from(places: Places) -> Self {
        let found = places.found;
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        Self {
            judged_at: places.judged_at,
            registry_hash: places.registry_hash,
            profile: places.profile,
            profile_version: places.profile_version,
            environment: places.environment,
            kind: places.kind.to_string(),
            pairs_count: count(found.pairs.len()),
            pairs: found.pairs.into_iter().map(Into::into).collect(),
            left_out: count(found.left_out),
            databases: found.databases.into_iter().map(Into::into).collect(),
            buckets: found.buckets.into_iter().map(Into::into).collect(),
            refused_count: count(found.refused.len()),
            refused: found.refused.into_iter().map(Into::into).collect(),
            next: None,
        }
    }
}

impl From<Pair> for PairView {
    fn from(Pair { near, database, bucket, needs, valid_until }: Pair) -> Self {
        let (database, bucket) = (database.to_string(), bucket.to_string());
        Self { near: near.to_string(), database, bucket, needs: needs.iter().map(Into::into).collect(), valid_until }
    }
}

impl From<Candidate> for PlaceView {
    fn from(Candidate { place, countries, needs, valid_until }: Candidate) -> Self {
        let countries = countries.map(|countries| countries.iter().map(ToString::to_string).collect());
        Self { place: place.to_string(), countries, needs: needs.iter().map(Into::into).collect(), valid_until }
    }
}

impl From<&Need> for NeedView {
    fn from(need: &Need) -> Self {
        let kind = match need {
            Need::Plan { .. } => "plan",
            Need::Consent { .. } => "consent",
            Need::Paper { .. } => "paper",
            Need::Assessment { .. } => "assessment",
            Need::DocumentedOtherRegion { .. } => "documented_other_region",
        };
        Self { kind: kind.to_owned(), what: need.to_string() }
    }
}

impl From<Refused> for RefusedPlaceView {
    fn from(Refused { kept, place, outcome, against }: Refused) -> Self {
        let against = against.into_iter().map(Into::into).collect();
        Self { kept: kept.to_string(), place: place.to_string(), outcome: outcome.to_string(), against }
    }
}

impl From<Against> for AgainstView {
    fn from(Against { copy, rule, outcome, because, facts }: Against) -> Self {
        Self {
            copy: copy.to_string(),
            rule: rule.map(|rule| rule.to_string()),
            outcome: outcome.to_string(),
            because,
            facts: facts.iter().map(ToString::to_string).collect(),
        }
    }
}
