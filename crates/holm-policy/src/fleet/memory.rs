//! Verdicts that were given before, by everything that they depend on.
//!
//! A verdict is a function of registry, time, profile, placement and exceptions. The name of a copy says only which exceptions are
//! for it, so that two copies without any have one verdict if nothing but their names differ.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::evaluate::exception::Exception;
use crate::evaluate::verdict::Verdict;
use crate::evaluate::{Placement, judge};
use crate::fleet::Held;
use crate::id::CopyId;
use crate::profile::Profile;
use crate::registry::{Hash, Registry};

/// Judges by one registry at one time, and remembers.
pub(super) struct Memory<'a> {
    registry: &'a Registry,
    now: Timestamp,
    nobody: CopyId,
    /// By what the profile says and by the placement of a copy without a name. The order is never looked at.
    verdicts: HashMap<(Hash, Placement), Arc<Verdict>>,
}

impl<'a> Memory<'a> {
    pub(super) fn new(registry: &'a Registry, now: Timestamp) -> Self {
        Self { registry, now, nobody: "any".parse().expect("the letters of an id"), verdicts: HashMap::new() }
    }

    /// How many questions were thought about.
    #[cfg(test)]
    pub(super) fn asked(&self) -> usize {
        self.verdicts.len()
    }

    pub(super) fn held<K>(&mut self, held: &Held<'_, K>) -> Arc<Verdict> {
        self.judge(held.profile, &held.placement, held.exceptions)
    }

    pub(super) fn judge(&mut self, profile: &Profile, placement: &Placement, exceptions: &[Exception]) -> Arc<Verdict> {
        if exceptions.iter().any(|exception| *exception.copy() == placement.copy) {
            return Arc::new(judge(self.registry, profile, placement, exceptions, self.now));
        }
        let question = (profile.hash().clone(), Placement { copy: self.nobody.clone(), ..placement.clone() });
        let (registry, now) = (self.registry, self.now);
        Arc::clone(self.verdicts.entry(question).or_insert_with(|| Arc::new(judge(registry, profile, placement, &[], now))))
    }
}
