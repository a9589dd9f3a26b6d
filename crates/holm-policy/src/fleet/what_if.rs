//! What if facts were otherwise: whose copies would come to something else, by which rules and facts, and what to do (R10, R21).
//!
//! Promises: every copy whose outcome changes is said, for the better too; every one that would not be allowed any more is in one
//! step of the plan. Refuses to change anything: it is a question.

use std::collections::BTreeSet;
use std::sync::Arc;

use holm_core::environment::EnvironmentKind;
use jiff::Timestamp;

use crate::copy::CopyRole;
use crate::evaluate::verdict::{Finding, Outcome, RuleId, Verdict};
use crate::fact::FactId;
use crate::fleet::memory::Memory;
use crate::fleet::plan::{self, Step};
use crate::fleet::{Candidate, Held, survey};
use crate::id::{CopyId, Place, ProfileId};
use crate::profile::Kind;
use crate::reading::Problems;
use crate::registry::{Hash, Registry, Supposition};

/// What would come of it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct WhatIf<K> {
    /// What is known, without the suppositions.
    pub registry: Hash,
    /// The same with them.
    pub supposed: Hash,
    /// Every copy whose outcome changes: production first, then by role, tenant and copy.
    pub changes: Vec<Change<K>>,
    /// How many copies come to the same.
    pub unchanged: usize,
    /// What to do, in this order.
    pub plan: Vec<Step<K>>,
}

/// A copy whose outcome changes.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Change<K> {
    /// Whose it is.
    pub tenant: K,
    /// Which.
    pub copy: CopyId,
    /// The profile that says so.
    pub profile: ProfileId,
    /// In which environment.
    pub environment: EnvironmentKind,
    /// What it is to its tenant.
    pub role: CopyRole,
    /// Where it is.
    pub place: Place,
    /// What it comes to now.
    pub before: Outcome,
    /// What it would come to.
    pub after: Outcome,
    /// The rules that make the difference.
    pub differences: Vec<Difference>,
}

/// A rule that comes to something else.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Difference {
    /// Which.
    pub rule: RuleId,
    /// What it comes to now; allow, if an exception covers it.
    pub before: Outcome,
    /// What it would come to; allow, if an exception covers it.
    pub after: Outcome,
    /// Why it would.
    pub because: String,
    /// The supposed facts that it used, before or after. If it used none by name, all that it used.
    pub facts: Vec<FactId>,
}

impl<K: Ord> WhatIf<K> {
    /// The tenants of whose copies one changes.
    pub fn tenants(&self) -> BTreeSet<&K> {
        self.changes.iter().map(|change| &change.tenant).collect()
    }
}

/// Judges every copy as things are and as they are supposed to be, and plans where to with those that could not stay. Supposed
/// facts count as read today; candidates are taken in their order.
///
/// # Errors
/// A fact that there is not, or that cannot be so.
pub fn what_if<K: Ord + Clone>(
    registry: &Registry,
    held: &[Held<'_, K>],
    suppositions: &[Supposition],
    candidates: &[Candidate],
    now: Timestamp,
) -> Result<WhatIf<K>, Problems> {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let supposed = registry.supposing(suppositions, today)?;
    let before = survey(registry, held, now);
    let mut memory = Memory::new(&supposed, now);
    let after: Vec<Arc<Verdict>> = held.iter().map(|held| memory.held(held)).collect();
    let facts: BTreeSet<&FactId> = suppositions.iter().map(|supposition| &supposition.fact).collect();
    let mut changes = Vec::new();
    for ((held, before), after) in held.iter().zip(&before).zip(&after).filter(|((_, before), after)| before.outcome != after.outcome) {
        changes.push(change(held, before, after, &facts));
    }
    changes.sort_by(|a, b| (Kind(a.environment), a.role, &a.tenant, &a.copy).cmp(&(Kind(b.environment), b.role, &b.tenant, &b.copy)));
    Ok(WhatIf {
        registry: registry.hash().clone(),
        supposed: supposed.hash().clone(),
        unchanged: held.len() - changes.len(),
        changes,
        plan: plan::plan(&mut memory, held, &before, &after, candidates),
    })
}

fn change<K: Clone>(held: &Held<'_, K>, before: &Verdict, after: &Verdict, supposed: &BTreeSet<&FactId>) -> Change<K> {
    let placement = &held.placement;
    Change {
        tenant: held.tenant.clone(),
        copy: placement.copy.clone(),
        profile: held.profile.metadata().id.clone(),
        environment: placement.environment,
        role: placement.role,
        place: placement.place.clone(),
        before: before.outcome,
        after: after.outcome,
        differences: after.findings.iter().filter_map(|finding| difference(before, finding, supposed)).collect(),
    }
}

fn difference(before: &Verdict, after: &Finding, supposed: &BTreeSet<&FactId>) -> Option<Difference> {
    let counted = |finding: &Finding| if finding.excepted_by.is_some() { Outcome::Allow } else { finding.outcome };
    let earlier = before.findings.iter().find(|finding| finding.rule == after.rule)?;
    let (was, would_be) = (counted(earlier), counted(after));
    if was == would_be {
        return None;
    }
    let used = || earlier.facts.iter().chain(&after.facts);
    let named: BTreeSet<&FactId> = used().filter(|fact| supposed.contains(fact)).collect();
    let facts = if named.is_empty() { used().collect() } else { named };
    Some(Difference {
        rule: after.rule,
        before: was,
        after: would_be,
        because: after.because.clone(),
        facts: facts.into_iter().cloned().collect(),
    })
}
