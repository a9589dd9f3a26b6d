//! English.

use crate::copy::{CopyRole, Isolation, KeyHolder};
use crate::evaluate::verdict::RuleId;
use crate::fact::Certainty;
use crate::id::GroupId;
use crate::profile::{BreachStep, Evidence, Kind, Profile, ProfileStatus, Step, UnknownMeans};
use crate::prose::{Says, Speech};
use crate::registry::law::{CountryName, Mechanism};
use holm_core::environment::EnvironmentKind;

pub(super) struct English;

impl Speech for English {
    fn and(&self) -> &'static str {
        "and"
    }

    fn or(&self) -> &'static str {
        "or"
    }

    fn country<'n>(&self, name: &'n CountryName) -> &'n str {
        &name.en
    }

    fn group(&self, group: &GroupId) -> String {
        match group.as_str() {
            "EEA" => "the EEA".to_owned(),
            "EU" => "the European Union".to_owned(),
            "NORDIC" => "the Nordic countries".to_owned(),
            other => format!("the group {other}"),
        }
    }

    fn adequate(&self) -> &'static str {
        "a country with an adequacy decision"
    }

    fn anywhere(&self) -> &'static str {
        "any country"
    }

    fn nowhere(&self) -> &'static str {
        "no country"
    }

    fn role(&self, role: CopyRole) -> &'static str {
        match role {
            CopyRole::Primary => "databases",
            CopyRole::Replica => "replicas",
            CopyRole::Wal => "write-ahead logs",
            CopyRole::Backup => "backups",
            CopyRole::Snapshot => "snapshots",
            CopyRole::Bucket => "files",
            CopyRole::BucketVersion => "earlier versions of files",
            CopyRole::Export => "exports",
            CopyRole::Log => "logs",
            CopyRole::Metric => "measurements",
            CopyRole::Secret => "secrets",
            CopyRole::Key => "keys",
            CopyRole::Cache => "caches",
            CopyRole::Processing => "processing",
            CopyRole::TempMove => "temporary copies made while moving",
            CopyRole::RestoreDrill => "copies made to test restoring",
        }
    }

    fn environment(&self, kind: Kind) -> &'static str {
        match kind.0 {
            EnvironmentKind::Production => "production",
            EnvironmentKind::Staging => "staging",
            EnvironmentKind::Development => "development",
            EnvironmentKind::Ci => "automatic tests",
        }
    }

    fn holder(&self, holder: KeyHolder) -> &'static str {
        match holder {
            KeyHolder::Provider => "the provider",
            KeyHolder::CustomerInProviderKms => "the customer in the provider's key service",
            KeyHolder::CustomerExternalEeaKms => "the customer in a key service in the EEA that the provider cannot use",
            KeyHolder::ClientSide => "the customer, who encrypts before anything is sent",
        }
    }

    fn isolation(&self, isolation: Isolation) -> &'static str {
        match isolation {
            Isolation::SharedSchema => "rows in shared tables",
            Isolation::SchemaPerTenant => "a schema of their own",
            Isolation::DatabasePerTenant => "a database of their own",
            Isolation::InstancePerTenant => "a database server of their own",
        }
    }

    fn mechanism(&self, mechanism: Mechanism) -> &'static str {
        match mechanism {
            Mechanism::Adequacy => "an adequacy decision",
            Mechanism::Dpf => "the EU-US Data Privacy Framework",
            Mechanism::SccM2 => "standard contractual clauses, module 2",
            Mechanism::SccM3 => "standard contractual clauses, module 3",
            Mechanism::Bcr => "binding corporate rules",
        }
    }

    fn certainty(&self, certainty: Certainty) -> &'static str {
        match certainty {
            Certainty::Verified => "read in the provider's own documents",
            Certainty::Stated => "stated by whoever runs Holm",
            Certainty::ThirdParty => "reported by third parties",
            Certainty::Background => "background knowledge",
            Certainty::Absent => "searched for and not found",
        }
    }

    fn step(&self, step: Step) -> &'static str {
        match step {
            Step::Alert => "people are alerted",
            Step::ReadOnly => "the copy takes no more writes",
            Step::Drain => "nobody new is let in, so that the copy can be moved away",
            Step::Block => "nobody is let in",
        }
    }

    fn status(&self, status: ProfileStatus) -> &'static str {
        match status {
            ProfileStatus::Draft => "draft",
            ProfileStatus::Approved => "approved",
            ProfileStatus::Withdrawn => "withdrawn",
        }
    }

    fn title<'p>(&self, profile: &'p Profile) -> &'p str {
        &profile.metadata.title.en
    }

    fn head(&self, profile: &Profile, says: &Says<'_>) -> String {
        let m = &profile.metadata;
        format!(
            "Profile {}, version {} ({}, {}). Deciders: {}. To be reviewed by {}. Basis: {}.",
            m.id,
            m.version,
            self.status(m.status),
            m.date,
            says.and(m.deciders.iter().cloned()),
            m.review_by,
            says.and(m.basis.iter().cloned())
        )
    }

    fn clause(&self, rule: RuleId, profile: &Profile, says: &Says<'_>) -> String {
        clause(rule, profile, says).unwrap_or_else(|| not_asked(rule).to_owned())
    }

    fn evidence(&self, evidence: &Evidence, says: &Says<'_>) -> String {
        format!(
            "A fact speaks for a placement only if it is {}. A fact read more than {} days ago counts as unknown. Unknown means {}.",
            says.or(evidence.accept.iter().map(|certainty| self.certainty(*certainty).to_owned())),
            evidence.max_age_days,
            match evidence.unknown {
                UnknownMeans::Deny => "no",
                UnknownMeans::NeedsApproval => "that somebody must approve it",
            }
        )
    }

    fn breach(&self, step: BreachStep) -> String {
        format!("{} days after a fact has put a copy outside this profile, {}.", step.after_days, self.step(step.step))
    }

    fn no_breach(&self) -> &'static str {
        "Nothing follows when a fact puts a copy outside this profile."
    }

    fn unreadable(&self) -> &'static str {
        "Whoever runs a database can read it, whoever holds keys. For databases, replicas and write-ahead logs the rules on companies therefore hold without exception."
    }
}

