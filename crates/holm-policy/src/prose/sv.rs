//! Swedish.

use crate::copy::{CopyRole, Isolation, KeyHolder};
use crate::evaluate::verdict::RuleId;
use crate::fact::Certainty;
use crate::id::GroupId;
use crate::profile::{BreachStep, Evidence, Kind, Profile, ProfileStatus, Step, UnknownMeans};
use crate::prose::{Says, Speech};
use crate::registry::law::{CountryName, Mechanism};
use holm_core::environment::EnvironmentKind;

pub(super) struct Swedish;

impl Speech for Swedish {
    fn and(&self) -> &'static str {
        "och"
    }

    fn or(&self) -> &'static str {
        "eller"
    }

    fn country<'n>(&self, name: &'n CountryName) -> &'n str {
        &name.sv
    }

    fn group(&self, group: &GroupId) -> String {
        match group.as_str() {
            "EEA" => "EES".to_owned(),
            "EU" => "EU".to_owned(),
            "NORDIC" => "Norden".to_owned(),
            other => format!("gruppen {other}"),
        }
    }

    fn adequate(&self) -> &'static str {
        "ett land med beslut om adekvat skyddsnivå"
    }

    fn anywhere(&self) -> &'static str {
        "vilket land som helst"
    }

    fn nowhere(&self) -> &'static str {
        "inget land"
    }

    fn role(&self, role: CopyRole) -> &'static str {
        match role {
            CopyRole::Primary => "databaser",
            CopyRole::Replica => "repliker",
            CopyRole::Wal => "transaktionsloggar",
            CopyRole::Backup => "säkerhetskopior",
            CopyRole::Snapshot => "ögonblicksbilder",
            CopyRole::Bucket => "filer",
            CopyRole::BucketVersion => "äldre versioner av filer",
            CopyRole::Export => "exporter",
            CopyRole::Log => "loggar",
            CopyRole::Metric => "mätvärden",
            CopyRole::Secret => "hemligheter",
            CopyRole::Key => "nycklar",
            CopyRole::Cache => "cacheminnen",
            CopyRole::Processing => "behandling",
            CopyRole::TempMove => "tillfälliga kopior under flytt",
            CopyRole::RestoreDrill => "kopior från prov av återställning",
        }
    }

    fn environment(&self, kind: Kind) -> &'static str {
        match kind.0 {
            EnvironmentKind::Production => "produktion",
            EnvironmentKind::Staging => "staging",
            EnvironmentKind::Development => "utveckling",
            EnvironmentKind::Ci => "automatiska tester",
        }
    }

    fn holder(&self, holder: KeyHolder) -> &'static str {
        match holder {
            KeyHolder::Provider => "leverantören",
            KeyHolder::CustomerInProviderKms => "kunden i leverantörens nyckeltjänst",
            KeyHolder::CustomerExternalEeaKms => "kunden i en nyckeltjänst i EES som leverantören inte kan använda",
            KeyHolder::ClientSide => "kunden, som krypterar innan något skickas",
        }
    }

    fn isolation(&self, isolation: Isolation) -> &'static str {
        match isolation {
            Isolation::SharedSchema => "rader i delade tabeller",
            Isolation::SchemaPerTenant => "ett eget schema",
            Isolation::DatabasePerTenant => "en egen databas",
            Isolation::InstancePerTenant => "en egen databasserver",
        }
    }

    fn mechanism(&self, mechanism: Mechanism) -> &'static str {
        match mechanism {
            Mechanism::Adequacy => "ett beslut om adekvat skyddsnivå",
            Mechanism::Dpf => "EU-US Data Privacy Framework",
            Mechanism::SccM2 => "standardavtalsklausuler, modul 2",
            Mechanism::SccM3 => "standardavtalsklausuler, modul 3",
            Mechanism::Bcr => "bindande företagsbestämmelser",
        }
    }

    fn certainty(&self, certainty: Certainty) -> &'static str {
        match certainty {
            Certainty::Verified => "läst i leverantörens egna dokument",
            Certainty::Stated => "uppgiven av den som driver Holm",
            Certainty::ThirdParty => "återgiven av tredje part",
            Certainty::Background => "bakgrundskunskap",
            Certainty::Absent => "eftersökt och inte funnen",
        }
    }

    fn step(&self, step: Step) -> &'static str {
        match step {
            Step::Alert => "varnas människor",
            Step::ReadOnly => "tar kopian inte emot fler ändringar",
            Step::Drain => "släpps inga nya in, så att kopian kan flyttas bort",
            Step::Block => "släpps ingen in",
        }
    }

    fn status(&self, status: ProfileStatus) -> &'static str {
        match status {
            ProfileStatus::Draft => "utkast",
            ProfileStatus::Approved => "beslutad",
            ProfileStatus::Withdrawn => "indragen",
        }
    }

    fn title<'p>(&self, profile: &'p Profile) -> &'p str {
        &profile.metadata.title.sv
    }

    fn head(&self, profile: &Profile, says: &Says<'_>) -> String {
        let m = &profile.metadata;
        format!(
            "Profil {}, version {} ({}, {}). Beslutad av: {}. Ses över senast {}. Grund: {}.",
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
            "En uppgift talar för en placering bara om den är {}. En uppgift som lästes för mer än {} dagar sedan räknas som okänd. Okänt betyder {}.",
            says.or(evidence.accept.iter().map(|certainty| self.certainty(*certainty).to_owned())),
            evidence.max_age_days,
            match evidence.unknown {
                UnknownMeans::Deny => "nej",
                UnknownMeans::NeedsApproval => "att någon måste godkänna det",
            }
        )
    }

    fn breach(&self, step: BreachStep) -> String {
        format!("{} dagar efter att en uppgift har ställt en kopia utanför denna profil {}.", step.after_days, self.step(step.step))
    }

    fn no_breach(&self) -> &'static str {
        "Ingenting följer när en uppgift ställer en kopia utanför denna profil."
    }

    fn unreadable(&self) -> &'static str {
        "Den som driver en databas kan läsa den, vem som än har nycklarna. För databaser, repliker och transaktionsloggar gäller reglerna om bolag därför utan undantag."
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
            format!("Sådana data finns bara i {}.", says.and(p.scope.environments.iter().map(|kind| speech.environment(*kind).to_owned())))
        }
        RuleId::ScopeCopies => format!("Det finns bara {}.", says.roles(&p.scope.copies)),
        RuleId::LocationCountries => format!("De ligger bara på maskiner i {}.", says.territories(&p.location.countries)),
        RuleId::LocationSameCountry if p.location.same_country_for.is_empty() => return None,
        RuleId::LocationSameCountry => format!("I samma land som databasen ligger {}.", says.roles(&p.location.same_country_for)),
        RuleId::AccessSupport => format!("Anställda ser data i klartext bara från {}.", says.territories(&p.support_from)),
        RuleId::ControlContractingEntity => {
            format!("Bolaget som är avtalspart är etablerat i {}.", says.territories(&control.contracting_entity))
        }
        RuleId::ControlOwners => format!("Varje bolag som kontrollerar det är etablerat i {}.", says.territories(&control.owners)),
        RuleId::ControlSubProcessors => sub_processors(p, says),
        RuleId::ControlAffiliates => {
            format!("Koncernen har bolag bara i {}.", says.territories(control.affiliates.as_ref()?))
        }
        RuleId::ControlLaws if control.refuse_laws.is_empty() => return None,
        RuleId::ControlLaws => format!("Inget av dessa bolag nås av {}.", says.laws(p)),
        RuleId::ControlRunningDatabase => speech.unreadable().to_owned(),
        _ => return terms(rule, p, says),
    })
}

