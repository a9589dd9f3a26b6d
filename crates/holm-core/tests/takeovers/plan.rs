//! The steps that are simulated, and how rows are told apart.

use std::time::Duration;

use holm_core::operation::event::Event;
use holm_core::operation::journal::Digest;
use holm_core::operation::plan::{Plan, StepShape};
use sha2::{Digest as _, Sha256};

/// The catalog, the cluster, the cluster, the point of no return in the catalog, the cluster.
pub(crate) const OUTSIDE: [bool; 5] = [false, true, true, false, true];
pub(crate) const NO_RETURN: usize = 3;

pub(crate) fn hash(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

pub(crate) fn plan() -> Plan {
    let retry_for = Duration::from_secs(60);
    let step = |(n, name)| StepShape { name, retry_for, no_return: n == NO_RETURN };
    Plan::new(["plan", "make", "fill", "switch", "sweep"].into_iter().enumerate().map(step).collect::<Vec<_>>())
}

/// Whether an event tells what came of something, and not what was decided.
pub(crate) fn is_outcome(event: &Event) -> bool {
    matches!(event, Event::Done { .. } | Event::Undone { .. } | Event::Failed { .. } | Event::UndoFailed { .. })
}
