//! Norwegian, bokmål.

use crate::copy::{CopyRole, Isolation, KeyHolder};
use crate::evaluate::verdict::RuleId;
use crate::fact::Certainty;
use crate::id::GroupId;
use crate::profile::{BreachStep, Evidence, Kind, Profile, ProfileStatus, Step, UnknownMeans};
use crate::prose::{Says, Speech};
use crate::registry::law::{CountryName, Mechanism};
use holm_core::environment::EnvironmentKind;

pub(super) struct Norwegian;

impl Speech for Norwegian {
    fn and(&self) -> &'static str {
        "og"
    }

    fn or(&self) -> &'static str {
        "eller"
    }

    fn country<'n>(&self, name: &'n CountryName) -> &'n str {
        &name.nb
    }

    fn group(&self, group: &GroupId) -> String {
        match group.as_str() {
            "EEA" => "EØS".to_owned(),
            "EU" => "EU".to_owned(),
            "NORDIC" => "Norden".to_owned(),
            other => format!("gruppen {other}"),
        }
    }

    fn adequate(&self) -> &'static str {
        "et land med adekvansbeslutning"
    }

    fn anywhere(&self) -> &'static str {
        "hvilket som helst land"
    }

    fn nowhere(&self) -> &'static str {
        "ingen land"
    }

    fn role(&self, role: CopyRole) -> &'static str {
        match role {
            CopyRole::Primary => "databaser",
            CopyRole::Replica => "replikaer",
            CopyRole::Wal => "transaksjonslogger",
            CopyRole::Backup => "sikkerhetskopier",
            CopyRole::Snapshot => "øyeblikksbilder",
            CopyRole::Bucket => "filer",
            CopyRole::BucketVersion => "eldre versjoner av filer",
            CopyRole::Export => "eksporter",
            CopyRole::Log => "logger",
            CopyRole::Metric => "målinger",
            CopyRole::Secret => "hemmeligheter",
            CopyRole::Key => "nøkler",
            CopyRole::Cache => "mellomlagre",
            CopyRole::Processing => "behandling",
            CopyRole::TempMove => "midlertidige kopier under flytting",
            CopyRole::RestoreDrill => "kopier fra prøver på gjenoppretting",
        }
    }

    fn environment(&self, kind: Kind) -> &'static str {
        match kind.0 {
            EnvironmentKind::Production => "produksjon",
            EnvironmentKind::Staging => "staging",
            EnvironmentKind::Development => "utvikling",
            EnvironmentKind::Ci => "automatiske tester",
        }
    }

    fn holder(&self, holder: KeyHolder) -> &'static str {
        match holder {
            KeyHolder::Provider => "leverandøren",
            KeyHolder::CustomerInProviderKms => "kunden i leverandørens nøkkeltjeneste",
            KeyHolder::CustomerExternalEeaKms => "kunden i en nøkkeltjeneste i EØS som leverandøren ikke kan bruke",
            KeyHolder::ClientSide => "kunden, som krypterer før noe sendes",
        }
    }

    fn isolation(&self, isolation: Isolation) -> &'static str {
        match isolation {
            Isolation::SharedSchema => "rader i felles tabeller",
            Isolation::SchemaPerTenant => "et eget skjema",
            Isolation::DatabasePerTenant => "en egen database",
            Isolation::InstancePerTenant => "en egen databaseserver",
        }
    }

    fn mechanism(&self, mechanism: Mechanism) -> &'static str {
        match mechanism {
            Mechanism::Adequacy => "en adekvansbeslutning",
            Mechanism::Dpf => "EU-US Data Privacy Framework",
            Mechanism::SccM2 => "standard personvernbestemmelser, modul 2",
            Mechanism::SccM3 => "standard personvernbestemmelser, modul 3",
            Mechanism::Bcr => "bindende virksomhetsregler",
        }
    }

    fn certainty(&self, certainty: Certainty) -> &'static str {
        match certainty {
            Certainty::Verified => "lest i leverandørens egne dokumenter",
            Certainty::Stated => "oppgitt av den som driver Holm",
            Certainty::ThirdParty => "gjengitt av tredjeparter",
            Certainty::Background => "bakgrunnskunnskap",
            Certainty::Absent => "lett etter og ikke funnet",
        }
    }

    fn step(&self, step: Step) -> &'static str {
        match step {
            Step::Alert => "blir folk varslet",
            Step::ReadOnly => "tar kopien ikke imot flere endringer",
            Step::Drain => "slippes ingen nye inn, så kopien kan flyttes bort",
            Step::Block => "slippes ingen inn",
        }
    }

    fn status(&self, status: ProfileStatus) -> &'static str {
        match status {
            ProfileStatus::Draft => "utkast",
            ProfileStatus::Approved => "vedtatt",
            ProfileStatus::Withdrawn => "trukket tilbake",
        }
    }

    fn title<'p>(&self, profile: &'p Profile) -> &'p str {
        &profile.metadata.title.nb
    }

    fn head(&self, profile: &Profile, says: &Says<'_>) -> String {
        let m = &profile.metadata;
        format!(
            "Profil {}, versjon {} ({}, {}). Besluttet av: {}. Gjennomgås senest {}. Grunnlag: {}.",
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
            "En opplysning taler for en plassering bare hvis den er {}. En opplysning som ble lest for mer enn {} dager siden, regnes som ukjent. Ukjent betyr {}.",
            says.or(evidence.accept.iter().map(|certainty| self.certainty(*certainty).to_owned())),
            evidence.max_age_days,
            match evidence.unknown {
                UnknownMeans::Deny => "nei",
                UnknownMeans::NeedsApproval => "at noen må godkjenne det",
            }
        )
    }

    fn breach(&self, step: BreachStep) -> String {
        format!("{} dager etter at en opplysning har satt en kopi utenfor denne profilen, {}.", step.after_days, self.step(step.step))
    }

    fn no_breach(&self) -> &'static str {
        "Ingenting følger når en opplysning setter en kopi utenfor denne profilen."
    }

    fn unreadable(&self) -> &'static str {
        "Den som driver en database, kan lese den, uansett hvem som har nøklene. For databaser, replikaer og transaksjonslogger gjelder reglene om selskaper derfor uten unntak."
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
            format!("Slike data finnes bare i {}.", says.and(p.scope.environments.iter().map(|kind| speech.environment(*kind).to_owned())))
        }
        RuleId::ScopeCopies => format!("Det finnes bare {}.", says.roles(&p.scope.copies)),
        RuleId::LocationCountries => format!("De ligger bare på maskiner i {}.", says.territories(&p.location.countries)),
        RuleId::LocationSameCountry if p.location.same_country_for.is_empty() => return None,
        RuleId::LocationSameCountry => format!("I samme land som databasen ligger {}.", says.roles(&p.location.same_country_for)),
        RuleId::AccessSupport => format!("Ansatte ser data i klartekst bare fra {}.", says.territories(&p.support_from)),
        RuleId::ControlContractingEntity => {
            format!("Selskapet som er avtalepart, er etablert i {}.", says.territories(&control.contracting_entity))
        }
        RuleId::ControlOwners => format!("Hvert selskap som kontrollerer det, er etablert i {}.", says.territories(&control.owners)),
        RuleId::ControlSubProcessors => sub_processors(p, says),
        RuleId::ControlAffiliates => {
            format!("Konsernet har selskaper bare i {}.", says.territories(control.affiliates.as_ref()?))
        }
        RuleId::ControlLaws if control.refuse_laws.is_empty() => return None,
        RuleId::ControlLaws => format!("Ingen av disse selskapene rammes av {}.", says.laws(p)),
        RuleId::ControlRunningDatabase => speech.unreadable().to_owned(),
        _ => return terms(rule, p, says),
    })
}

