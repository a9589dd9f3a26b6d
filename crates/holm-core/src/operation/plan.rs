//! What an operation of one kind and version consists of.

use std::time::Duration;

/// One step, as far as the machine must know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StepShape {
    /// What people see: `suspend`, `drop database`.
    pub name: &'static str,
    /// How long failures that may pass are retried before the operation gives up and undoes what it did.
    pub retry_for: Duration,
    /// From the moment this step is begun there is only forward.
    pub no_return: bool,
}

/// The steps, in order; never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    steps: Box<[StepShape]>,
}

impl Plan {
    /// Takes over a list of steps.
    ///
    /// # Panics
    /// If it is empty, if two steps share a name, or if more than one of them is the point of no return: a fault of ours.
    pub fn new(steps: impl Into<Box<[StepShape]>>) -> Self {
        let steps: Box<[StepShape]> = steps.into();
        assert!(!steps.is_empty(), "an operation without steps");
        assert!(steps.iter().filter(|step| step.no_return).count() <= 1, "more than one point of no return");
        for (n, step) in steps.iter().enumerate() {
            assert!(steps[..n].iter().all(|other| other.name != step.name), "two steps are called `{}`", step.name);
        }
        Self { steps }
    }

    /// The steps.
    pub fn steps(&self) -> &[StepShape] {
        &self.steps
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The names, as a journal begins with them.
    pub fn names(&self) -> Vec<String> {
        self.steps.iter().map(|step| step.name.to_owned()).collect()
    }
}
