//! How it is shown where a tenant's data is, and why.

use holm_engine::residency::answer::{Explained, Where, Whereabouts};
use holm_engine::residency::copies::{Comes, Judged};
use holm_engine::residency::decision::{self, Candidate, Decision};
use holm_engine::residency::decision_record::Record;
use holm_engine::residency::rests_on::{Fall, Ground};

use crate::view::answers::{
    CandidateView, DecidedView, DecisionView, ExplanationView, FallView, FindingOfRuleView, GroundView, JudgedView, ObjectionView,
    WhereView, WhereaboutsView,
};

impl From<Whereabouts> for WhereaboutsView {
    fn from(told: Whereabouts) -> Self {
        Self { items: told.copies.into_iter().map(Into::into).collect(), next: None, notes: told.notes }
    }
}

impl From<Where> for WhereView {
    fn from(at: Where) -> Self {
        let objections = at.judged.as_ref().map(|judged| decision::objections(std::slice::from_ref(judged))).unwrap_or_default();
        Self {
            copy: at.copy,
            role: at.role,
            cluster: at.cluster,
            placed: at.placed.map(Into::into),
            places: at.lies.places.iter().map(ToString::to_string).collect(),
            countries: at.lies.countries,
            contracting: at.contracting,
            observed_at: at.observed_at,
            outcome: at.judged.as_ref().map(|judged| judged.outcome().to_string()),
            since: at.since,
            valid_until: at.judged.as_ref().and_then(Judged::valid_until),
            objections: objections.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<decision::Objection> for ObjectionView {
    fn from(objection: decision::Objection) -> Self {
        Self { copy: objection.copy, rule: objection.rule, because: objection.because }
    }
}

impl From<Explained> for ExplanationView {
    fn from(explained: Explained) -> Self {
        let (profile, profile_version) = explained.profile.unzip();
        let (decided_at, decision) = explained.decided.unzip();
        Self {
            environment: explained.tenant.environment,
            tenant: explained.tenant.slug,
            profile,
            profile_version,
            here: explained.here.into_iter().map(Into::into).collect(),
            elsewhere: explained.elsewhere.into_iter().map(Into::into).collect(),
            rests_on: explained.rests_on.into_iter().map(Into::into).collect(),
            falls: explained.falls.into_iter().map(Into::into).collect(),
            decided_at,
            decision: decision.map(Into::into),
            notes: explained.notes,
        }
    }
}

impl From<Judged> for JudgedView {
    fn from(judged: Judged) -> Self {
        let (copy, place, outcome) = (judged.copy.to_string(), judged.place().map(ToString::to_string), judged.outcome().to_string());
        let plan = judged.placement.as_ref().and_then(|placement| placement.plan.as_ref()).map(ToString::to_string);
        let findings = match judged.standing {
            Comes::To(verdict) => verdict.findings.into_iter().map(|finding| {
                let (excepted_by, excepted_until) = finding.excepted_by.map(|by| (by.owner, by.until)).unzip();
                FindingOfRuleView {
                    rule: finding.rule.to_string(),
                    outcome: finding.outcome.to_string(),
                    because: finding.because,
                    facts: finding.facts.iter().map(ToString::to_string).collect(),
                    valid_until: finding.valid_until,
                    excepted_by,
                    excepted_until,
                }
            }),
            Comes::Nowhere => {
                let objections = judged.objections().into_iter().map(|(rule, because)| FindingOfRuleView {
                    rule,
                    outcome: outcome.clone(),
                    because,
                    facts: Vec::new(),
                    valid_until: None,
                    excepted_by: None,
                    excepted_until: None,
                });
                return Self { copy, place, plan, findings: objections.collect(), outcome };
            }
        };
        Self { copy, place, plan, findings: findings.collect(), outcome }
    }
}

impl From<Candidate> for CandidateView {
    fn from(candidate: Candidate) -> Self {
        Self {
            cluster: candidate.cluster,
            place: candidate.place,
            outcome: candidate.outcome.to_string(),
            round_trip_us: candidate.round_trip_us,
            because: candidate.because,
            objections: candidate.objections.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Ground> for GroundView {
    fn from(ground: Ground) -> Self {
        Self {
            fact: ground.fact.to_string(),
            value: ground.value,
            until: ground.until,
            checked_on: ground.checked_on,
            certainty: ground.certainty,
            source: ground.source,
            url: ground.url,
        }
    }
}

impl From<Fall> for FallView {
    fn from(fall: Fall) -> Self {
        Self {
            supposed: fall.supposed,
            outcome: fall.outcome.to_string(),
            objections: fall.objections.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Decision> for DecidedView {
    fn from(decision: Decision) -> Self {
        Self {
            profile: decision.profile,
            profile_version: decision.profile_version,
            profile_hash: decision.profile_hash,
            registry_hash: decision.registry_hash,
            asked_for: decision.asked_for,
            near: decision.near,
            chosen: decision.chosen.into(),
            others: decision.others.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Record> for DecisionView {
    fn from(record: Record) -> Self {
        Self {
            environment: record.environment,
            tenant: record.tenant,
            decided_at: record.decided_at,
            deciders: record.profile.map(|metadata| metadata.deciders),
            decision: record.decision.into(),
            markdown: record.markdown,
        }
    }
}
