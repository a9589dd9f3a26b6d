//! Facts that somebody should look at again: ended, about to end, or never looked up.

use jiff::Timestamp;

use crate::fact::{Certainty, Evidence, Fact, FactId, days_after, midnight};
use crate::registry::Registry;
use crate::registry::shown::Shown;
use crate::word::words;

words! {
    /// Why a fact wants attention; worst first.
    Attention, "a reason for attention" {
        /// Its time is over: it is unknown now.
        Ended = "ended",
        /// Its time is over soon.
        EndsSoon = "ends_soon",
        /// It is remembered and was never looked up.
        NeverLookedUp = "never_looked_up",
    }
}

/// A fact that somebody should look at again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaleFact {
    /// Which.
    pub fact: FactId,
    /// Why.
    pub why: Attention,
    /// What it rests on.
    pub evidence: Evidence,
}

/// A fact of any type: its name, and what it rests on if anybody looked.
#[derive(Clone, Debug)]
pub struct FactView<'a> {
    /// Its name.
    pub id: &'a FactId,
    /// What is claimed, as text, whether or not it still holds; nothing, if it is unknown.
    pub value: Option<String>,
    /// What it rests on; nothing, if it is unknown.
    pub evidence: Option<&'a Evidence>,
}

impl Registry {
    /// Every fact, in the order of the registry.
    pub fn facts(&self) -> Vec<FactView<'_>> {
        let mut facts = Vec::new();
        self.groups.values().for_each(|group| put(&mut facts, &group.members));
        for decision in self.adequacy.values() {
            put(&mut facts, &decision.status);
            put(&mut facts, &decision.scope);
        }
        self.mechanisms.values().for_each(|mechanism| put(&mut facts, &mechanism.status));
        for law in self.laws.values() {
            put(&mut facts, &law.status);
            put(&mut facts, &law.reaches);
        }
        for entity in self.entities.values() {
            put(&mut facts, &entity.country);
            put(&mut facts, &entity.parents);
            put(&mut facts, &entity.affiliates);
            put(&mut facts, &entity.exposed_to);
            put(&mut facts, &entity.dpf);
        }
        for provider in self.providers.values() {
            of_provider(&mut facts, provider);
        }
        facts
    }

    /// Facts that have ended, end within some days, or were never looked up; worst first, then by when they end.
    pub fn stale(&self, now: Timestamp, soon_days: u32) -> Vec<StaleFact> {
        let soon = days_after(now, soon_days);
        let mut stale: Vec<StaleFact> = Vec::new();
        for FactView { id, evidence, .. } in self.facts() {
            let Some(evidence) = evidence else { continue };
            let ends = midnight(evidence.valid_until);
            let why = if now >= ends {
                Attention::Ended
            } else if soon >= ends {
                Attention::EndsSoon
            } else if evidence.certainty == Certainty::Background {
                Attention::NeverLookedUp
            } else {
                continue;
            };
            stale.push(StaleFact { fact: id.clone(), why, evidence: evidence.clone() });
        }
        stale.sort_by(|a, b| (a.why, a.evidence.valid_until, &a.fact).cmp(&(b.why, b.evidence.valid_until, &b.fact)));
        stale
    }
}

fn put<'a, T: Shown>(facts: &mut Vec<FactView<'a>>, fact: &'a Fact<T>) {
    facts.push(FactView { id: fact.id(), value: fact.claimed().map(Shown::shown), evidence: fact.evidence() });
}

fn of_provider<'a>(facts: &mut Vec<FactView<'a>>, provider: &'a super::provider::Provider) {
    put(facts, &provider.contracting);
    put(facts, &provider.support_from);
    put(facts, &provider.sub_processors);
    put(facts, &provider.dpa);
    put(facts, &provider.mcp);
    for region in provider.regions.values() {
        put(facts, &region.countries);
        put(facts, &region.infrastructure);
        put(facts, &region.plans);
        put(facts, &region.availability);
        put(facts, &region.offers);
        put(facts, &region.backup_regions);
        put(facts, &region.colocated_with);
        put(facts, &region.hosts);
    }
    for service in provider.services.values() {
        of_service(facts, service);
    }
    provider.certifications.iter().for_each(|certificate| put(facts, &certificate.status));
}

fn of_service<'a>(facts: &mut Vec<FactView<'a>>, service: &'a super::service::Service) {
    put(facts, &service.encryption_at_rest);
    put(facts, &service.key_holders);
    put(facts, &service.residue_days);
    put(facts, &service.api);
    if let Some(postgres) = &service.postgres {
        put(facts, &postgres.superuser);
        put(facts, &postgres.logical_replication);
        put(facts, &postgres.pitr);
        put(facts, &postgres.pitr_days);
        put(facts, &postgres.restore_cross_region);
        put(facts, &postgres.databases_per_instance);
        put(facts, &postgres.backup_rule);
        put(facts, &postgres.backup_overridable);
        put(facts, &postgres.backup_follows_move);
        put(facts, &postgres.backup_retention_days_min);
        postgres.plans.values().for_each(|plan| put(facts, &plan.pitr_days));
    }
    if let Some(object) = &service.object {
        put(facts, &object.versioning);
        put(facts, &object.lifecycle);
        put(facts, &object.object_lock);
        put(facts, &object.region_in_host);
        put(facts, &object.region_changeable);
    }
}
