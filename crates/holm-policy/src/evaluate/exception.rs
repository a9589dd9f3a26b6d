//! Exceptions: one rule of one copy, for a time, with somebody who answers for it.
//!
//! Promises: an exception has an owner, a reason, something that compensates and an end. Refuses: any that would have a running
//! PostgreSQL be unreadable to whoever runs it, since no measure makes it so.

use jiff::Timestamp;

use crate::evaluate::Placement;
use crate::evaluate::verdict::{ExceptedBy, Finding, Outcome, RuleId};
use crate::id::CopyId;

/// An exception that was granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exception {
    copy: CopyId,
    rule: RuleId,
    owner: String,
    reason: String,
    measure: String,
    until: Timestamp,
}

/// What is wanted of an exception.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The copy that it is for.
    pub copy: CopyId,
    /// The rule that it is from.
    pub rule: RuleId,
    /// Who answers for it.
    pub owner: String,
    /// Why it is needed.
    pub reason: String,
    /// What is done instead.
    pub measure: String,
    /// When it ends.
    pub until: Timestamp,
}

/// Why an exception is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RefusedException {
    /// Something that it must say is empty.
    #[error("the exception has no {0}; accepted: owner, reason, compensating measure and end")]
    Empty(&'static str),
    /// It has ended before it began.
    #[error("the exception ends at {0}, which is not after now")]
    Ended(Timestamp),
    /// No exception covers this rule.
    #[error("no exception covers `{0}`: whoever runs a PostgreSQL can read it, and no measure changes that")]
    Rule(RuleId),
}

impl Exception {
    /// Grants one.
    ///
    /// # Errors
    /// It says too little, is over already, or is from a rule that has none.
    pub fn grant(request: Request, now: Timestamp) -> Result<Self, RefusedException> {
        let Request { copy, rule, owner, reason, measure, until } = request;
        if rule == RuleId::ControlRunningDatabase {
            return Err(RefusedException::Rule(rule));
        }
        for (name, text) in [("owner", &owner), ("reason", &reason), ("compensating measure", &measure)] {
            if text.trim().is_empty() {
                return Err(RefusedException::Empty(name));
            }
        }
        if until <= now {
            return Err(RefusedException::Ended(until));
        }
        Ok(Self { copy, rule, owner, reason, measure, until })
    }

    /// The copy that it is for.
    pub fn copy(&self) -> &CopyId {
        &self.copy
    }

    /// The rule that it is from.
    pub fn rule(&self) -> RuleId {
        self.rule
    }

    /// Who answers for it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Why it is needed.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What is done instead.
    pub fn measure(&self) -> &str {
        &self.measure
    }

    /// When it ends.
    pub fn until(&self) -> Timestamp {
        self.until
    }
}

/// Marks the findings that exceptions cover; of several, by the one that lasts longest.
pub(super) fn apply(findings: &mut [Finding], placement: &Placement, exceptions: &[Exception], now: Timestamp) {
    for finding in findings.iter_mut().filter(|finding| finding.outcome != Outcome::Allow) {
        let covers = |exception: &&Exception| exception.copy == placement.copy && exception.rule == finding.rule && now < exception.until;
        let longest = exceptions.iter().filter(covers).max_by_key(|exception| exception.until);
        finding.excepted_by = longest.map(|exception| ExceptedBy { owner: exception.owner.clone(), until: exception.until });
    }
}
