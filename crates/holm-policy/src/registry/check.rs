//! What texts say of each other: references that lead somewhere, owners that do not go in a circle.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::country::Territory;
use crate::fact::FactId;
use crate::id::{EntityId, GroupId, Place};
use crate::nearest::nearest;
use crate::reading::Findings;
use crate::registry::Registry;
use crate::registry::provider::{Provider, Region};

/// Problems of references have no one file: what they are about is named instead.
const FILE: &str = "registry";

pub(super) fn references(registry: &Registry, findings: &Findings) {
    let check = Check { registry, findings };
    for entity in registry.entities.values() {
        for parent in entity.parents.claimed().into_iter().flatten() {
            check.entity(entity.parents.id(), parent);
        }
        for law in entity.exposed_to.claimed().into_iter().flatten().filter(|law| !registry.laws.contains_key(*law)) {
            check.dangling(entity.exposed_to.id(), "law", law, registry.laws.keys().map(|law| law.as_str()));
        }
    }
    for provider in registry.providers.values() {
        check.provider(provider);
    }
    for circle in circles(registry) {
        let names: Vec<&str> = circle.iter().map(EntityId::as_str).collect();
        findings.add(
            FILE,
            &format!("entity:{}.parents", circle[0]),
            format!("owners go in a circle: {} -> {}; accepted: parents that end in an entity without any", names.join(" -> "), circle[0]),
        );
    }
}

struct Check<'a> {
    registry: &'a Registry,
    findings: &'a Findings,
}

impl Check<'_> {
    fn dangling<'n>(&self, at: &FactId, kind: &str, id: impl Display, known: impl Iterator<Item = &'n str>) {
        let text = id.to_string();
        let hint = nearest(&text, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        self.findings.add(FILE, at.as_str(), format!("there is no {kind} `{text}`{hint}"));
    }

    fn entity(&self, at: &FactId, id: &EntityId) {
        if !self.registry.entities.contains_key(id) {
            self.dangling(at, "entity", id, self.registry.entities.keys().map(EntityId::as_str));
        }
    }

    fn territories<'t>(&self, at: &FactId, territories: impl IntoIterator<Item = &'t Territory>) {
        for territory in territories {
            match territory {
                Territory::Group(group) if !self.registry.groups.contains_key(group) => {
                    self.dangling(at, "group of countries", group, self.registry.groups.keys().map(GroupId::as_str));
                }
                Territory::Any | Territory::Adequate => {
                    self.findings.add(
                        FILE,
                        at.as_str(),
                        format!("`{territory}` is no place; accepted: countries and groups of the registry"),
                    );
                }
                Territory::Group(_) | Territory::One(_) => {}
            }
        }
    }

    fn place(&self, at: &FactId, place: &Place) {
        if self.registry.region(place).is_none() {
            let known: Vec<String> = self.registry.places().map(|known| known.to_string()).collect();
            self.dangling(at, "region", place, known.iter().map(String::as_str));
        }
    }

    fn provider(&self, provider: &Provider) {
        if let Some(entity) = provider.contracting.claimed() {
            self.entity(provider.contracting.id(), entity);
        }
        self.territories(provider.support_from.id(), provider.support_from.claimed().into_iter().flatten());
        for link in provider.sub_processors.claimed().into_iter().flatten() {
            let at = provider.sub_processors.id();
            self.entity(at, &link.entity);
            self.territories(at, &link.countries);
            if link.countries.is_empty() {
                self.findings.add(FILE, at.as_str(), format!("`{}` works from no country; accepted: at least one", link.entity));
            }
        }
        for region in provider.regions.values() {
            self.region(provider, region);
        }
        for certification in &provider.certifications {
            for region in certification.regions.iter().flatten().filter(|region| !provider.regions.contains_key(*region)) {
                self.dangling(certification.status.id(), "region", region, provider.regions.keys().map(|id| id.as_str()));
            }
        }
    }

    fn region(&self, provider: &Provider, region: &Region) {
        if region.countries.claimed().is_some_and(BTreeSet::is_empty) {
            let why = "a region is in at least one country; accepted: its countries, or \"unknown\"";
            self.findings.add(FILE, region.countries.id().as_str(), why);
        }
        if region.backup_regions.claimed().is_some_and(BTreeSet::is_empty) {
            let why = "backups lie somewhere; accepted: places, or \"unknown\"";
            self.findings.add(FILE, region.backup_regions.id().as_str(), why);
        }
        for entity in region.infrastructure.claimed().into_iter().flatten() {
            self.entity(region.infrastructure.id(), entity);
        }
        for fact in [&region.backup_regions, &region.colocated_with] {
            fact.claimed().into_iter().flatten().for_each(|place| self.place(fact.id(), place));
        }
        let postgres = provider.services.values().find_map(|service| service.postgres.as_ref());
        for plan in region.plans.claimed().into_iter().flatten() {
            let Some(postgres) = postgres else { continue };
            if !postgres.plans.contains_key(plan) {
                self.dangling(region.plans.id(), "plan", plan, postgres.plans.keys().map(|id| id.as_str()));
            }
        }
    }
}

/// Each circle of owners once, beginning with its first id.
fn circles(registry: &Registry) -> BTreeSet<Vec<EntityId>> {
    let mut found = BTreeSet::new();
    let mut done = BTreeSet::new();
    for id in registry.entities.keys() {
        walk(registry, id, &mut Vec::new(), &mut done, &mut found);
    }
    found
}

fn walk<'a>(
    registry: &'a Registry,
    id: &'a EntityId,
    path: &mut Vec<&'a EntityId>,
    done: &mut BTreeSet<&'a EntityId>,
    found: &mut BTreeSet<Vec<EntityId>>,
) {
    if let Some(from) = path.iter().position(|step| *step == id) {
        let mut circle: Vec<EntityId> = path[from..].iter().map(|id| (*id).clone()).collect();
        let first = circle.iter().enumerate().min_by_key(|(_, id)| (*id).clone()).map_or(0, |(i, _)| i);
        circle.rotate_left(first);
        found.insert(circle);
        return;
    }
    if !done.insert(id) {
        return;
    }
    path.push(id);
    for parent in registry.entities.get(id).and_then(|entity| entity.parents.claimed()).into_iter().flatten() {
        walk(registry, parent, path, done, found);
    }
    path.pop();
}