fn clause(rule: RuleId, p: &Profile, says: &Says<'_>) -> Option<String> {
    if crate::prose::asks_nothing(rule, p) {
        return None;
    }
    let speech = says.speech;
    let control = &p.control;
    Some(match rule {
        RuleId::ScopeEnvironments => {
            format!("Such data is only in {}.", says.and(p.scope.environments.iter().map(|kind| speech.environment(*kind).to_owned())))
        }
        RuleId::ScopeCopies => format!("There are only {}.", says.roles(&p.scope.copies)),
        RuleId::LocationCountries => format!("They lie only on machines in {}.", says.territories(&p.location.countries)),
        RuleId::LocationSameCountry if p.location.same_country_for.is_empty() => return None,
        RuleId::LocationSameCountry => format!("In the country of the database lie {}.", says.roles(&p.location.same_country_for)),
        RuleId::AccessSupport => format!("Staff see clear data only from {}.", says.territories(&p.support_from)),
        RuleId::ControlContractingEntity => {
            format!("The company that signs is established in {}.", says.territories(&control.contracting_entity))
        }
        RuleId::ControlOwners => format!("Every company that controls it is established in {}.", says.territories(&control.owners)),
        RuleId::ControlSubProcessors => sub_processors(p, says),
        RuleId::ControlAffiliates => {
            format!("Its group has companies only in {}.", says.territories(control.affiliates.as_ref()?))
        }
        RuleId::ControlLaws if control.refuse_laws.is_empty() => return None,
        RuleId::ControlLaws => format!("None of these companies is reached by {}.", says.laws(p)),
        RuleId::ControlRunningDatabase => speech.unreadable().to_owned(),
        _ => return terms(rule, p, says),
    })
}

