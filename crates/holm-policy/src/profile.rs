//! Profiles: named, versioned rules about where copies may lie and who may be able to reach them, with cases that show them.
//!
//! Promises: a profile that is read does not contradict itself, and every key in it is judged or rendered. Refuses: defaults that
//! allow. What a profile does not ask for it says so, in its prose too.

pub mod case;
pub mod diff;

mod check;
mod parse;

use std::collections::{BTreeMap, BTreeSet};

use holm_core::environment::EnvironmentKind;
use jiff::civil::Date;

use crate::copy::{CopyRole, Isolation, KeyHolder};
use crate::country::Territory;
use crate::fact::Certainty;
use crate::id::{LawId, PaperId, ProfileId, SchemeId};
use crate::reading::Problems;
use crate::registry::law::Mechanism;
use crate::registry::{Hash, Registry};
use crate::word::words;

use self::case::Case;

words! {
    /// Where a version of a profile stands.
    ProfileStatus, "a profile's status" {
        /// Being written.
        Draft = "draft",
        /// Decided.
        Approved = "approved",
        /// No longer to be used.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// What to do with a copy that a changed fact has put outside its profile; weakest first.
    Step, "a step" {
        /// Tell people.
        Alert = "alert",
        /// Take no more writes.
        ReadOnly = "read_only",
        /// Move it away.
        Drain = "drain",
        /// Let nobody in.
        Block = "block",
    }
}

words! {
    /// What not knowing means.
    UnknownMeans, "a meaning of unknown" {
        /// No.
        Deny = "deny",
        /// Somebody must decide.
        NeedsApproval = "needs_approval",
    }
}

/// A title in each language.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Title {
    /// In English.
    pub en: String,
    /// In Norwegian.
    pub nb: String,
    /// In Swedish.
    pub sv: String,
}

/// Who decided what, when (R30).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metadata {
    /// Its id.
    pub id: ProfileId,
    /// Its version, which grows by one.
    pub version: u32,
    /// What it is about, in one sentence.
    pub title: Title,
    /// Where it stands.
    pub status: ProfileStatus,
    /// When that was decided.
    pub date: Date,
    /// By whom.
    pub deciders: Vec<String>,
    /// What it rests on.
    pub basis: Vec<String>,
    /// When it must be looked at again.
    pub review_by: Date,
}

/// What it speaks of; anything else has no place under it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// Environments that may hold such data.
    pub environments: BTreeSet<Kind>,
    /// Copies that may exist.
    pub copies: BTreeSet<CopyRole>,
}

/// Where copies may lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// In which countries.
    pub countries: Vec<Territory>,
    /// Copies that must lie in the country of the primary.
    pub same_country_for: BTreeSet<CopyRole>,
}

/// Who may be able to order it handed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Control {
    /// Where the company that signs may be.
    pub contracting_entity: Vec<Territory>,
    /// Where every company above it may be, up to the last.
    pub owners: Vec<Territory>,
    /// Where companies that process for it, and their owners, may be.
    pub sub_processors: Vec<Territory>,
    /// How many links of sub-processors must be known and are judged; `None` is all.
    pub depth: Option<u32>,
    /// Where other companies of the signing company's group may be; `None` does not ask.
    pub affiliates: Option<Vec<Territory>>,
    /// Laws that must not reach anybody in the chain.
    pub refuse_laws: BTreeSet<LawId>,
    /// Copies that keys can save from a refused chain.
    pub rescue: Option<Rescue>,
}

/// Sealed copies, for which it does not matter who holds them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rescue {
    /// Which copies; none of them runs.
    pub copies: BTreeSet<CopyRole>,
    /// With whom the keys must be; never the provider.
    pub holders: BTreeSet<KeyHolder>,
}

/// What may carry data out of the EEA.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// The mechanisms that may; none permits no transfer.
    pub mechanisms: BTreeSet<Mechanism>,
    /// For a mechanism that may fall: those of which one must be on file beside it.
    pub fallback: BTreeMap<Mechanism, BTreeSet<Mechanism>>,
    /// Mechanisms that need a transfer impact assessment.
    pub assessment_for: BTreeSet<Mechanism>,
    /// How old one may be, in days.
    pub assessment_max_age_days: u32,
}

/// What must be signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contract {
    /// Whether a data processing agreement must be.
    pub dpa: bool,
    /// What else.
    pub papers: BTreeSet<PaperId>,
}

/// What must be held.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Certification {
    /// All of these.
    pub all_of: BTreeSet<SchemeId>,
    /// One of these, if there are any.
    pub any_of: BTreeSet<SchemeId>,
}

/// Technical minima.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Technical {
    /// How far databases are kept apart at least.
    pub isolation: Option<Isolation>,
    /// Whether disks must be encrypted.
    pub encryption_at_rest: bool,
    /// How far back recovery must reach at least, in days.
    pub pitr_days_min: BTreeMap<Kind, u32>,
    /// How long a deleted copy may still be there, in days.
    pub residue_days_max: Option<u32>,
    /// Who may hold the keys of a copy.
    pub key_holder: BTreeMap<CopyRole, BTreeSet<KeyHolder>>,
    /// Whether it must be known that the plan that one is on has the region.
    pub plan: bool,
}

/// Which facts count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// How sure they must be to speak for a placement.
    pub accept: BTreeSet<Certainty>,
    /// How long ago they may have been read, in days.
    pub max_age_days: u32,
    /// What not knowing means.
    pub unknown: UnknownMeans,
}

/// A step that follows a breach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BreachStep {
    /// Days after it.
    pub after_days: u32,
    /// What to do.
    pub step: Step,
}

/// A profile. Its hash is of what it says, so nothing in it can be changed once it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    pub(crate) metadata: Metadata,
    pub(crate) scope: Scope,
    pub(crate) location: Location,
    pub(crate) support_from: Vec<Territory>,
    pub(crate) control: Control,
    pub(crate) transfer: Option<Transfer>,
    pub(crate) contract: Option<Contract>,
    pub(crate) certification: Certification,
    pub(crate) technical: Technical,
    pub(crate) evidence: Evidence,
    pub(crate) on_breach: Vec<BreachStep>,
    pub(crate) cases: Vec<Case>,
    hash: Hash,
}

/// An environment's kind, with an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind(pub EnvironmentKind);

impl Kind {
    fn rank(self) -> usize {
        EnvironmentKind::ALL.iter().position(|kind| *kind == self.0).unwrap_or_default()
    }
}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl Profile {
    /// Reads a profile, and checks it against itself and against what the registry has words for. Runs no cases.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &str, text: &str, registry: &Registry) -> Result<Self, Problems> {
        parse::profile(file, text, registry)
    }

    /// The profiles that Holm ships, as texts.
    pub const SHIPPED: &'static [(&'static str, &'static str)] = &[
        ("eea-jurisdiction.toml", include_str!("../profiles/eea-jurisdiction.toml")),
        ("eea-region-adequate.toml", include_str!("../profiles/eea-region-adequate.toml")),
        ("national-health-fr.toml", include_str!("../profiles/national-health-fr.toml")),
        ("nordic-only.toml", include_str!("../profiles/nordic-only.toml")),
        ("unrestricted.toml", include_str!("../profiles/unrestricted.toml")),
    ];

    /// Who decided what, when.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What it speaks of.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Which facts count.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// What follows when a fact changes under a copy, in order.
    pub fn on_breach(&self) -> &[BreachStep] {
        &self.on_breach
    }

    /// Examples, which are tests.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The hash of everything in it, whatever the order of its keys.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }
}

#[cfg(test)]
mod tests;
