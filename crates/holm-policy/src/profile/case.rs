//! Cases: examples in a profile, which the lawyer reads and the engineer runs.

use holm_core::environment::EnvironmentKind;
use jiff::civil::Date;
use toml::Value;

use crate::copy::{CopyRole, Isolation, KeyHolder};
use crate::country::Country;
use crate::evaluate::verdict::{Outcome, RuleId, Verdict};
use crate::evaluate::{Assessment, BackupBy, Paper, Placement, judge};
use crate::fact::{FactId, midnight};
use crate::id::{PaperId, Place, PlanId};
use crate::profile::{Kind, Profile};
use crate::reading::{FromToml, Problems, Section, text_of};
use crate::registry::{Registry, Supposition};

/// An example, and what the profile must say of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// Where the copy would be.
    pub place: Place,
    /// What it is.
    pub copy: CopyRole,
    /// In which environment; the first that the profile covers, if it does not say.
    pub environment: Option<Kind>,
    /// On which plan.
    pub plan: Option<PlanId>,
    /// Who makes it, if it is a backup.
    pub backup: BackupBy,
    /// Who holds its keys.
    pub keys: KeyHolder,
    /// How it is kept apart; as the profile wants it, if it does not say.
    pub isolation: Option<Isolation>,
    /// Where the primary is; at the same place, if it does not say.
    pub primary: Option<Place>,
    /// What is signed; what the profile wants, if it does not say.
    pub papers: Option<Vec<PaperId>>,
    /// To where transfers were assessed, on the day of the case.
    pub assessed: Vec<Country>,
    /// On which day; on that of the profile, if it does not say.
    pub on: Option<Date>,
    /// Facts that are supposed to be otherwise.
    pub given: Vec<Supposition>,
    /// What must come of it.
    pub expect: Outcome,
    /// The rule that must object.
    pub rule: Option<RuleId>,
    /// Why, for people.
    pub because: Option<String>,
}

/// What came of a case.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// Its number in the profile, from 1.
    pub number: usize,
    /// What was expected.
    pub expect: Outcome,
    /// What came.
    pub verdict: Verdict,
    /// Whether that is as expected, by the rule that was expected.
    pub passed: bool,
}

impl FromToml for BackupBy {
    fn from_toml(value: &Value) -> Result<Self, String> {
        match text_of(value)? {
            "provider" => Ok(Self::ProviderDefault),
            "holm" => Ok(Self::Holm),
            place => place.parse().map(Self::ProviderIn).map_err(|_| {
                format!("`{place}` does not say who makes a backup; accepted: provider, holm, or the place that the provider was told")
            }),
        }
    }
}

pub(super) fn read(section: &Section<'_>) -> Option<Case> {
    let (place, expect) = (section.must("place"), section.must("expect"));
    let given = section.section("given").map(|table| {
        let entries = table.entries();
        entries.into_iter().map(|(id, is)| Supposition { fact: FactId::from(id.to_owned()), is: is.clone() }).collect()
    });
    let case = Case {
        copy: section.may("copy").unwrap_or(CopyRole::Primary),
        environment: section.may("environment"),
        plan: section.may("plan"),
        backup: section.may("backup").unwrap_or(BackupBy::ProviderDefault),
        keys: section.may("keys").unwrap_or(KeyHolder::Provider),
        isolation: section.may("isolation"),
        primary: section.may("primary"),
        papers: section.may("papers"),
        assessed: section.may("assessed").unwrap_or_default(),
        on: section.may("on"),
        given: given.unwrap_or_default(),
        rule: section.may("rule"),
        because: section.may("because"),
        place: place?,
        expect: expect?,
    };
    section.finish();
    Some(case)
}

impl Profile {
    /// Runs the cases against a registry, each on its day.
    ///
    /// # Errors
    /// A case that supposes what cannot be.
    pub fn run_cases(&self, registry: &Registry) -> Result<Vec<CaseResult>, Problems> {
        self.cases.iter().enumerate().map(|(i, case)| self.run(i + 1, case, registry)).collect()
    }

    fn run(&self, number: usize, case: &Case, registry: &Registry) -> Result<CaseResult, Problems> {
        let on = case.on.unwrap_or(self.metadata.date);
        let supposed = if case.given.is_empty() { None } else { Some(registry.supposing(&case.given, on)?) };
        let registry = supposed.as_ref().unwrap_or(registry);
        let verdict = judge(registry, self, &self.placement(case, registry, on), &[], midnight(on));
        let by_the_rule = case.rule.is_none_or(|rule| verdict.objections().any(|finding| finding.rule == rule));
        Ok(CaseResult { number, expect: case.expect, passed: verdict.outcome == case.expect && by_the_rule, verdict })
    }

    fn placement(&self, case: &Case, registry: &Registry, on: Date) -> Placement {
        let environment = case.environment.or_else(|| self.scope.environments.first().copied());
        let with = registry.providers.get(&case.place.provider).and_then(|provider| provider.contracting.claimed());
        let wanted = || -> Vec<PaperId> {
            let Some(contract) = &self.contract else { return Vec::new() };
            let dpa = contract.dpa.then(|| "dpa".parse().expect("the letters of an id"));
            dpa.into_iter().chain(contract.papers.iter().cloned()).collect()
        };
        let papers = case.papers.clone().unwrap_or_else(wanted).into_iter();
        Placement {
            copy: "case".parse().expect("the letters of an id"),
            environment: environment.map_or(EnvironmentKind::Production, |kind| kind.0),
            role: case.copy,
            place: case.place.clone(),
            plan: case.plan.clone(),
            backup: case.backup.clone(),
            key_holder: case.keys,
            isolation: case.isolation.or(self.technical.isolation).unwrap_or(Isolation::DatabasePerTenant),
            primary: Some(case.primary.clone().unwrap_or_else(|| case.place.clone())),
            papers: papers.filter_map(|kind| Some(Paper { kind, with: with?.clone(), signed_on: on, ends_on: None })).collect(),
            assessments: case.assessed.iter().map(|country| Assessment { country: *country, done_on: on }).collect(),
        }
    }
}
