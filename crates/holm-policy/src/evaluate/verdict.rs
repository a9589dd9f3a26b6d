//! Verdicts: an outcome, and one finding per rule that was judged, each with what it rests on.

use jiff::Timestamp;

use crate::fact::FactId;
use crate::profile::UnknownMeans;
use crate::word::words;

words! {
    /// What a rule, or all of them together, comes to. Ordered from best to worst.
    Outcome, "an outcome" {
        /// It satisfies.
        Allow = "allow",
        /// It cannot be said.
        Unknown = "unknown",
        /// It does not satisfy.
        Deny = "deny",
    }
}

words! {
    /// A rule of a profile. Verdicts cite it, prose renders it, exceptions name it.
    RuleId, "a rule" {
        /// The environment is one that the profile covers.
        ScopeEnvironments = "scope.environments",
        /// The copy is of a role that the profile covers.
        ScopeCopies = "scope.copies",
        /// Every machine is in an allowed country.
        LocationCountries = "location.countries",
        /// The copy is in the country of the primary.
        LocationSameCountry = "location.same_country",
        /// People see clear data only from allowed countries.
        AccessSupport = "access.support",
        /// The company that signs is in an allowed country.
        ControlContractingEntity = "control.contracting_entity",
        /// So is every company above it.
        ControlOwners = "control.owners",
        /// So are sub-processors and whoever owns them.
        ControlSubProcessors = "control.sub_processors",
        /// So are other companies of the group.
        ControlAffiliates = "control.affiliates",
        /// No refused law reaches anybody in the chain.
        ControlLaws = "control.laws",
        /// Whoever runs a PostgreSQL can read it, whatever keys there are. Never excepted.
        ControlRunningDatabase = "control.running_database",
        /// Each transfer to a third country has a mechanism that holds.
        TransferMechanism = "transfer.mechanism",
        /// A mechanism that may fall has another beside it.
        TransferFallback = "transfer.fallback",
        /// Transfers were assessed.
        TransferAssessment = "transfer.assessment",
        /// A data processing agreement is in force.
        ContractDpa = "contract.dpa",
        /// So are the other contracts.
        ContractPapers = "contract.papers",
        /// All the certificates are held.
        CertificationAllOf = "certification.all_of",
        /// One of the certificates is held.
        CertificationAnyOf = "certification.any_of",
        /// Databases are kept far enough apart.
        TechnicalIsolation = "technical.isolation",
        /// Disks are encrypted.
        TechnicalEncryption = "technical.encryption",
        /// Recovery reaches far enough back.
        TechnicalPitr = "technical.pitr",
        /// Deleted copies are gone soon enough.
        TechnicalResidue = "technical.residue",
        /// The right party holds the keys.
        TechnicalKeyHolder = "technical.key_holder",
        /// The plan that one is on has the region.
        TechnicalPlan = "technical.plan",
    }
}

/// Under which exception a finding does not count.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct ExceptedBy {
    /// Who answers for it.
    pub owner: String,
    /// Until when.
    pub until: Timestamp,
}

/// What one rule came to.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// What it came to, before exceptions.
    pub outcome: Outcome,
    /// Why, in English.
    pub because: String,
    /// The facts that it used, and those that it missed.
    pub facts: Vec<FactId>,
    /// The earliest end of what it rests on.
    pub valid_until: Option<Timestamp>,
    /// The exception under which it does not count.
    pub excepted_by: Option<ExceptedBy>,
}

/// What a profile says of a copy. Never that it is lawful: that it satisfies the profile, by these facts, until then.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Verdict {
    /// Any deny is deny; else any unknown is unknown.
    pub outcome: Outcome,
    /// What unknown means to this profile.
    pub unknown_means: UnknownMeans,
    /// One for each rule that was judged.
    pub findings: Vec<Finding>,
    /// When it must be judged again at the latest.
    pub valid_until: Option<Timestamp>,
}

impl Finding {
    fn plain(rule: RuleId, outcome: Outcome, because: String) -> Self {
        Self { rule, outcome, because, facts: Vec::new(), valid_until: None, excepted_by: None }
    }

    pub(super) fn allow(rule: RuleId, because: String) -> Self {
        Self::plain(rule, Outcome::Allow, because)
    }

    pub(super) fn deny(rule: RuleId, because: String) -> Self {
        Self::plain(rule, Outcome::Deny, because)
    }

    pub(super) fn unknown(rule: RuleId, because: String) -> Self {
        Self::plain(rule, Outcome::Unknown, because)
    }
}

impl Verdict {
    pub(super) fn of(findings: Vec<Finding>, unknown_means: UnknownMeans) -> Self {
        let counted = findings.iter().filter(|finding| finding.excepted_by.is_none()).map(|finding| finding.outcome);
        let outcome = counted.max().unwrap_or(Outcome::Unknown);
        let excepted = findings.iter().filter_map(|finding| finding.excepted_by.as_ref()).map(|by| by.until);
        let valid_until = findings.iter().filter_map(|finding| finding.valid_until).chain(excepted).min();
        Self { outcome, unknown_means, findings, valid_until }
    }

    /// Whether the copy may be made without anybody deciding so.
    pub fn allows(&self) -> bool {
        self.outcome == Outcome::Allow
    }

    /// What speaks against it, and counts.
    pub fn objections(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.outcome != Outcome::Allow && finding.excepted_by.is_none())
    }
}
