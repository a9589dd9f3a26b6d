//! How rules ask for facts: what was used is written down, and what does not count for a placement can still count against it.
//!
//! An [`Inquiry`] collects objections and doubts. Any objection is deny; else any doubt is unknown; else allow. A fact that is
//! unknown is a doubt. One that the profile does not accept (too old, not sure enough) is a doubt too, but its value is judged:
//! it can condemn and not acquit. So no fact can be made worse or taken away and the outcome become allow.

use jiff::Timestamp;

use crate::evaluate::Bench;
use crate::evaluate::verdict::{Finding, Outcome, RuleId};
use crate::fact::{Fact, FactId, Missing, days_after};

/// What a rule has heard so far.
#[derive(Clone, Default, Debug)]
pub(super) struct Inquiry {
    facts: Vec<FactId>,
    ends: Option<Timestamp>,
    doubts: Vec<String>,
    objections: Vec<String>,
}

impl Inquiry {
    /// A fact's value, if it is known at all.
    pub(super) fn ask<'f, T>(&mut self, bench: &Bench<'_>, fact: &'f Fact<T>) -> Option<&'f T> {
        let id = fact.id();
        if !self.facts.contains(id) {
            self.facts.push(id.clone());
        }
        let held = match fact.at(bench.now) {
            Ok(held) => held,
            Err(Missing::Unknown) => {
                self.doubt(format!("`{id}` is not known"));
                return None;
            }
            Err(Missing::Expired(day)) => {
                self.doubt(format!("`{id}` was known until {day}"));
                return None;
            }
        };
        let rules = &bench.profile.evidence;
        let old_at = days_after(held.checked_at, rules.max_age_days);
        if bench.now >= old_at {
            self.doubt(format!("`{id}` was read more than {} days ago", rules.max_age_days));
        } else if !rules.accept.contains(&held.certainty) {
            self.doubt(format!("`{id}` is {}, which the profile does not accept", held.certainty));
        } else {
            self.until(held.ends.min(old_at));
        }
        Some(held.value)
    }

    /// What rests on it ends then at the latest.
    pub(super) fn until(&mut self, end: Timestamp) {
        self.ends = Some(self.ends.map_or(end, |ends| ends.min(end)));
    }

    pub(super) fn doubt(&mut self, why: impl Into<String>) {
        let why = why.into();
        if !self.doubts.contains(&why) {
            self.doubts.push(why);
        }
    }

    pub(super) fn object(&mut self, why: impl Into<String>) {
        let why = why.into();
        if !self.objections.contains(&why) {
            self.objections.push(why);
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        if !self.objections.is_empty() {
            Outcome::Deny
        } else if !self.doubts.is_empty() {
            Outcome::Unknown
        } else {
            Outcome::Allow
        }
    }

    /// Both must hold.
    pub(super) fn and(&mut self, other: &Self) {
        for id in &other.facts {
            if !self.facts.contains(id) {
                self.facts.push(id.clone());
            }
        }
        if let Some(end) = other.ends {
            self.until(end);
        }
        other.doubts.iter().for_each(|why| self.doubt(why.as_str()));
        other.objections.iter().for_each(|why| self.object(why.as_str()));
    }

    /// One of them must hold. Of several that do, the one that does so longest is used; if none does, all that may are doubts.
    pub(super) fn and_any(&mut self, ways: Vec<Self>, refusal: impl FnOnce() -> String) {
        let best = ways.iter().filter(|way| way.outcome() == Outcome::Allow).max_by_key(|way| way.ends.unwrap_or(Timestamp::MAX));
        if let Some(way) = best {
            self.and(way);
            return;
        }
        let hope = ways.iter().any(|way| way.outcome() == Outcome::Unknown);
        if !hope {
            self.object(refusal());
        }
        for mut way in ways {
            if hope {
                way.objections.clear();
            } else {
                way.doubts.clear();
            }
            self.and(&way);
        }
    }
}

/// What an inquiry found, as the finding of a rule.
pub(super) fn conclude(rule: RuleId, inquiry: Inquiry, allowed: impl FnOnce() -> String) -> Finding {
    let outcome = inquiry.outcome();
    let because = match outcome {
        Outcome::Deny => inquiry.objections.join("; "),
        Outcome::Unknown => inquiry.doubts.join("; "),
        Outcome::Allow => allowed(),
    };
    Finding { rule, outcome, because, facts: inquiry.facts, valid_until: inquiry.ends, excepted_by: None }
}