/// What must be signed, held and able to do.
fn terms(rule: RuleId, p: &Profile, says: &Says<'_>) -> Option<String> {
    let speech = says.speech;
    Some(match rule {
        RuleId::TransferMechanism => match &p.transfer.as_ref()?.mechanisms {
            none if none.is_empty() => "Ingenting overføres ut av EØS, uansett grunnlag.".to_owned(),
            some => format!("Det som overføres ut av EØS, har som grunnlag {}.", says.mechanisms(some)),
        },
        RuleId::TransferFallback => {
            let fallback = &p.transfer.as_ref()?.fallback;
            let each: Vec<String> = fallback
                .iter()
                .map(|(first, others)| format!("Ved siden av {} foreligger {}.", speech.mechanism(*first), says.mechanisms(others)))
                .collect();
            if each.is_empty() { return None } else { each.join(" ") }
        }
        RuleId::TransferAssessment => {
            let transfer = p.transfer.as_ref().filter(|transfer| !transfer.assessment_for.is_empty())?;
            let days = transfer.assessment_max_age_days;
            format!("En overføring med grunnlag i {} er vurdert innen {days} dager.", says.mechanisms(&transfer.assessment_for))
        }
        RuleId::ContractDpa if p.contract.as_ref()?.dpa => "En databehandleravtale gjelder; den erstatter ingen annen regel.".to_owned(),
        RuleId::ContractPapers if !p.contract.as_ref()?.papers.is_empty() => {
            format!("Dessuten gjelder: {}.", says.and(p.contract.as_ref()?.papers.iter().map(ToString::to_string)))
        }
        RuleId::CertificationAllOf if !p.certification.all_of.is_empty() => {
            format!(
                "For region og tjeneste foreligger sertifikatene: {}.",
                says.and(p.certification.all_of.iter().map(ToString::to_string))
            )
        }
        RuleId::CertificationAnyOf if !p.certification.any_of.is_empty() => {
            format!("Minst ett foreligger av: {}.", says.or(p.certification.any_of.iter().map(ToString::to_string)))
        }
        RuleId::TechnicalIsolation => format!("Kundene har minst {}.", speech.isolation(p.technical.isolation?)),
        RuleId::TechnicalEncryption if p.technical.encryption_at_rest => "Alt er kryptert der det ligger.".to_owned(),
        RuleId::TechnicalPitr if !p.technical.pitr_days_min.is_empty() => {
            let each = p.technical.pitr_days_min.iter().map(|(kind, days)| format!("{days} dager i {}", speech.environment(*kind)));
            format!("En database kan gjenopprettes slik den var på et hvilket som helst tidspunkt de siste {}.", says.and(each))
        }
        RuleId::TechnicalResidue => format!("Det som slettes, er borte senest etter {} dager.", p.technical.residue_days_max?),
        RuleId::TechnicalPlan if p.technical.plan => "Regionen er en som inngår i planen som brukes hos leverandøren.".to_owned(),
        RuleId::TechnicalKeyHolder if !p.technical.key_holder.is_empty() => {
            let each =
                p.technical.key_holder.iter().map(|(role, holders)| format!("for {} hos {}", speech.role(*role), says.holders(holders)));
            format!("Nøkler ligger slik: {}.", says.and(each))
        }
        _ => return None,
    })
}

