//! Asks Cedar, about everything that a rule is about, in both worlds.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Result, bail, ensure};
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use holm_policy::copy::{CopyRole, KeyHolder, ServiceKind};
use holm_policy::evaluate::verdict::{Outcome, RuleId};
use holm_policy::evaluate::{BackupBy, Placement};
use holm_policy::registry::Registry;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::policy::{Policy, policy};
use crate::walk::{About, Around, Subject, Walk};
use crate::world::{Known, World, entities};

/// One profile at one time.
pub(crate) struct Cedar<'a> {
    registry: &'a Registry,
    policy: Policy,
    now: Timestamp,
    policies: PolicySet,
    good: Entities,
    bad: Entities,
    /// What was asked before, so that Cedar is not asked again: world, action, principal, and the number of the context.
    answers: HashMap<(World, &'static str, Subject, usize), bool>,
    contexts: HashMap<String, usize>,
}

/// A copy, and what Cedar hears of it in each world.
pub(crate) struct Question {
    around: Around,
    /// Of rules on what the profile speaks of.
    scope: Heard,
    /// Of rules that keys change nothing about.
    nothing: Heard,
    /// Of the others, in each world.
    good: Heard,
    bad: Heard,
}

struct Heard {
    context: Value,
    number: usize,
}

impl<'a> Cedar<'a> {
    pub(crate) fn new(registry: &'a Registry, text: &str, now: Timestamp) -> Result<Self> {
        let policy = policy(text)?;
        let [good, bad] = [World::Good, World::Bad].map(|world| entities(registry, &policy, now, world));
        Ok(Self {
            registry,
            now,
            policies: policy.cedar.parse()?,
            good: good?,
            bad: bad?,
            answers: HashMap::new(),
            contexts: HashMap::new(),
            policy,
        })
    }

    pub(crate) fn question(&mut self, placement: &Placement) -> Result<Question> {
        let walk = Walk { registry: self.registry, policy: &self.policy, now: self.now };
        let Some(around) = walk.around(placement) else { bail!("nobody knows {}", placement.place) };
        let scope = json!({ "environment": placement.environment.as_str(), "role": placement.role.as_str() });
        let contexts = [scope, json!({}), self.keys(World::Good, placement), self.keys(World::Bad, placement)];
        let [scope, nothing, good, bad] = contexts.map(|context| {
            let next = self.contexts.len();
            let number = *self.contexts.entry(context.to_string()).or_insert(next);
            Heard { context, number }
        });
        Ok(Question { around, scope, nothing, good, bad })
    }

    /// What a rule comes to: allow if Cedar permits it even if everything that is not known were bad, deny if not even if it were good.
    pub(crate) fn outcome(&mut self, question: &Question, rule: RuleId) -> Result<Outcome> {
        if self.passes(World::Bad, question, rule)? {
            return Ok(Outcome::Allow);
        }
        Ok(if self.passes(World::Good, question, rule)? { Outcome::Unknown } else { Outcome::Deny })
    }

