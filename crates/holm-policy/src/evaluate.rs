//! The evaluator: whether a copy may lie where it lies, by one profile, from what is known at a time.
//!
//! Promises: three values, and unknown blocks. A worse world never gives a better verdict: one more sub-processor, owner or law
//! never turns deny into allow, and a fact that is missing never turns anything into allow. Refuses to stop at the first
//! objection: every rule of the profile is judged and says what it used.

pub mod exception;
pub mod verdict;

mod access;
mod certification;
mod chain;
mod contract;
mod control;
mod evidence;
mod location;
mod technical;
mod transfer;

use holm_core::environment::EnvironmentKind;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::copy::{CopyRole, Isolation, KeyHolder, ServiceKind};
use crate::country::Country;
use crate::id::{CopyId, EntityId, PaperId, Place, PlanId};
use crate::profile::{Kind, Profile};
use crate::registry::Registry;
use crate::registry::law::Mechanism;
use crate::registry::provider::{Provider, Region};

use self::exception::Exception;
use self::verdict::{Finding, RuleId, Verdict};

/// Who makes a backup, and where it lies.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum BackupBy {
    /// The provider's service, where it puts them if nobody says anything.
    ProviderDefault,
    /// The provider's service, in a region that it was told.
    ProviderIn(Place),
    /// Holm, in the region of the placement itself.
    Holm,
}

/// A contract or clause that is on file.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Paper {
    /// What it is: `dpa`, `scc_m2`, `hds_contract`.
    pub kind: PaperId,
    /// With whom.
    pub with: EntityId,
    /// Since when it holds.
    pub signed_on: Date,
    /// The first day on which it no longer does, if there is one.
    pub ends_on: Option<Date>,
}

/// A transfer impact assessment that is on file.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Assessment {
    /// Of transfers to where.
    pub country: Country,
    /// When it was done.
    pub done_on: Date,
}

/// A copy, as it is or would be.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Placement {
    /// Which copy, for exceptions.
    pub copy: CopyId,
    /// In which environment.
    pub environment: EnvironmentKind,
    /// What it is to its tenant.
    pub role: CopyRole,
    /// Where: for a backup that a provider makes, where the database is.
    pub place: Place,
    /// On which plan, if that is known.
    pub plan: Option<PlanId>,
    /// For backups: who makes it.
    pub backup: BackupBy,
    /// Who holds its keys.
    pub key_holder: KeyHolder,
    /// How far it is kept from other tenants'.
    pub isolation: Isolation,
    /// Where the tenant's primary is, for copies that must be in its country.
    pub primary: Option<Place>,
    /// What is signed.
    pub papers: Vec<Paper>,
    /// What was assessed.
    pub assessments: Vec<Assessment>,
}

impl Paper {
    /// Whether it holds at a time.
    fn holds(&self, now: Timestamp) -> bool {
        now >= crate::fact::midnight(self.signed_on) && self.ends_on.is_none_or(|day| now < crate::fact::midnight(day))
    }

    /// Whether it is the paper of a mechanism.
    fn is(&self, mechanism: Mechanism) -> bool {
        self.kind.as_str() == mechanism.as_str()
    }
}

/// What every rule is judged with.
struct Bench<'a> {
    registry: &'a Registry,
    profile: &'a Profile,
    placement: &'a Placement,
    provider: &'a Provider,
    region: &'a Region,
    now: Timestamp,
}

impl Bench<'_> {
    /// The kind of service that keeps the copy: what Holm makes of a database lies in object storage.
    fn kind(&self) -> ServiceKind {
        if self.is_made_by_holm() { ServiceKind::Object } else { self.placement.role.kept_by() }
    }

    fn is_made_by_holm(&self) -> bool {
        self.placement.role == CopyRole::Backup && self.placement.backup == BackupBy::Holm
    }

    /// Whether it is encrypted, with a key that the provider has not, before the provider gets it. What the provider itself makes
    /// of a running database never is.
    fn is_sealed_before_it_is_sent(&self) -> bool {
        match self.placement.role {
            CopyRole::Backup => self.is_made_by_holm() && self.placement.key_holder.is_beyond_the_provider(),
            CopyRole::Bucket | CopyRole::BucketVersion | CopyRole::Export => self.placement.key_holder == KeyHolder::ClientSide,
            _ => false,
        }
    }
}

/// Judges a copy.
pub fn judge(registry: &Registry, profile: &Profile, placement: &Placement, exceptions: &[Exception], now: Timestamp) -> Verdict {
    let mut findings = scope(profile, placement);
    match registry.region(&placement.place) {
        Some((provider, region)) => rules(&Bench { registry, profile, placement, provider, region, now }, &mut findings),
        None => findings.push(Finding::unknown(RuleId::LocationCountries, format!("the registry knows no region `{}`", placement.place))),
    }
    exception::apply(&mut findings, placement, exceptions, now);
    Verdict::of(findings, profile.evidence.unknown)
}

/// The regions whose machines hold a copy: of a backup that a provider makes, those where its rule puts it. None, if nobody knows.
pub fn regions<'a>(
    registry: &'a Registry,
    profile: &'a Profile,
    placement: &'a Placement,
    now: Timestamp,
) -> Vec<(&'a Provider, &'a Region)> {
    let Some((provider, region)) = registry.region(&placement.place) else { return Vec::new() };
    location::lies(&Bench { registry, profile, placement, provider, region, now }).regions
}

fn scope(profile: &Profile, placement: &Placement) -> Vec<Finding> {
    let kind = placement.environment;
    let environment = match profile.scope.environments.contains(&Kind(kind)) {
        true => Finding::allow(RuleId::ScopeEnvironments, format!("the profile covers `{kind}`")),
        false => Finding::deny(RuleId::ScopeEnvironments, format!("the profile does not permit such data in `{kind}`")),
    };
    let role = placement.role;
    let copies = match profile.scope.copies.contains(&role) {
        true => Finding::allow(RuleId::ScopeCopies, format!("the profile covers `{role}`")),
        false => Finding::deny(RuleId::ScopeCopies, format!("the profile permits no `{role}`")),
    };
    vec![environment, copies]
}

fn rules(bench: &Bench<'_>, findings: &mut Vec<Finding>) {
    let lies = location::lies(bench);
    let chain = chain::chain(bench, &lies);
    let sealed = control::sealed(bench);
    findings.push(location::countries(bench, &lies));
    findings.extend(location::same_country(bench, &lies));
    findings.push(access::support(bench, &chain, sealed.as_ref()));
    findings.extend(control::all(bench, &chain, sealed.as_ref()));
    findings.extend(transfer::all(bench, &lies, &chain, sealed.as_ref()));
    findings.extend(contract::all(bench));
    findings.extend(certification::all(bench));
    findings.extend(technical::all(bench));
}

#[cfg(test)]
mod tests;
