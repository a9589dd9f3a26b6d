//! The registry as Cedar entities, twice: as if what is not known were good, and as if it were bad.
//!
//! A fact that does not count for a placement (not known, ended, too old, not sure enough) is bad in the bad world. In the good one
//! it is what it says, or good if nobody knows what it says: so it can speak against a placement and not for it.

use anyhow::Result;
use cedar_policy::Entities;
use holm_policy::country::Country;
use holm_policy::fact::Fact;
use holm_policy::registry::Registry;
use holm_policy::registry::law::{Adequacy, AdequacyScope};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::policy::Policy;

/// In the good world inside everything, in the bad one inside nothing.
pub(crate) const SOMEWHERE: &str = "somewhere";
/// A country inside nothing, in both worlds.
pub(crate) const NOWHERE: &str = "nowhere";

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum World {
    Good,
    Bad,
}

/// What a fact comes to for a profile.
pub(crate) enum Known<'a, T> {
    Sure(&'a T),
    Doubtful(&'a T),
    Unknown,
}

impl<'a, T> Known<'a, T> {
    pub(crate) fn of(fact: &'a Fact<T>, policy: &Policy, now: Timestamp) -> Self {
        let Ok(held) = fact.at(now) else { return Self::Unknown };
        let old_at = held.checked_at + SignedDuration::from_hours(24 * policy.max_age_days);
        let counts = now < old_at && policy.accept.iter().any(|word| word == held.certainty.as_str());
        if counts { Self::Sure(held.value) } else { Self::Doubtful(held.value) }
    }

    pub(crate) fn value(&self) -> Option<&'a T> {
        match self {
            Self::Sure(value) | Self::Doubtful(value) => Some(value),
            Self::Unknown => None,
        }
    }

    pub(crate) fn is_sure(&self) -> bool {
        matches!(self, Self::Sure(_))
    }

    /// What it is taken for in a world; `None` for what is unknown there.
    pub(crate) fn in_world(&self, world: World) -> Option<&'a T> {
        self.value().filter(|_| self.is_sure() || world == World::Good)
    }
}

pub(crate) fn entities(registry: &Registry, policy: &Policy, now: Timestamp, world: World) -> Result<Entities> {
    let mut entities: Vec<Value> = Vec::new();
    let uid = |kind: &str, id: &str| json!({ "type": kind, "id": id });
    for country in Country::all() {
        let groups = registry.groups().filter(|group| match Known::of(&group.members, policy, now) {
            Known::Unknown => world == World::Good,
            known => known.in_world(world).is_some_and(|members| members.contains(&country)),
        });
        let parents: Vec<Value> = groups.map(|group| uid("Group", group.id.as_str())).collect();
        let decision = registry.adequacy().find(|decision| decision.country == country);
        let attrs = decision.map_or_else(|| json!({}), |decision| json!({ "decision": adequacy(decision, policy, now, world) }));
        entities.push(json!({ "uid": uid("Country", country.as_str()), "attrs": attrs, "parents": parents }));
    }
    for group in registry.groups() {
        entities.push(json!({ "uid": uid("Group", group.id.as_str()), "attrs": {}, "parents": [] }));
    }
    let everything: Vec<Value> = if world == World::Good {
        let countries = Country::all().map(|country| uid("Country", country.as_str()));
        countries.chain(registry.groups().map(|group| uid("Group", group.id.as_str()))).collect()
    } else {
        Vec::new()
    };
    let decided = json!({ "decision": { "ended": world == World::Bad, "status": "in_force", "scope": "all" } });
    entities.push(json!({ "uid": uid("Country", SOMEWHERE), "attrs": decided, "parents": everything }));
    entities.push(json!({ "uid": uid("Country", NOWHERE), "attrs": {}, "parents": [] }));
    for company in companies(registry) {
        let country = Known::of(&company.country, policy, now).in_world(world).map_or(SOMEWHERE, Country::as_str).to_owned();
        let attrs = json!({ "country": { "__entity": uid("Country", &country) } });
        entities.push(json!({ "uid": uid("Company", company.id.as_str()), "attrs": attrs, "parents": [] }));
    }
    for nobody in [SOMEWHERE, NOWHERE] {
        let attrs = json!({ "country": { "__entity": uid("Country", nobody) } });
        entities.push(json!({ "uid": uid("Company", nobody), "attrs": attrs, "parents": [] }));
    }
    Ok(Entities::from_json_value(Value::Array(entities), None)?)
}

/// Every company that anything refers to.
fn companies(registry: &Registry) -> Vec<&holm_policy::registry::entity::Entity> {
    let mut found: Vec<&holm_policy::registry::entity::Entity> = Vec::new();
    let mut open: Vec<&holm_policy::id::EntityId> = Vec::new();
    for provider in registry.providers() {
        open.extend(provider.contracting.claimed());
        open.extend(provider.sub_processors.claimed().into_iter().flatten().map(|link| &link.entity));
        open.extend(provider.regions.values().flat_map(|region| region.infrastructure.claimed().into_iter().flatten()));
    }
    while let Some(id) = open.pop() {
        let Some(company) = registry.entity(id).filter(|company| found.iter().all(|known| known.id != company.id)) else { continue };
        open.extend(company.parents.claimed().into_iter().flatten());
        found.push(company);
    }
    found
}

fn adequacy(decision: &Adequacy, policy: &Policy, now: Timestamp, world: World) -> Value {
    let ended = decision.has_ended(now);
    let good = world == World::Good;
    let status = match Known::of(&decision.status, policy, now) {
        Known::Unknown if good => "in_force",
        known => known.in_world(world).map_or("not known", |status| status.as_str()),
    };
    let scope = match Known::of(&decision.scope, policy, now) {
        Known::Unknown if good => "all",
        // What it covers of it needs a lawyer: that is not known.
        known => match known.in_world(world) {
            Some(AdequacyScope::Partial) if good => "all",
            scope => scope.map_or("not known", |scope| scope.as_str()),
        },
    };
    json!({ "ended": ended, "status": status, "scope": scope })
}
