//! Every profile against every place: what could lie where, and what speaks against it first.

use jiff::Timestamp;

use crate::evaluate::verdict::Outcome;
use crate::evaluate::{Placement, judge};
use crate::fleet::{Objection, moved};
use crate::id::{Place, ProfileId};
use crate::profile::Profile;
use crate::registry::Registry;

/// What a profile says of a place.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Row {
    /// The profile.
    pub profile: ProfileId,
    /// The place.
    pub place: Place,
    /// What it comes to there.
    pub outcome: Outcome,
    /// The first objection that is as bad as the outcome; none, if there is nothing against it.
    pub objection: Option<Objection>,
}

/// One row for each profile and place, by profile and then by place, as they are given. The copy is as the template is, at that
/// place; where it is now matters only for its plan, which other providers do not have.
pub fn matrix<'p>(
    registry: &Registry,
    profiles: impl IntoIterator<Item = &'p Profile>,
    places: &[Place],
    template: &Placement,
    now: Timestamp,
) -> Vec<Row> {
    let placements: Vec<Placement> = places.iter().map(|place| moved(template, place)).collect();
    let mut rows = Vec::new();
    for profile in profiles {
        for placement in &placements {
            let verdict = judge(registry, profile, placement, &[], now);
            rows.push(Row {
                profile: profile.metadata().id.clone(),
                place: placement.place.clone(),
                outcome: verdict.outcome,
                objection: Objection::first_of(&verdict),
            });
        }
    }
    rows
}
