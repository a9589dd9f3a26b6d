//! How an operation stands: the fold of its journal, and what follows from it.
//!
//! Promises: replaying a journal gives the standing that the runner had; what an operation does next depends on nothing
//! else than this and the time. A step that was begun counts as possibly done, so that undoing starts with it.

use jiff::Timestamp;
use serde_json::Value;

use super::OperationState;
use super::event::{Because, Event};
use super::plan::Plan;
use crate::error::Problem;

/// A failure that is being retried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// How often in a row.
    pub attempts: u32,
    /// Since when.
    pub since: Timestamp,
    /// The last one.
    pub problem: Problem,
    /// Whether trying again is of no use.
    pub fatal: bool,
    /// When it is tried again.
    pub retry_at: Timestamp,
}

/// Where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Going forward; the steps before `at` are done.
    Forward {
        /// The step that is next, or under way.
        at: usize,
        /// Before this time there is nothing to do.
        waits_until: Option<Timestamp>,
        /// What is being retried.
        trouble: Option<Trouble>,
    },
    /// Going back; the steps before `left` are still to be undone.
    Undoing {
        /// How many.
        left: usize,
        /// Why.
        because: Because,
        /// What is being retried.
        trouble: Option<Trouble>,
    },
    /// Done.
    Succeeded,
    /// Undone.
    Undone {
        /// Why.
        because: Because,
    },
    /// Ended by a person where it stood.
    Abandoned,
}

/// How an operation stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The names of its steps, as it was requested with them.
    pub steps: Vec<String>,
    /// Its own state, which the last step that was done left.
    pub state: Value,
    /// Where it is.
    pub phase: Phase,
    /// Whether a person holds it.
    pub paused: bool,
    /// Whether a person wants it undone.
    pub cancel: bool,
    /// Whether the point of no return is passed.
    pub passed: bool,
}

/// An event that has no meaning where the operation stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an operation that is {standing} cannot take `{event}`")]
pub struct Illegal {
    /// Where it stood.
    pub standing: String,
    /// The event's word, and its step where it has one.
    pub event: String,
}

/// What is to be done next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Run this step.
    Run {
        /// Its number.
        step: usize,
    },
    /// Record that this step is the point of no return, then run it.
    Pass {
        /// Its number.
        step: usize,
    },
    /// Turn back.
    TurnBack {
        /// Why.
        because: Because,
    },
    /// Undo this step.
    Undo {
        /// Its number.
        step: usize,
    },
    /// Nothing before this time.
    WaitUntil(Timestamp),
    /// Nothing before a person says so.
    Rest,
    /// Nothing ever.
    Over,
}

impl Standing {
    /// How an operation begins: with the event that requests it, which is the only one that can be first.
    ///
    /// # Errors
    /// Any other event.
    pub fn begin(first: &Event) -> Result<Self, Illegal> {
        match first {
            Event::Requested { steps, state } if !steps.is_empty() => Ok(Self {
                steps: steps.clone(),
                state: state.clone(),
                phase: Phase::Forward { at: 0, waits_until: None, trouble: None },
                paused: false,
                cancel: false,
                passed: false,
            }),
            other => Err(Illegal { standing: "not begun".to_owned(), event: other.word().to_owned() }),
        }
    }

    /// How it stands after an event. The one transition function.
    ///
    /// # Errors
    /// Every pair that is not listed.
    pub fn after(mut self, event: &Event, at: Timestamp) -> Result<Self, Illegal> {
        let illegal = |standing: &Self| Illegal { standing: standing.to_string(), event: word_and_step(event) };
        let count = self.steps.len();
        let passed = self.passed;
        match (&mut self.phase, event) {
            (Phase::Forward { .. } | Phase::Undoing { .. }, Event::Claimed { .. }) => {}
            (Phase::Forward { at: current, waits_until, trouble }, Event::Done { step, state }) if step == current => {
                (*waits_until, *trouble) = (None, None);
                *current += 1;
                self.state = state.clone();
                if *step + 1 == count {
                    self.phase = Phase::Succeeded;
                }
            }
            (Phase::Forward { at: current, waits_until, trouble }, Event::Waits { step, until }) if step == current => {
                (*waits_until, *trouble) = (*until, None);
            }
            (Phase::Forward { at: current, trouble, .. }, Event::Failed { step, problem, fatal, retry_at }) if step == current => {
                *trouble = Some(one_more(trouble.take(), problem, *fatal, *retry_at, at));
            }
            (Phase::Forward { at: current, .. }, Event::Passed { step }) if step == current && !passed => self.passed = true,
            (Phase::Forward { at: current, .. }, Event::UndoBegun { because }) if !passed => {
                // The step under way may have been half done; undoing one that was not begun is harmless.
                self.phase = Phase::Undoing { left: *current + 1, because: because.clone(), trouble: None };
            }
            (Phase::Undoing { left, because, trouble }, Event::Undone { step }) if *step + 1 == *left => {
                *left = *step;
                *trouble = None;
                if *step == 0 {
                    self.phase = Phase::Undone { because: because.clone() };
                }
            }
            (Phase::Undoing { left, trouble, .. }, Event::UndoFailed { step, problem, retry_at }) if *step + 1 == *left => {
                *trouble = Some(one_more(trouble.take(), problem, false, *retry_at, at));
            }
            (Phase::Forward { .. } | Phase::Undoing { .. }, Event::Paused { .. }) => self.paused = true,
            (Phase::Forward { .. } | Phase::Undoing { .. }, Event::Resumed { .. }) => self.paused = false,
            (Phase::Forward { .. }, Event::CancelAsked { .. }) if !passed => (self.cancel, self.paused) = (true, false),
            (Phase::Undoing { .. }, Event::CancelAsked { .. }) => {}
            (Phase::Forward { waits_until: wait @ Some(_), .. }, Event::Proceeded { .. }) => *wait = Some(at),
            (Phase::Forward { trouble, .. } | Phase::Undoing { trouble, .. }, Event::Retried { .. }) => {
                if let Some(trouble) = trouble {
                    (trouble.retry_at, trouble.since, trouble.fatal) = (at, at, false);
                }
            }
            (Phase::Forward { .. } | Phase::Undoing { .. }, Event::Abandoned { .. }) => self.phase = Phase::Abandoned,
            // The only catch-all, and it is an error.
            _ => return Err(illegal(&self)),
        }
        Ok(self)
    }

