//! How places and profiles are shown.

mod record;

use holm_store::residency::observed::Observed;
use holm_store::residency::placed::Placed;
use holm_store::residency::profile::Kept;

use crate::view::residency::{PlacedView, ProfileView, SeenCopyView};

impl From<Placed> for PlacedView {
    fn from(placed: Placed) -> Self {
        Self { place: placed.place, plan: placed.plan, evidence: placed.evidence, placed_at: placed.placed_at }
    }
}

impl From<Observed> for SeenCopyView {
    fn from(observed: Observed) -> Self {
        Self {
            copy: format!("{}/{}", observed.seen.kind, observed.seen.name),
            seen: observed.seen.seen,
            first_seen_at: observed.first_seen_at,
            place: observed.placed.map(Into::into),
        }
    }
}

impl From<Kept> for ProfileView {
    fn from(kept: Kept) -> Self {
        Self { name: kept.name, version: kept.version, in_force: true, hash: kept.hash, kept_at: kept.kept_at, text: kept.text }
    }
}