/// What must be signed, held and able to do.
fn terms(rule: RuleId, p: &Profile, says: &Says<'_>) -> Option<String> {
    let speech = says.speech;
    Some(match rule {
        RuleId::TransferMechanism => match &p.transfer.as_ref()?.mechanisms {
            none if none.is_empty() => "Ingenting överförs ut ur EES, på vilken grund som helst.".to_owned(),
            some => format!("Det som överförs ut ur EES har som grund {}.", says.mechanisms(some)),
        },
        RuleId::TransferFallback => {
            let fallback = &p.transfer.as_ref()?.fallback;
            let each: Vec<String> = fallback
                .iter()
                .map(|(first, others)| format!("Vid sidan av {} finns {}.", speech.mechanism(*first), says.mechanisms(others)))
                .collect();
            if each.is_empty() { return None } else { each.join(" ") }
        }
        RuleId::TransferAssessment => {
            let transfer = p.transfer.as_ref().filter(|transfer| !transfer.assessment_for.is_empty())?;
            let days = transfer.assessment_max_age_days;
            format!("En överföring med grund i {} är bedömd inom {days} dagar.", says.mechanisms(&transfer.assessment_for))
        }
        RuleId::ContractDpa if p.contract.as_ref()?.dpa => {
            "Ett personuppgiftsbiträdesavtal gäller; det ersätter ingen annan regel.".to_owned()
        }
        RuleId::ContractPapers if !p.contract.as_ref()?.papers.is_empty() => {
            format!("Dessutom gäller: {}.", says.and(p.contract.as_ref()?.papers.iter().map(ToString::to_string)))
        }
        RuleId::CertificationAllOf if !p.certification.all_of.is_empty() => {
            format!("För region och tjänst finns certifikaten: {}.", says.and(p.certification.all_of.iter().map(ToString::to_string)))
        }
        RuleId::CertificationAnyOf if !p.certification.any_of.is_empty() => {
            format!("Minst ett finns av: {}.", says.or(p.certification.any_of.iter().map(ToString::to_string)))
        }
        RuleId::TechnicalIsolation => format!("Kunderna har minst {}.", speech.isolation(p.technical.isolation?)),
        RuleId::TechnicalEncryption if p.technical.encryption_at_rest => "Allt är krypterat där det ligger.".to_owned(),
        RuleId::TechnicalPitr if !p.technical.pitr_days_min.is_empty() => {
            let each = p.technical.pitr_days_min.iter().map(|(kind, days)| format!("{days} dagar i {}", speech.environment(*kind)));
            format!("En databas kan återställas som den var när som helst under de senaste {}.", says.and(each))
        }
        RuleId::TechnicalResidue => format!("Det som raderas är borta senast efter {} dagar.", p.technical.residue_days_max?),
        RuleId::TechnicalPlan if p.technical.plan => "Regionen är en som ingår i den plan som används hos leverantören.".to_owned(),
        RuleId::TechnicalKeyHolder if !p.technical.key_holder.is_empty() => {
            let each =
                p.technical.key_holder.iter().map(|(role, holders)| format!("för {} hos {}", speech.role(*role), says.holders(holders)));
            format!("Nycklar ligger så här: {}.", says.and(each))
        }
        _ => return None,
    })
}