    /// What is to be done at a time.
    pub fn next(&self, plan: &Plan, now: Timestamp, deadline: Option<Timestamp>) -> Next {
        match &self.phase {
            Phase::Forward { at, waits_until, trouble } => self.next_forward(plan, now, deadline, *at, *waits_until, trouble.as_ref()),
            Phase::Undoing { .. } if self.paused => Next::Rest,
            Phase::Undoing { trouble: Some(trouble), .. } if trouble.retry_at > now => Next::WaitUntil(trouble.retry_at),
            Phase::Undoing { left, .. } => Next::Undo { step: left.saturating_sub(1) },
            Phase::Succeeded | Phase::Undone { .. } | Phase::Abandoned => Next::Over,
        }
    }

    fn next_forward(
        &self,
        plan: &Plan,
        now: Timestamp,
        deadline: Option<Timestamp>,
        at: usize,
        waits_until: Option<Timestamp>,
        trouble: Option<&Trouble>,
    ) -> Next {
        let shape = &plan.steps()[at];
        if !self.passed {
            if self.cancel {
                return Next::TurnBack { because: Because::Cancelled };
            }
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Next::TurnBack { because: Because::Deadline };
            }
            if let Some(trouble) = trouble.filter(|trouble| trouble.fatal || now.duration_since(trouble.since) >= limit(shape.retry_for)) {
                return Next::TurnBack { because: Because::Failed { problem: trouble.problem.clone() } };
            }
        }
        if self.paused {
            return Next::Rest;
        }
        let earliest = waits_until.max(trouble.map(|trouble| trouble.retry_at));
        match earliest {
            // A deadline ends a wait as well.
            Some(time) if time > now => Next::WaitUntil(deadline.filter(|_| !self.passed).map_or(time, |deadline| time.min(deadline))),
            _ if shape.no_return && !self.passed => Next::Pass { step: at },
            _ => Next::Run { step: at },
        }
    }

    /// The word for lists.
    pub const fn summary(&self) -> OperationState {
        match &self.phase {
            Phase::Succeeded => OperationState::Succeeded,
            Phase::Undone { .. } => OperationState::Undone,
            Phase::Abandoned => OperationState::Abandoned,
            _ if self.paused => OperationState::Paused,
            Phase::Undoing { .. } => OperationState::Undoing,
            Phase::Forward { .. } => OperationState::Active,
        }
    }

    /// How many steps are done; when going back, how many are not undone.
    pub fn done(&self) -> usize {
        match &self.phase {
            Phase::Forward { at, .. } => *at,
            Phase::Undoing { left, .. } => (*left).min(self.steps.len()),
            Phase::Succeeded => self.steps.len(),
            Phase::Undone { .. } | Phase::Abandoned => 0,
        }
    }

    /// The step that is under way or next, in either direction.
    pub fn current(&self) -> Option<usize> {
        match &self.phase {
            Phase::Forward { at, .. } => Some(*at),
            Phase::Undoing { left, .. } => left.checked_sub(1),
            Phase::Succeeded | Phase::Undone { .. } | Phase::Abandoned => None,
        }
    }

    /// What is being retried.
    pub const fn trouble(&self) -> Option<&Trouble> {
        match &self.phase {
            Phase::Forward { trouble, .. } | Phase::Undoing { trouble, .. } => trouble.as_ref(),
            Phase::Succeeded | Phase::Undone { .. } | Phase::Abandoned => None,
        }
    }

    /// Why it goes, or went, back.
    pub const fn because(&self) -> Option<&Because> {
        match &self.phase {
            Phase::Undoing { because, .. } | Phase::Undone { because } => Some(because),
            Phase::Forward { .. } | Phase::Succeeded | Phase::Abandoned => None,
        }
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.phase, self.current().and_then(|step| self.steps.get(step))) {
            (Phase::Forward { .. }, Some(step)) if self.passed => write!(f, "past its point of no return at `{step}`"),
            (Phase::Forward { .. }, Some(step)) => write!(f, "at `{step}`"),
            (Phase::Undoing { .. }, Some(step)) => write!(f, "undoing `{step}`"),
            _ => f.write_str(self.summary().as_str()),
        }
    }
}

fn limit(retry_for: std::time::Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(retry_for).unwrap_or(jiff::SignedDuration::MAX)
}

fn one_more(before: Option<Trouble>, problem: &Problem, fatal: bool, retry_at: Timestamp, at: Timestamp) -> Trouble {
    let (attempts, since) = before.map_or((0, at), |trouble| (trouble.attempts, trouble.since));
    Trouble { attempts: attempts.saturating_add(1), since, problem: problem.clone(), fatal, retry_at }
}

fn word_and_step(event: &Event) -> String {
    match event {
        Event::Done { step, .. }
        | Event::Waits { step, .. }
        | Event::Failed { step, .. }
        | Event::Passed { step }
        | Event::Undone { step }
        | Event::UndoFailed { step, .. } => format!("{} of step {step}", event.word()),
        _ => event.word().to_owned(),
    }
}
