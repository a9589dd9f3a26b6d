//! Carries one operation out: does what is next, records it, until there is nothing more to do.
//!
//! Promises: what is next is decided by `holm-core` alone, from the journal as it is in the catalog and what is about to be
//! added to it; nothing is recorded without the lease. A step acts outside the catalog only when everything before it is
//! recorded; what a record in the catalog follows at once is recorded with it, so that a step costs one commit.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use holm_core::actor::{Actor, SystemActor};
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::operation::event::Event;
use holm_core::operation::journal::{self as core_journal, Digest, Row};
use holm_core::operation::standing::{Next, Phase, Standing};
use holm_store::audit::record;
use holm_store::error::StoreError;
use holm_store::operation::journal::{self, Appended, Held, Journal, NewRow, Summary, Writer};
use holm_store::operation::{Operation, claim};
use holm_store::tx::Tx;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};

use super::acting::{Acting, Clock};
use super::definition::{Definition, Flow, Place, StepError};
use super::lease::{InCatalog, Lease, Leases};
use super::probe::{Direction, Moment, Position, Verdict};
use super::{digest, registry};
use crate::control::Control;
use crate::reconcile::backoff;

const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Children say when they are over; this is for the case that nobody heard it.
const CHILDREN_EVERY: SignedDuration = SignedDuration::from_secs(30);

/// After so many failures in a row of what can only go on, a person is told.
const ALERT_AFTER: u32 = 5;

/// One operation in this process' hands.
struct Running {
    control: Control,
    operation: Operation,
    definition: &'static Definition,
    acting: Acting,
    leases: Leases,
    /// See [`InCatalog`].
    in_catalog: watch::Sender<bool>,
    /// How it stands, what is not recorded yet included.
    standing: Standing,
    /// The last row of the journal, as it is in the catalog.
    last_seq: u64,
    head: Digest,
    /// Recorded with whatever is recorded next, and before anything is done outside the catalog: that it was taken up, that a
    /// wait is over, that a step outside is done when one in the catalog follows. Lost with the process, it is done again, as
    /// steps outside have to bear.
    unsaid: Vec<(Event, Timestamp)>,
}

/// Why an operation is put down.
enum PutDown {
    /// It is over, or waits.
    Quietly,
    /// It is another runner's by now, or a person gave it up.
    Lost,
    /// The catalog does not answer; the lease ends by itself.
    Unavailable(StoreError),
}