fn sub_processors(p: &Profile, says: &Says<'_>) -> String {
    let control = &p.control;
    let depth = match control.depth {
        None => "till kedjans slut".to_owned(),
        Some(1) => "ett led ner".to_owned(),
        Some(links) => format!("{links} led ner"),
    };
    let mut text = format!(
        "Alla som behandlar för det och kan se innehåll, {depth}, och varje bolag som kontrollerar dem är etablerade i {}.",
        says.territories(&control.sub_processors)
    );
    if let Some(rescue) = &control.rescue {
        text += &format!(
            " Reglerna om bolag, deras anställda och överföringar till dem gäller inte för {} vars nycklar finns hos {}.",
            says.roles(&rescue.copies),
            says.holders(&rescue.holders)
        );
    }
    text
}

fn not_asked(rule: RuleId) -> &'static str {
    match rule {
        RuleId::LocationCountries => "Inte krävt: var maskinerna finns.",
        RuleId::AccessSupport => "Inte krävt: varifrån anställda ser data i klartext.",
        RuleId::ControlContractingEntity => "Inte krävt: var avtalsparten finns.",
        RuleId::ControlOwners => "Inte krävt: vem som äger den.",
        RuleId::ControlSubProcessors => "Inte krävt: var de finns som behandlar för den.",
        RuleId::LocationSameCountry => "Inte krävt: att kopior ligger i samma land som databasen.",
        RuleId::ControlAffiliates => "Inte krävt: var koncernens andra bolag finns.",
        RuleId::ControlLaws => "Inte krävt: vilka lagar som når dessa bolag.",
        RuleId::TransferMechanism => "Inte krävt: grund för överföringar ut ur EES.",
        RuleId::TransferFallback => "Inte krävt: en grund i reserv för överföringar.",
        RuleId::TransferAssessment => "Inte krävt: bedömning av överföringar.",
        RuleId::ContractDpa => "Inte krävt: personuppgiftsbiträdesavtal.",
        RuleId::ContractPapers => "Inte krävt: andra avtal.",
        RuleId::CertificationAllOf => "Inte krävt: certifikat som alla måste finnas.",
        RuleId::CertificationAnyOf => "Inte krävt: certifikat av vilka ett måste finnas.",
        RuleId::TechnicalIsolation => "Inte krävt: hur långt kunder hålls isär.",
        RuleId::TechnicalEncryption => "Inte krävt: kryptering där data ligger.",
        RuleId::TechnicalPitr => "Inte krävt: hur långt tillbaka återställning når.",
        RuleId::TechnicalResidue => "Inte krävt: hur snart raderade data är borta.",
        RuleId::TechnicalKeyHolder => "Inte krävt: vem som har nycklar.",
        RuleId::TechnicalPlan => "Inte krävt: att den plan som används hos leverantören har regionen.",
        _ => "Inte krävt.",
    }
}