    fn passes(&mut self, world: World, question: &Question, rule: RuleId) -> Result<bool> {
        let around = &question.around;
        let nothing_else = About { subjects: BTreeSet::from([Subject::Country("NO".to_owned())]), ..About::default() };
        let parts: Vec<(&'static str, &About)> = match rule {
            RuleId::ScopeEnvironments | RuleId::ScopeCopies => vec![(rule.as_str(), &nothing_else)],
            RuleId::LocationCountries => vec![(rule.as_str(), &around.location)],
            RuleId::AccessSupport => vec![(rule.as_str(), &around.staff)],
            RuleId::ControlAffiliates => vec![(rule.as_str(), &around.affiliates)],
            RuleId::ControlContractingEntity => vec![(rule.as_str(), &around.contracting)],
            RuleId::ControlOwners => vec![(rule.as_str(), &around.owners)],
            RuleId::ControlSubProcessors => vec![(rule.as_str(), &around.sub_processors)],
            RuleId::ControlRunningDatabase => vec![
                ("running.contracting_entity", &around.contracting),
                ("running.owners", &around.owners),
                ("running.sub_processors", &around.sub_processors),
            ],
            _ => bail!("Cedar was told nothing of {rule}"),
        };
        for (action, about) in parts {
            let of_companies = action.starts_with("running.")
                || matches!(rule, RuleId::ControlContractingEntity | RuleId::ControlOwners | RuleId::ControlSubProcessors);
            for subject in about.all() {
                let subject = match subject {
                    Subject::Country(id) if of_companies => Subject::Company(id),
                    other => other,
                };
                if !self.every(world, action, &subject, question)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether a subject is permitted; a group is if it is by its name, or if everybody in it is.
    fn every(&mut self, world: World, action: &'static str, subject: &Subject, question: &Question) -> Result<bool> {
        if self.ask(world, action, subject, question)? {
            return Ok(true);
        }
        let Subject::Group(name) = subject else { return Ok(false) };
        let Some(group) = self.registry.groups().find(|group| group.id.as_str() == name) else { return Ok(world == World::Good) };
        let known = Known::of(&group.members, &self.policy, self.now);
        let Some(members) = known.value() else { return Ok(world == World::Good) };
        if world == World::Bad && !known.is_sure() {
            return Ok(false);
        }
        for country in members {
            if !self.ask(world, action, &Subject::Country(country.to_string()), question)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn ask(&mut self, world: World, action: &'static str, subject: &Subject, question: &Question) -> Result<bool> {
        let heard = match action.split_once('.') {
            Some(("scope", _)) => &question.scope,
            Some(("location" | "running", _)) => &question.nothing,
            _ if world == World::Good => &question.good,
            _ => &question.bad,
        };
        let asked = (world, action, subject.clone(), heard.number);
        if let Some(answer) = self.answers.get(&asked) {
            return Ok(*answer);
        }
        let principal: EntityUid = match subject {
            Subject::Country(id) => format!("Country::{id:?}"),
            Subject::Group(id) => format!("Group::{id:?}"),
            Subject::Company(id) => format!("Company::{id:?}"),
        }
        .parse()?;
        let (action, resource) = (format!("Action::{action:?}").parse()?, "Copy::\"this\"".parse()?);
        let request = Request::new(principal, action, resource, Context::from_json_value(heard.context.clone(), None)?, None)?;
        let entities = if world == World::Good { &self.good } else { &self.bad };
        let response = Authorizer::new().is_authorized(&request, &self.policies, entities);
        let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
        ensure!(errors.is_empty(), "{asked:?}: {}", errors.join("; "));
        let answer = response.decision() == Decision::Allow;
        self.answers.insert(asked, answer);
        Ok(answer)
    }

    /// What Cedar hears of a copy's keys.
    fn keys(&self, world: World, placement: &Placement) -> Value {
        let Placement { role, key_holder, .. } = placement;
        let made_by_holm = *role == CopyRole::Backup && placement.backup == BackupBy::Holm;
        let sealed_before_it_is_sent = match role {
            CopyRole::Backup => made_by_holm && matches!(key_holder, KeyHolder::ClientSide | KeyHolder::CustomerExternalEeaKms),
            CopyRole::Bucket | CopyRole::BucketVersion | CopyRole::Export => *key_holder == KeyHolder::ClientSide,
            _ => false,
        };
        let kind = if made_by_holm { ServiceKind::Object } else { role.kept_by() };
        let service = self.registry.provider(&placement.place.provider).and_then(|provider| provider.services.get(&kind));
        let known = service.map(|service| Known::of(&service.key_holders, &self.policy, self.now));
        let can_hold: Vec<&str> = match known {
            None | Some(Known::Unknown) if world == World::Good => KeyHolder::ALL.iter().map(|holder| holder.as_str()).collect(),
            known => known.and_then(|known| known.in_world(world)).into_iter().flatten().map(|holder| holder.as_str()).collect(),
        };
        json!({
            "role": role.as_str(),
            "keys": key_holder.as_str(),
            "sealed_before_it_is_sent": sealed_before_it_is_sent,
            "can_hold": can_hold,
        })
    }
}
