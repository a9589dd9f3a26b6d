//! A profile as sentences that a lawyer can sign, in three languages.
//!
//! Promises: every rule has its clause in every language, marked with the rule's id, which verdicts cite; what a profile does not
//! ask for is said too. A changed rule is a changed text. Refuses the word "compliant".

mod en;
mod nb;
mod sv;

use std::fmt::Write;

use crate::copy::{CopyRole, Isolation, KeyHolder};
use crate::country::{Country, Territory};
use crate::evaluate::verdict::RuleId;
use crate::fact::Certainty;
use crate::id::GroupId;
use crate::profile::{BreachStep, Evidence, Kind, Profile, ProfileStatus, Step};
use crate::registry::Registry;
use crate::registry::law::{CountryName, Mechanism};
use crate::word::words;

words! {
    /// A language of the prose.
    Language, "a language" {
        /// English.
        En = "en",
        /// Norwegian, bokmål.
        Nb = "nb",
        /// Swedish.
        Sv = "sv",
    }
}

/// What a language must have words for.
trait Speech {
    fn and(&self) -> &'static str;
    fn or(&self) -> &'static str;
    fn country<'n>(&self, name: &'n CountryName) -> &'n str;
    fn group(&self, group: &GroupId) -> String;
    fn adequate(&self) -> &'static str;
    fn anywhere(&self) -> &'static str;
    fn nowhere(&self) -> &'static str;
    fn role(&self, role: CopyRole) -> &'static str;
    fn environment(&self, kind: Kind) -> &'static str;
    fn holder(&self, holder: KeyHolder) -> &'static str;
    fn isolation(&self, isolation: Isolation) -> &'static str;
    fn mechanism(&self, mechanism: Mechanism) -> &'static str;
    fn certainty(&self, certainty: Certainty) -> &'static str;
    fn step(&self, step: Step) -> &'static str;
    fn status(&self, status: ProfileStatus) -> &'static str;
    fn title<'p>(&self, profile: &'p Profile) -> &'p str;
    fn head(&self, profile: &Profile, says: &Says<'_>) -> String;
    fn clause(&self, rule: RuleId, profile: &Profile, says: &Says<'_>) -> String;
    fn evidence(&self, evidence: &Evidence, says: &Says<'_>) -> String;
    fn breach(&self, step: BreachStep) -> String;
    fn no_breach(&self) -> &'static str;
    fn unreadable(&self) -> &'static str;
}

/// A language with the names that the registry has in it.
struct Says<'a> {
    registry: &'a Registry,
    speech: &'a dyn Speech,
}

impl Says<'_> {
    fn list(&self, items: impl IntoIterator<Item = String>, last: &str) -> String {
        let items: Vec<String> = items.into_iter().collect();
        match items.split_last() {
            None => String::new(),
            Some((only, [])) => only.clone(),
            Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
        }
    }

    fn and(&self, items: impl IntoIterator<Item = String>) -> String {
        self.list(items, self.speech.and())
    }

    fn or(&self, items: impl IntoIterator<Item = String>) -> String {
        self.list(items, self.speech.or())
    }

    fn country(&self, country: Country) -> String {
        let name = self.registry.countries.get(&country);
        name.map_or_else(|| country.to_string(), |name| self.speech.country(name).to_owned())
    }

    fn territories(&self, list: &[Territory]) -> String {
        if list.is_empty() {
            return self.speech.nowhere().to_owned();
        }
        self.or(list.iter().map(|territory| match territory {
            Territory::One(country) => self.country(*country),
            Territory::Group(group) => self.speech.group(group),
            Territory::Adequate => self.speech.adequate().to_owned(),
            Territory::Any => self.speech.anywhere().to_owned(),
        }))
    }

    fn roles<'r>(&self, roles: impl IntoIterator<Item = &'r CopyRole>) -> String {
        self.and(roles.into_iter().map(|role| self.speech.role(*role).to_owned()))
    }

    fn holders<'h>(&self, holders: impl IntoIterator<Item = &'h KeyHolder>) -> String {
        self.or(holders.into_iter().map(|holder| self.speech.holder(*holder).to_owned()))
    }

    fn mechanisms<'m>(&self, mechanisms: impl IntoIterator<Item = &'m Mechanism>) -> String {
        self.or(mechanisms.into_iter().map(|mechanism| self.speech.mechanism(*mechanism).to_owned()))
    }

    fn laws(&self, profile: &Profile) -> String {
        self.or(profile
            .control
            .refuse_laws
            .iter()
            .map(|id| self.registry.laws.get(id).map_or_else(|| id.to_string(), |law| law.name.clone())))
    }
}

/// Whether a rule permits every country, and so asks for nothing.
fn asks_nothing(rule: RuleId, profile: &Profile) -> bool {
    let control = &profile.control;
    let list = match rule {
        RuleId::LocationCountries => &profile.location.countries,
        RuleId::AccessSupport => &profile.support_from,
        RuleId::ControlContractingEntity => &control.contracting_entity,
        RuleId::ControlOwners => &control.owners,
        RuleId::ControlSubProcessors if control.rescue.is_none() => &control.sub_processors,
        RuleId::ControlAffiliates => control.affiliates.as_ref().unwrap_or(&control.owners),
        _ => return false,
    };
    list.contains(&Territory::Any)
}

/// Renders a profile. The text ends with the profile's hash, which is what a signature is about.
pub fn render(profile: &Profile, registry: &Registry, language: Language) -> String {
    let speech: &dyn Speech = match language {
        Language::En => &en::English,
        Language::Nb => &nb::Norwegian,
        Language::Sv => &sv::Swedish,
    };
    let says = Says { registry, speech };
    let mut text = format!("{}\n\n{}\n\n", speech.title(profile), speech.head(profile, &says));
    for (i, rule) in RuleId::ALL.iter().enumerate() {
        let _ = writeln!(text, "{}. {} [{rule}]", i + 1, speech.clause(*rule, profile, &says));
    }
    let _ = writeln!(text, "\n{}", speech.evidence(&profile.evidence, &says));
    let steps: Vec<String> = profile.on_breach.iter().map(|step| speech.breach(*step)).collect();
    let _ = writeln!(text, "{}", if steps.is_empty() { speech.no_breach().to_owned() } else { steps.join(" ") });
    let _ = writeln!(text, "\nSHA-256 {}", profile.hash());
    text
}

#[cfg(test)]
mod tests;