fn sub_processors(p: &Profile, says: &Says<'_>) -> String {
    let control = &p.control;
    let depth = match control.depth {
        None => "til enden av kjeden".to_owned(),
        Some(1) => "ett ledd ned".to_owned(),
        Some(links) => format!("{links} ledd ned"),
    };
    let mut text = format!(
        "Alle som behandler for det og kan se innhold, {depth}, og hvert selskap som kontrollerer dem, er etablert i {}.",
        says.territories(&control.sub_processors)
    );
    if let Some(rescue) = &control.rescue {
        text += &format!(
            " Reglene om selskaper, deres ansatte og overføringer til dem gjelder ikke for {} der nøklene er hos {}.",
            says.roles(&rescue.copies),
            says.holders(&rescue.holders)
        );
    }
    text
}

fn not_asked(rule: RuleId) -> &'static str {
    match rule {
        RuleId::LocationCountries => "Ikke krevd: hvor maskinene er.",
        RuleId::AccessSupport => "Ikke krevd: hvor ansatte ser data i klartekst fra.",
        RuleId::ControlContractingEntity => "Ikke krevd: hvor avtaleparten er.",
        RuleId::ControlOwners => "Ikke krevd: hvem som eier den.",
        RuleId::ControlSubProcessors => "Ikke krevd: hvor de er som behandler for den.",
        RuleId::LocationSameCountry => "Ikke krevd: at kopier ligger i samme land som databasen.",
        RuleId::ControlAffiliates => "Ikke krevd: hvor konsernets andre selskaper er.",
        RuleId::ControlLaws => "Ikke krevd: hvilke lover som rammer disse selskapene.",
        RuleId::TransferMechanism => "Ikke krevd: grunnlag for overføringer ut av EØS.",
        RuleId::TransferFallback => "Ikke krevd: et grunnlag i reserve for overføringer.",
        RuleId::TransferAssessment => "Ikke krevd: vurdering av overføringer.",
        RuleId::ContractDpa => "Ikke krevd: databehandleravtale.",
        RuleId::ContractPapers => "Ikke krevd: andre avtaler.",
        RuleId::CertificationAllOf => "Ikke krevd: sertifikater som alle må foreligge.",
        RuleId::CertificationAnyOf => "Ikke krevd: sertifikater som ett må foreligge av.",
        RuleId::TechnicalIsolation => "Ikke krevd: hvor langt kunder holdes fra hverandre.",
        RuleId::TechnicalEncryption => "Ikke krevd: kryptering der data ligger.",
        RuleId::TechnicalPitr => "Ikke krevd: hvor langt tilbake gjenoppretting rekker.",
        RuleId::TechnicalResidue => "Ikke krevd: hvor fort slettede data er borte.",
        RuleId::TechnicalKeyHolder => "Ikke krevd: hvem som har nøkler.",
        RuleId::TechnicalPlan => "Ikke krevd: at planen som brukes hos leverandøren har regionen.",
        _ => "Ikke krevd.",
    }
}
