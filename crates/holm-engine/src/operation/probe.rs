//! Where a test may look in, and interfere, while operations run.
//!
//! Promises: every place where a runner can be killed, fail or lose its lease is passed with a call; without a probe,
//! nothing is ever done there.

use holm_core::error::Problem;
use holm_core::id::OperationId;

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// A step.
    Forward,
    /// Its undoing.
    Back,
}

/// When.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Moment {
    /// Nothing of it is done.
    Before,
    /// It is done, and not recorded; in the catalog, not committed.
    Acted,
    /// It is recorded.
    Recorded,
}

/// A place in an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position<'a> {
    /// Which operation.
    pub operation: OperationId,
    /// Its kind.
    pub kind: &'a str,
    /// The step's number.
    pub step: usize,
    /// Its name.
    pub name: &'a str,
    /// Which way.
    pub direction: Direction,
    /// When.
    pub moment: Moment,
}

/// What happens there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing.
    Go,
    /// The step is done once more, a step in the catalog after its transaction was rolled back; at [`Moment::Acted`] only.
    Repeat,
    /// It fails in a way that may pass; not at [`Moment::Recorded`].
    Fail(Problem),
    /// It fails for good; not at [`Moment::Recorded`].
    FailForGood(Problem),
}

/// Looks in.
pub trait Probe: Send + Sync {
    /// Called at each position, on the thread of the runner; it may kill or stop the process.
    fn at(&self, position: Position<'_>) -> Verdict;

    /// Called when operations were claimed and their journals have not been read, on the thread of the runner.
    fn claimed(&self, _operations: &[OperationId]) {}
}

/// What an operation consists of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its kind.
    pub kind: &'static str,
    /// The names of its steps, in order.
    pub steps: Vec<&'static str>,
    /// The step from which on there is only forward.
    pub no_return: Option<usize>,
    /// How many of it may work on one cluster at once.
    pub at_once: usize,
}

/// Every operation, for tests that must not forget one.
pub fn catalogue() -> Vec<Listed> {
    let listed = |definition: &'static super::definition::Definition| Listed {
        kind: definition.kind.as_str(),
        steps: definition.plan.steps().iter().map(|step| step.name).collect(),
        no_return: definition.plan.steps().iter().position(|step| step.no_return),
        at_once: usize::try_from(definition.at_once).expect("a handful"),
    };
    super::registry::all().iter().map(listed).collect()
}
