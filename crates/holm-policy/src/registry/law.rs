//! What law says: groups of countries, adequacy decisions, transfer mechanisms, and laws that can order data to be handed over.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::country::Country;
use crate::fact::{Fact, midnight};
use crate::id::{GroupId, LawId};
use crate::reading::{Section, Sources};
use crate::word::words;

words! {
    /// Where a legal text stands. More than a boolean: in June 2026 a law had lapsed and what was ordered under it went on.
    LawStatus, "a legal status" {
        /// It holds.
        InForce = "in_force",
        /// It is put aside for now.
        Suspended = "suspended",
        /// It was withdrawn by who made it.
        Repealed = "repealed",
        /// A court struck it down.
        Annulled = "annulled",
        /// Its own end has come.
        Expired = "expired",
        /// It is not law yet.
        Proposed = "proposed",
        /// It was not renewed.
        Lapsed = "lapsed",
        /// It was not renewed, but orders given under it run on.
        LapsedCertificationsRunning = "lapsed_certifications_running",
    }
}

words! {
    /// Whom an adequacy decision covers.
    AdequacyScope, "a scope of adequacy" {
        /// Everybody there.
        All = "all",
        /// Commercial organisations.
        Commercial = "commercial",
        /// Only organisations on a list: each must be looked up.
        ListedOrganisations = "listed_organisations",
        /// Some processing only; what exactly needs a lawyer.
        Partial = "partial",
    }
}

words! {
    /// What can carry a transfer to a third country.
    Mechanism, "a transfer mechanism" {
        /// A decision of the Commission about the country.
        Adequacy = "adequacy",
        /// The EU–US Data Privacy Framework, for organisations on its list.
        Dpf = "dpf",
        /// Standard contractual clauses, module 2: controller to processor.
        SccM2 = "scc_m2",
        /// Standard contractual clauses, module 3: processor to processor.
        SccM3 = "scc_m3",
        /// Binding corporate rules.
        Bcr = "bcr",
    }
}

impl LawStatus {
    /// Whether a decision or mechanism can be relied on.
    pub const fn can_be_relied_on(self) -> bool {
        matches!(self, Self::InForce)
    }

    /// Whether a law can still reach somebody: a suspended one may come back any day.
    pub const fn can_reach(self) -> bool {
        matches!(self, Self::InForce | Self::Suspended | Self::LapsedCertificationsRunning)
    }
}

/// Countries that have a name together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its name, without the `@` with which it is written.
    pub id: GroupId,
    /// Who is in it.
    pub members: Fact<BTreeSet<Country>>,
}

/// What a country is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountryName {
    /// Its code.
    pub code: Country,
    /// In English.
    pub en: String,
    /// In Norwegian.
    pub nb: String,
    /// In Swedish.
    pub sv: String,
}

/// A decision of the Commission that a country protects personal data well enough.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Adequacy {
    /// The country.
    pub country: Country,
    /// The decision's number.
    pub instrument: String,
    /// The first day on which it no longer holds, if it says so itself.
    pub ends_on: Option<Date>,
    /// Where it stands.
    pub status: Fact<LawStatus>,
    /// Whom it covers.
    pub scope: Fact<AdequacyScope>,
}

/// A mechanism of Chapter V and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MechanismEntry {
    /// Which.
    pub id: Mechanism,
    /// What it is written in.
    pub instrument: String,
    /// Where it stands.
    pub status: Fact<LawStatus>,
}

/// A law under which somebody can be ordered to hand over data that lies elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Law {
    /// Its id.
    pub id: LawId,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: Fact<LawStatus>,
    /// The countries whose companies it reaches, and whatever they own.
    pub reaches: Fact<BTreeSet<Country>>,
}

impl Adequacy {
    /// Whether its own end has come.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_on.is_some_and(|day| now >= midnight(day))
    }
}

pub(super) fn group(section: &Section<'_>, sources: &Sources) -> Option<Group> {
    let id: GroupId = section.must("id")?;
    let members = section.fact(&format!("group:{id}"), "members", sources);
    if matches!(id.as_str(), "any" | "ADEQUATE") {
        section.problem("id", format!("`@{id}` already has a meaning"));
    }
    Some(Group { id, members })
}

pub(super) fn country(section: &Section<'_>) -> Option<CountryName> {
    let (code, en, nb, sv) = (section.must("code"), section.must("en"), section.must("nb"), section.must("sv"));
    Some(CountryName { code: code?, en: en?, nb: nb?, sv: sv? })
}

pub(super) fn adequacy(section: &Section<'_>, sources: &Sources) -> Option<Adequacy> {
    let (country, instrument, ends_on) = (section.must::<Country>("id"), section.must("instrument"), section.may("ends_on"));
    let country = country?;
    let subject = format!("adequacy:{country}");
    let (status, scope) = (section.fact(&subject, "status", sources), section.fact(&subject, "scope", sources));
    Some(Adequacy { country, instrument: instrument?, ends_on, status, scope })
}

pub(super) fn mechanism(section: &Section<'_>, sources: &Sources) -> Option<MechanismEntry> {
    let (id, instrument) = (section.must::<Mechanism>("id"), section.must("instrument"));
    let id = id?;
    let status = section.fact(&format!("mechanism:{id}"), "status", sources);
    Some(MechanismEntry { id, instrument: instrument?, status })
}

pub(super) fn law(section: &Section<'_>, sources: &Sources) -> Option<Law> {
    let (id, name) = (section.must::<LawId>("id"), section.must("name"));
    let id = id?;
    let subject = format!("law:{id}");
    let (status, reaches) = (section.fact(&subject, "status", sources), section.fact(&subject, "reaches", sources));
    Some(Law { id, name: name?, status, reaches })
}