/// What must be signed, held and able to do.
fn terms(rule: RuleId, p: &Profile, says: &Says<'_>) -> Option<String> {
    let speech = says.speech;
    Some(match rule {
        RuleId::TransferMechanism => match &p.transfer.as_ref()?.mechanisms {
            none if none.is_empty() => "Nothing is transferred out of the EEA, on whatever grounds.".to_owned(),
            some => format!("What is transferred out of the EEA is carried by {}.", says.mechanisms(some)),
        },
        RuleId::TransferFallback => {
            let fallback = &p.transfer.as_ref()?.fallback;
            let each: Vec<String> = fallback
                .iter()
                .map(|(first, others)| format!("Beside {} there is {} on file.", speech.mechanism(*first), says.mechanisms(others)))
                .collect();
            if each.is_empty() { return None } else { each.join(" ") }
        }
        RuleId::TransferAssessment => {
            let transfer = p.transfer.as_ref().filter(|transfer| !transfer.assessment_for.is_empty())?;
            let days = transfer.assessment_max_age_days;
            format!("A transfer carried by {} was assessed within {days} days.", says.mechanisms(&transfer.assessment_for))
        }
        RuleId::ContractDpa if p.contract.as_ref()?.dpa => {
            "A data processing agreement is in force; it stands in for no other rule.".to_owned()
        }
        RuleId::ContractPapers if !p.contract.as_ref()?.papers.is_empty() => {
            format!("Also in force: {}.", says.and(p.contract.as_ref()?.papers.iter().map(ToString::to_string)))
        }
        RuleId::CertificationAllOf if !p.certification.all_of.is_empty() => {
            format!("For region and service are held: {}.", says.and(p.certification.all_of.iter().map(ToString::to_string)))
        }
        RuleId::CertificationAnyOf if !p.certification.any_of.is_empty() => {
            format!("At least one is held of: {}.", says.or(p.certification.any_of.iter().map(ToString::to_string)))
        }
        RuleId::TechnicalIsolation => format!("Tenants have at least {}.", speech.isolation(p.technical.isolation?)),
        RuleId::TechnicalEncryption if p.technical.encryption_at_rest => "Everything is encrypted where it lies.".to_owned(),
        RuleId::TechnicalPitr if !p.technical.pitr_days_min.is_empty() => {
            let each = p.technical.pitr_days_min.iter().map(|(kind, days)| format!("{days} days in {}", speech.environment(*kind)));
            format!("A database can be had as it was at any moment of the last {}.", says.and(each))
        }
        RuleId::TechnicalResidue => format!("What is deleted is gone after {} days at the latest.", p.technical.residue_days_max?),
        RuleId::TechnicalPlan if p.technical.plan => "The region is one that the provider's plan in use has.".to_owned(),
        RuleId::TechnicalKeyHolder if !p.technical.key_holder.is_empty() => {
            let each = p
                .technical
                .key_holder
                .iter()
                .map(|(role, holders)| format!("those of {} with {}", speech.role(*role), says.holders(holders)));
            format!("Keys lie as follows: {}.", says.and(each))
        }
        _ => return None,
    })
}

fn sub_processors(p: &Profile, says: &Says<'_>) -> String {
    let control = &p.control;
    let depth = match control.depth {
        None => "to the end of the chain".to_owned(),
        Some(1) => "one link deep".to_owned(),
        Some(links) => format!("{links} links deep"),
    };
    let mut text = format!(
        "Everybody who processes for it and can see content, {depth}, and every company that controls them is established in {}.",
        says.territories(&control.sub_processors)
    );
    if let Some(rescue) = &control.rescue {
        text += &format!(
            " The rules on companies, their staff and transfers to them do not apply to {} whose keys are with {}.",
            says.roles(&rescue.copies),
            says.holders(&rescue.holders)
        );
    }
    text
}

fn not_asked(rule: RuleId) -> &'static str {
    match rule {
        RuleId::LocationCountries => "Not asked: where machines are.",
        RuleId::AccessSupport => "Not asked: from where staff see clear data.",
        RuleId::ControlContractingEntity => "Not asked: where the company that signs is.",
        RuleId::ControlOwners => "Not asked: who owns it.",
        RuleId::ControlSubProcessors => "Not asked: where those are who process for it.",
        RuleId::LocationSameCountry => "Not asked: whether copies lie in the country of the database.",
        RuleId::ControlAffiliates => "Not asked: where other companies of the group are.",
        RuleId::ControlLaws => "Not asked: which laws reach these companies.",
        RuleId::TransferMechanism => "Not asked: what carries transfers out of the EEA.",
        RuleId::TransferFallback => "Not asked: whether a transfer has a second ground in reserve.",
        RuleId::TransferAssessment => "Not asked: whether transfers were assessed.",
        RuleId::ContractDpa => "Not asked: a data processing agreement.",
        RuleId::ContractPapers => "Not asked: other contracts.",
        RuleId::CertificationAllOf => "Not asked: certificates that must all be held.",
        RuleId::CertificationAnyOf => "Not asked: certificates of which one must be held.",
        RuleId::TechnicalIsolation => "Not asked: how far tenants are kept apart.",
        RuleId::TechnicalEncryption => "Not asked: encryption where things lie.",
        RuleId::TechnicalPitr => "Not asked: how far back recovery reaches.",
        RuleId::TechnicalResidue => "Not asked: how soon deleted things are gone.",
        RuleId::TechnicalKeyHolder => "Not asked: who holds keys.",
        RuleId::TechnicalPlan => "Not asked: whether the provider's plan in use has the region.",
        _ => "Not asked.",
    }
}