impl From<StoreError> for PutDown {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

/// What was recorded.
enum Recorded {
    Done,
    /// Somebody else added a row; look again.
    Moved,
}

pub(super) async fn drive(control: Control, operation: Operation, journal: Journal, leases: Leases, lease: Lease, heard: Instant) {
    let definition = registry::find(&operation.kind, operation.version).expect("only known kinds are claimed");
    let standing = match replayed(definition, &journal.rows, journal.last_seq, &journal.head) {
        Ok(standing) => standing,
        Err(why) => {
            let problem = broken(&operation, &why);
            tracing::error!(op.id = %operation.id, op.kind = %operation.kind, code = %problem.code, %why, "the journal of an operation cannot be believed");
            let _ = claim::set_aside(control.catalog(), operation.id, operation.epoch, &problem).await;
            return;
        }
    };
    let acting = Acting {
        control: control.clone(),
        id: operation.id,
        epoch: operation.epoch,
        lost: lease.lost.clone(),
        clock: Clock { said: operation.read_at, heard },
        told: Arc::new(Mutex::new(None)),
    };
    let unsaid = vec![(Event::Claimed { runner: control.runner().to_owned() }, acting.now())];
    let (last_seq, head, lasts) = (journal.last_seq, journal.head, control.lease());
    let in_catalog = lease.in_catalog.clone();
    let mut running = Running { control, operation, definition, acting, leases, in_catalog, standing, last_seq, head, unsaid };
    let put_down = tokio::select! {
        biased;
        // Cutting a step anywhere is safe: it observes before it acts when it is run again.
        () = lease.over(lasts) => PutDown::Lost,
        put_down = running.go_on() => put_down,
    };
    let (id, kind) = (running.operation.id, &running.operation.kind);
    match put_down {
        PutDown::Quietly => {}
        PutDown::Lost => tracing::warn!(op.id = %id, op.kind = %kind, "the lease of an operation was lost; it is not touched any more"),
        PutDown::Unavailable(error) => {
            tracing::warn!(op.id = %id, op.kind = %kind, %error, "an operation is put down, since the catalog does not answer");
        }
    }
}

/// Replays, and sees to it that the steps are those that this Holm has.
fn replayed(definition: &Definition, rows: &[Row], last_seq: u64, head: &Digest) -> Result<Standing, String> {
    let standing = core_journal::replay(rows, last_seq, head, digest::hash).map_err(|broken| broken.to_string())?;
    if standing.steps == definition.plan.names() { Ok(standing) } else { Err("it was begun with other steps".to_owned()) }
}

fn broken(operation: &Operation, why: &str) -> Problem {
    Problem::new(ErrorCode::OperationBroken, format!("{} `{}` is not carried on", operation.kind, operation.id))
        .because(why)
        .changed(Changed::Unknown)
        .next("see what it did: `holm op show`; set right by hand what is half done, then `holm op abandon`")
}

impl Running {
    /// Goes on until there is nothing to do now. Retries only where the catalog refused or was away for a moment.
    async fn go_on(&mut self) -> PutDown {
        loop {
            // Whatever panicked is tried again as any other failure, and in the end undone; it must not be tried for ever.
            let done = match AssertUnwindSafe(self.one_thing()).catch_unwind().await {
                Ok(done) => done,
                Err(_) => self.panicked().await,
            };
            match done {
                Ok(Some(put_down)) => return put_down,
                Ok(None) => {}
                Err(PutDown::Unavailable(error)) if error.is_temporary() || matches!(error, StoreError::CommitUnknown(_)) => {
                    // Until the lease is over: the drop of this future ends the loop.
                    sleep(backoff::jittered(RETRY_MIN)).await;
                    match timeout(self.control.lease(), self.look_again()).await {
                        Ok(Ok(true)) | Ok(Err(PutDown::Unavailable(_))) | Err(_) => {}
                        Ok(Ok(false) | Err(PutDown::Quietly | PutDown::Lost)) => return PutDown::Lost,
                    }
                }
                Err(put_down) => return put_down,
            }
        }
    }

    async fn panicked(&mut self) -> Result<Option<PutDown>, PutDown> {
        let problem = Problem::new(ErrorCode::Internal, "a step of the operation panicked").next("report this with the log");
        let undo = matches!(self.standing.phase, Phase::Undoing { .. });
        match self.standing.current() {
            Some(step) => self.stumbled(step, undo, StepError::Retry(problem)).await,
            None => Ok(Some(PutDown::Quietly)),
        }
    }

    /// Does what is next. Returns `None` if there may be more to do.
    async fn one_thing(&mut self) -> Result<Option<PutDown>, PutDown> {
        let now = self.acting.now();
        match self.standing.next(&self.definition.plan, now, self.operation.deadline) {
            Next::Run { step } => self.work(step, Direction::Forward).await,
            Next::Undo { step } => self.work(step, Direction::Back).await,
            Next::Pass { step } => self.defer(Event::Passed { step }).map(|()| None),
            Next::TurnBack { because } => self.record(Event::UndoBegun { because }, None).await.map(|_| None),
            Next::WaitUntil(_) | Next::Rest if self.has_unsaid() => self.say().await.map(|_| None),
            Next::WaitUntil(time) => self.release(Some(time)).await,
            Next::Rest => self.release(None).await,
            Next::Over => Ok(Some(PutDown::Quietly)),
        }
    }

    /// Runs a step, or undoes it, and records what came of it.
    async fn work(&mut self, step: usize, direction: Direction) -> Result<Option<PutDown>, PutDown> {
        let undo = direction == Direction::Back;
        let run = self.definition.step(step);
        let place = run.place(undo);
        if place == Place::Outside && !self.said().await? {
            return Ok(None);
        }
        if let Err(error) = self.probe(step, direction, Moment::Before) {
            return self.stumbled(step, undo, error).await;
        }
        let outcome = match place {
            Place::Catalog => return self.work_in_catalog(step, direction).await,
            Place::Nowhere => Ok((Flow::Done, self.standing.state.clone())),
            Place::Wait => run.until(&self.standing.state).map(|until| (self.waited(until), self.standing.state.clone())),
            Place::Outside => run.outside(&self.acting, &self.standing.state, undo).await,
        };
        let outcome = match outcome {
            Ok((flow, state)) => match self.probe(step, direction, Moment::Acted) {
                Ok(true) if place == Place::Outside => run.outside(&self.acting, &self.standing.state, undo).await,
                Ok(_) => Ok((flow, state)),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        match outcome {
            Ok((flow, state)) => {
                let (event, run_at) = self.came_of(step, undo, flow, state);
                if flow == Flow::Done && self.goes_on_in_catalog(&event) {
                    return self.defer(event).map(|()| None);
                }
                let recorded = self.record(event, run_at).await?;
                if flow == Flow::WaitForChildren {
                    self.wake_if_children_are_over().await?;
                }
                self.recorded(step, direction, &recorded, run_at)
            }
            Err(error) => self.stumbled(step, undo, error).await,
        }
    }

    /// Whether, after an event, the very next thing is one that is recorded in any case: a step in the catalog, or one that
    /// does nothing.
    fn goes_on_in_catalog(&self, event: &Event) -> bool {
        let now = self.acting.now();
        let Ok(standing) = self.standing.clone().after(event, now) else { return false };
        match standing.next(&self.definition.plan, now, self.operation.deadline) {
            Next::Run { step } | Next::Pass { step } => self.definition.step(step).place(false) != Place::Outside,
            Next::Undo { step } => self.definition.step(step).place(true) != Place::Outside,
            Next::TurnBack { .. } | Next::WaitUntil(_) | Next::Rest | Next::Over => false,
        }
    }

    /// Says something with the next record.
    fn defer(&mut self, event: Event) -> Result<(), PutDown> {
        let now = self.acting.now();
        self.standing = self.standing.clone().after(&event, now).map_err(|illegal| StoreError::Fault(illegal.into()))?;
        self.unsaid.push((event, now));
        Ok(())
    }

    /// Records what is to be known before a step acts outside the catalog: the names that it may touch, and that there is no
    /// way back. Returns whether nobody said anything meanwhile.
    async fn said(&mut self) -> Result<bool, PutDown> {
        Ok(!self.has_unsaid() || matches!(self.say().await?, Recorded::Done))
    }

    /// Whether something is unsaid that is of importance by itself.
    fn has_unsaid(&self) -> bool {
        self.unsaid.iter().any(|(event, _)| !matches!(event, Event::Claimed { .. }))
    }

    async fn say(&mut self) -> Result<Recorded, PutDown> {
        let tx = self.control.catalog().transaction().await?;
        self.record_in(tx, None, None).await
    }

    /// A child that was over between the step's look and its record has woken nobody.
    async fn wake_if_children_are_over(&self) -> Result<(), PutDown> {
        if holm_store::operation::children(self.control.catalog(), self.operation.id).await?.unfinished == 0 {
            claim::wake(self.control.catalog(), self.operation.id).await?;
            self.control.nudge_runner();
        }
        Ok(())
    }

    /// Whether a wait is over: by the time, or because a person ended it.
    fn waited(&self, until: Timestamp) -> Flow {
        let now = self.acting.now();
        let ended = matches!(self.standing.phase, Phase::Forward { waits_until: Some(time), .. } if time <= now);
        if ended || until <= now { Flow::Done } else { Flow::WaitUntil(until) }
    }

    /// As [`work`](Self::work), in one transaction with the record.
    async fn work_in_catalog(&mut self, step: usize, direction: Direction) -> Result<Option<PutDown>, PutDown> {
        let undo = direction == Direction::Back;
        let run = self.definition.step(step);
        let _in_catalog = InCatalog::new(&self.in_catalog);
        let (mut tx, held) = journal::begin_held(self.control.catalog(), self.operation.id, self.operation.epoch).await?;
        match held {
            Held::Lost => return Ok(Some(PutDown::Lost)),
            Held::Mine { last_seq } if last_seq != self.last_seq => {
                tx.rollback().await?;
                return self.look_again().await.map(|mine| (!mine).then_some(PutDown::Lost));
            }
            Held::Mine { .. } => {}
        }
        let mut outcome = run.in_catalog(&self.acting, &mut tx, &self.standing.state, undo).await;
        if outcome.is_ok() {
            outcome = match self.probe(step, direction, Moment::Acted) {
                // As after a commit that never arrived.
                Ok(true) => return tx.rollback().await.map(|()| None).map_err(PutDown::from),
                Ok(false) => outcome,
                Err(error) => Err(error),
            };
        }
        let (flow, state) = match outcome {
            Ok(done) => done,
            Err(error) => {
                tx.rollback().await?;
                return self.stumbled(step, undo, error).await;
            }
        };
        if flow != Flow::Done {
            // A step that waits has changed nothing.
            tx.rollback().await?;
            let (event, run_at) = self.came_of(step, undo, flow, state);
            let recorded = self.record(event, run_at).await?;
            return self.recorded(step, direction, &recorded, run_at);
        }
        let (event, run_at) = self.came_of(step, undo, flow, state);
        let changes = tx.changes();
        let recorded = self.record_in(tx, Some(event), run_at).await?;
        if changes {
            self.control.nudge();
        }
        self.recorded(step, direction, &recorded, run_at)
    }

    fn recorded(
        &self,
        step: usize,
        direction: Direction,
        recorded: &Recorded,
        run_at: Option<Timestamp>,
    ) -> Result<Option<PutDown>, PutDown> {
        if matches!(recorded, Recorded::Done) {
            let _ = self.probe(step, direction, Moment::Recorded);
            if run_at.is_some() {
                return Ok(Some(PutDown::Quietly));
            }
        }
        Ok(None)
    }

    fn came_of(&self, step: usize, undo: bool, flow: Flow, state: Value) -> (Event, Option<Timestamp>) {
        match flow {
            Flow::Done if undo => (Event::Undone { step }, None),
            Flow::Done => (Event::Done { step, state }, None),
            Flow::WaitUntil(time) => (Event::Waits { step, until: Some(digest::kept(time)) }, Some(self.not_after_deadline(time))),
            Flow::WaitForChildren => {
                let time = self.acting.now().saturating_add(CHILDREN_EVERY).expect("30 s from now");
                (Event::Waits { step, until: None }, Some(self.not_after_deadline(time)))
            }
        }
    }

    /// A deadline ends every wait, as long as it can still have the operation undone.
    fn not_after_deadline(&self, time: Timestamp) -> Timestamp {
        let deadline = self.operation.deadline.filter(|_| !self.standing.passed);
        digest::kept(deadline.map_or(time, |deadline| time.min(deadline)))
    }

    /// Records that a step, or its undoing, did not get through, and puts the operation down until it is tried again.
    async fn stumbled(&mut self, step: usize, undo: bool, error: StepError) -> Result<Option<PutDown>, PutDown> {
        let (problem, fatal) = match error {
            StepError::Lost => return Ok(Some(PutDown::Lost)),
            StepError::Retry(problem) => (problem, false),
            StepError::Fatal(problem) => (problem, true),
        };
        let attempts = self.standing.trouble().map_or(0, |trouble| trouble.attempts);
        let wait = backoff::jittered((RETRY_MIN * 2_u32.saturating_pow(attempts.min(16))).min(RETRY_MAX));
        let wait = SignedDuration::try_from(wait).expect("30 s at the most");
        let retry_at = digest::kept(self.acting.now().saturating_add(wait).expect("30 s from now"));
        let event = if undo { Event::UndoFailed { step, problem, retry_at } } else { Event::Failed { step, problem, fatal, retry_at } };
        let next = self
            .standing
            .clone()
            .after(&event, self.acting.now())
            .map(|next| next.next(&self.definition.plan, self.acting.now(), self.operation.deadline));
        // When it is given up, undoing begins at once.
        let run_at = matches!(next, Ok(Next::WaitUntil(_))).then_some(retry_at);
        self.tell_of_trouble(&event, attempts + 1);
        match self.record(event, run_at).await? {
            Recorded::Done if run_at.is_some() => Ok(Some(PutDown::Quietly)),
            _ => Ok(None),
        }
    }

    fn tell_of_trouble(&self, event: &Event, attempts: u32) {
        let (Event::Failed { problem, step, .. } | Event::UndoFailed { problem, step, .. }) = event else { return };
        let name = self.definition.plan.steps()[*step].name;
        let (id, kind, why) = (self.operation.id, &self.operation.kind, problem.why.as_deref());
        if self.needs_person(attempts) && attempts == ALERT_AFTER {
            tracing::error!(op.id = %id, op.kind = %kind, op.step = name, code = %problem.code, why, attempts, "an operation that can only go on does not get through: {}", problem.what);
        } else {
            tracing::warn!(op.id = %id, op.kind = %kind, op.step = name, code = %problem.code, why, attempts, "a step of an operation did not get through: {}", problem.what);
        }
    }

    /// An operation that may still give up tells so by giving up.
    const fn needs_person(&self, attempts: u32) -> bool {
        attempts >= ALERT_AFTER && (self.standing.passed || matches!(self.standing.phase, Phase::Undoing { .. }))
    }

    /// What the audit log is told of a standing that is about to be recorded.
    fn audited(&self, next: &Standing) -> Option<AuditAction> {
        match &next.phase {
            Phase::Succeeded => Some(AuditAction::OperationSucceed),
            Phase::Undone { .. } => Some(AuditAction::OperationUndo),
            Phase::Forward { .. } | Phase::Undoing { .. } | Phase::Abandoned => {
                let attempts = next.trouble().map_or(0, |trouble| trouble.attempts);
                (attempts == ALERT_AFTER && self.needs_person(attempts)).then_some(AuditAction::OperationAlert)
            }
        }
    }

    async fn record(&mut self, event: Event, run_at: Option<Timestamp>) -> Result<Recorded, PutDown> {
        loop {
            let tx = self.control.catalog().transaction().await?;
            match self.record_in(tx, Some(event.clone()), run_at).await? {
                // What a step has done is done whatever a person said meanwhile; what was only decided is decided anew.
                Recorded::Moved if self.still_means_something(&event) => {}
                recorded => return Ok(recorded),
            }
        }
    }

    fn still_means_something(&self, event: &Event) -> bool {
        is_outcome(event) && self.standing.clone().after(event, self.acting.now()).is_ok()
    }

    /// Adds what is unsaid, and the event, to the journal; or learns that somebody else was there first.
    async fn record_in(&mut self, mut tx: Tx, event: Option<Event>, run_at: Option<Timestamp>) -> Result<Recorded, PutDown> {
        let now = self.acting.now();
        let mut standing = self.standing.clone();
        if let Some(event) = &event {
            standing = standing.after(event, now).map_err(|illegal| StoreError::Fault(illegal.into()))?;
        }
        let (mut rows, mut head, mut last) = (Vec::<NewRow>::new(), self.head, self.last_seq);
        for (event, at) in self.unsaid.iter().map(|(event, at)| (event, *at)).chain(event.iter().map(|event| (event, now))) {
            let row = digest::row(&head, last, self.operation.epoch, at, event);
            (head, last) = (row.digest, row.seq);
            rows.push(row);
        }
        let summary = summary(&standing, run_at, self.needs_person(standing.trouble().map_or(0, |trouble| trouble.attempts)));
        let (writer, since) = (Writer::Runner { epoch: self.operation.epoch, lease: self.control.lease() }, Instant::now());
        match journal::append(&mut tx, self.operation.id, writer, &rows, &summary).await? {
            Appended::Done => {
                if let Some(action) = self.audited(&standing) {
                    let actor = Actor::system(SystemActor::Runner);
                    let subject = Subject::Operation(self.operation.id);
                    record(&mut tx, NewEntry::new(&actor, action, self.operation.environment.as_ref(), subject));
                }
                tx.commit().await?;
                (self.standing, self.head, self.last_seq) = (standing, head, last);
                self.leases.renewed_by_record(self.operation.id, self.operation.epoch, since);
                self.control.nudge_watchers();
                for (event, _) in std::mem::take(&mut self.unsaid) {
                    self.probe_recorded(&event);
                }
                Ok(Recorded::Done)
            }
            Appended::Refused => {
                tx.rollback().await?;
                if self.look_again().await? { Ok(Recorded::Moved) } else { Err(PutDown::Lost) }
            }
        }
    }

    /// Reads the journal again: somebody added a row, or it is not known whether we did. Returns whether the lease is ours.
    async fn look_again(&mut self) -> Result<bool, PutDown> {
        let (mut tx, held) = journal::begin_held(self.control.catalog(), self.operation.id, self.operation.epoch).await?;
        if held == Held::Lost {
            return Ok(false);
        }
        let rows = journal::within(&mut tx, self.operation.id).await?;
        let operation = holm_store::operation::lock(&mut tx, self.operation.id).await?;
        tx.rollback().await?;
        let Some(operation) = operation else { return Ok(false) };
        let Ok(standing) = replayed(self.definition, &rows, operation.last_seq, &operation.head) else { return Ok(false) };
        let claimed = rows.iter().any(|row| row.epoch == self.operation.epoch);
        (self.standing, self.last_seq, self.head) = (standing, operation.last_seq, operation.head);
        self.say_again(claimed);
        Ok(true)
    }

    /// Of what is unsaid, what is done is done whatever a person said meanwhile, unless the journal has it already; what was
    /// only decided is decided anew.
    fn say_again(&mut self, claimed: bool) {
        for (event, at) in std::mem::take(&mut self.unsaid) {
            match &event {
                Event::Claimed { .. } if claimed => continue,
                Event::Claimed { .. } => {}
                // That there is nothing more to wait for was decided, by the time.
                Event::Done { step, .. } if self.definition.step(*step).place(false) == Place::Wait => break,
                event if is_outcome(event) => {}
                _ => break,
            }
            // What follows something that means nothing any more was done on the strength of it.
            let Ok(standing) = self.standing.clone().after(&event, at) else { break };
            self.standing = standing;
            self.unsaid.push((event, at));
        }
    }

    /// Puts it down until a time, or until a person says something.
    async fn release(&mut self, until: Option<Timestamp>) -> Result<Option<PutDown>, PutDown> {
        claim::release(self.control.catalog(), self.operation.id, self.operation.epoch, self.last_seq, until).await?;
        // If somebody said something just now, it is due again, and this process or another finds it.
        self.control.nudge_runner();
        Ok(Some(PutDown::Quietly))
    }

    fn probe_recorded(&self, event: &Event) {
        match event {
            Event::Done { step, .. } => drop(self.probe(*step, Direction::Forward, Moment::Recorded)),
            Event::Undone { step } => drop(self.probe(*step, Direction::Back, Moment::Recorded)),
            _ => {}
        }
    }

    /// Asks the probe, if there is one. Returns whether the step is to be repeated.
    fn probe(&self, step: usize, direction: Direction, moment: Moment) -> Result<bool, StepError> {
        let Some(probe) = self.control.probe() else { return Ok(false) };
        let name = self.definition.plan.steps()[step].name;
        let position = Position { operation: self.operation.id, kind: self.definition.kind.as_str(), step, name, direction, moment };
        match probe.at(position) {
            Verdict::Go => Ok(false),
            Verdict::Repeat => Ok(moment == Moment::Acted),
            Verdict::Fail(problem) => Err(StepError::Retry(problem)),
            Verdict::FailForGood(problem) => Err(StepError::Fatal(problem)),
        }
    }
}

/// Whether an event tells what came of something, and not what was decided.
const fn is_outcome(event: &Event) -> bool {
    matches!(event, Event::Done { .. } | Event::Undone { .. } | Event::Failed { .. } | Event::UndoFailed { .. })
}

/// What the operation's row says of a standing.
pub(super) fn summary(standing: &Standing, run_at: Option<Timestamp>, alerted: bool) -> Summary {
    let problem = standing.trouble().map(|trouble| trouble.problem.clone()).or_else(|| match standing.because() {
        Some(holm_core::operation::event::Because::Failed { problem }) => Some(problem.clone()),
        _ => None,
    });
    Summary {
        state: standing.summary(),
        step: u32::try_from(standing.done()).expect("a handful of steps"),
        step_name: standing.current().and_then(|step| standing.steps.get(step)).cloned(),
        problem,
        alerted,
        run_at,
    }
}
