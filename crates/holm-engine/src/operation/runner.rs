//! Carries operations out: claims what is due, does what is next, records it, until there is nothing more to do.
//!
//! Promises: what is next is decided by `holm-core` alone, from the journal as it is in the catalog; nothing is recorded
//! without the lease. A runner that is told to stop gives its leases up, so that another process goes on at once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use holm_core::actor::{Actor, SystemActor};
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_core::operation::event::Event;
use holm_core::operation::journal::{self as core_journal, Digest, Row};
use holm_core::operation::standing::{Next, Phase, Standing};
use holm_store::audit::record;
use holm_store::error::StoreError;
use holm_store::operation::journal::{self, Appended, Held, NewRow, Summary, Writer};
use holm_store::operation::{Operation, claim};
use holm_store::tx::Tx;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::time::{sleep, timeout};

use super::acting::{Acting, Clock};
use super::definition::{Definition, Flow, Place, StepError};
use super::lease::{self, Lease, Leases};
use super::probe::{Direction, Moment, Position, Verdict};
use super::{digest, registry};
use crate::control::Control;
use crate::reconcile::backoff;

/// Operations at the same time in one process, at the most; each may want two connections to the catalog at once, and a pool
/// that is smaller allows fewer.
const RUNNING_MAX: usize = 16;

/// When something is due and cannot be had: another process, or a limit, is in the way.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Children say when they are over; this is for the case that nobody heard it.
const CHILDREN_EVERY: SignedDuration = SignedDuration::from_secs(30);

/// After so many failures in a row of what can only go on, a person is told.
const ALERT_AFTER: u32 = 5;

/// Runs operations for as long as the process lives.
pub(crate) async fn run(control: Control) {
    let (leases, slots, freed) = (
        Leases::default(),
        Arc::new(Semaphore::new((control.catalog().connections_max() / 2).clamp(1, RUNNING_MAX))),
        Arc::new(Notify::new()),
    );
    control.tasks().spawn("leases", leases.clone().run(control.clone()));
    let known = registry::known();
    // For leases that are over, and for signals that were lost.
    let look = lease::sign_every(&control);
    let mut signal = control.signal();
    loop {
        signal.borrow_and_update();
        let wait = match claim::due_in(control.catalog(), &known).await {
            Ok(Some(Duration::ZERO)) if slots.available_permits() > 0 => match take(&control, &leases, &slots, &freed).await {
                Ok(0) => LOOK_AGAIN,
                Ok(_) => continue,
                Err(error) => {
                    tracing::debug!(%error, "operations cannot be claimed");
                    look
                }
            },
            Ok(Some(due)) => due.clamp(LOOK_AGAIN.min(look), look),
            Ok(None) => look,
            Err(error) => {
                tracing::debug!(%error, "the catalog cannot be asked for operations");
                look
            }
        };
        tokio::select! {
            // All three are safe to drop: a sleep, a watch, a notification whose permit stays.
            () = sleep(wait) => {}
            _ = signal.changed() => {}
            () = freed.notified() => {}
        }
    }
}

/// Gives up what this process holds.
pub(crate) async fn leave(control: &Control) {
    if let Err(error) = claim::leave(control.catalog(), control.runner()).await {
        tracing::debug!(%error, "leases could not be given up; they end by themselves");
    }
}

async fn take(control: &Control, leases: &Leases, slots: &Arc<Semaphore>, freed: &Arc<Notify>) -> Result<usize, StoreError> {
    let since = Instant::now();
    let room = u32::try_from(slots.available_permits()).expect("a handful");
    let claimed = claim::claim(control.catalog(), control.runner(), control.lease(), &registry::known(), room).await?;
    let heard = Instant::now();
    let count = claimed.len();
    // The leases first: while journals are read, they are renewed already.
    let leased: Vec<_> = claimed.into_iter().map(|operation| (leases.keep(operation.id, operation.epoch, since), operation)).collect();
    let ids: Vec<OperationId> = leased.iter().map(|(_, operation)| operation.id).collect();
    let mut rows = if ids.is_empty() { Vec::new() } else { journal::of(control.catalog(), &ids).await? };
    for (lease, operation) in leased {
        let own = rows.extract_if(.., |(id, _)| *id == operation.id).map(|(_, row)| row).collect();
        let slot = Arc::clone(slots).try_acquire_owned().expect("no more are claimed than there is room for");
        let (control, freed) = (control.clone(), Arc::clone(freed));
        control.clone().tasks().spawn("operation", async move {
            drive(control, operation, own, lease, heard).await;
            drop(slot);
            freed.notify_one();
        });
    }
    Ok(count)
}

/// One operation in this process' hands.
struct Running {
    control: Control,
    operation: Operation,
    definition: &'static Definition,
    acting: Acting,
    standing: Standing,
    last_seq: u64,
    head: Digest,
    /// Recorded with whatever is recorded first: by itself, that it was taken up is of no importance.
    unsaid: Vec<Event>,
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

async fn drive(control: Control, operation: Operation, rows: Vec<Row>, lease: Lease, heard: Instant) {
    let definition = registry::find(&operation.kind, operation.version).expect("only known kinds are claimed");
    let standing = match replayed(definition, &rows, operation.last_seq, &operation.head) {
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
    let unsaid = vec![Event::Claimed { runner: control.runner().to_owned() }];
    let (last_seq, head, lasts) = (operation.last_seq, operation.head, control.lease());
    let mut running = Running { control, operation, definition, acting, standing, last_seq, head, unsaid };
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
            Next::Pass { step } => self.record(Event::Passed { step }, None).await.map(|_| None),
            Next::TurnBack { because } => self.record(Event::UndoBegun { because }, None).await.map(|_| None),
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
                let recorded = self.record(event, run_at).await?;
                if flow == Flow::WaitForChildren {
                    self.wake_if_children_are_over().await?;
                }
                self.recorded(step, direction, &recorded, run_at)
            }
            Err(error) => self.stumbled(step, undo, error).await,
        }
    }

    /// A child that was over between the step's look and its record has woken nobody.
    async fn wake_if_children_are_over(&self) -> Result<(), PutDown> {
        if holm_store::operation::children(self.control.catalog(), self.operation.id).await?.unfinished == 0 {
            claim::wake(self.control.catalog(), self.operation.id).await?;
            self.control.nudge();
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
        let mut tx = self.control.catalog().transaction().await?;
        match journal::hold(&mut tx, self.operation.id, self.operation.epoch).await? {
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
        let recorded = self.record_in(tx, event, run_at).await?;
        self.control.nudge();
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
            match self.record_in(tx, event.clone(), run_at).await? {
                // What a step has done is done whatever a person said meanwhile; what was only decided is decided anew.
                Recorded::Moved if self.still_means_something(&event) => {}
                recorded => return Ok(recorded),
            }
        }
    }

    fn still_means_something(&self, event: &Event) -> bool {
        let outcome = matches!(event, Event::Done { .. } | Event::Undone { .. } | Event::Failed { .. } | Event::UndoFailed { .. });
        outcome && self.standing.clone().after(event, self.acting.now()).is_ok()
    }

    /// Adds the event to the journal and to what is known here; or learns that somebody else was there first.
    async fn record_in(&mut self, mut tx: Tx, event: Event, run_at: Option<Timestamp>) -> Result<Recorded, PutDown> {
        let now = self.acting.now();
        let mut standing = self.standing.clone();
        let (mut rows, mut head, mut last) = (Vec::<NewRow>::new(), self.head, self.last_seq);
        for event in self.unsaid.iter().chain(std::iter::once(&event)) {
            standing = standing.after(event, now).map_err(|illegal| StoreError::Fault(illegal.into()))?;
            let row = digest::row(&head, last, self.operation.epoch, now, event);
            (head, last) = (row.digest, row.seq);
            rows.push(row);
        }
        let summary = summary(&standing, run_at, self.needs_person(standing.trouble().map_or(0, |trouble| trouble.attempts)));
        let writer = Writer::Runner(self.operation.epoch);
        match journal::append(&mut tx, self.operation.id, writer, &rows, &summary).await? {
            Appended::Done => {
                if let Some(action) = self.audited(&standing) {
                    let actor = Actor::system(SystemActor::Runner);
                    let subject = Subject::Operation(self.operation.id);
                    record(&mut tx, NewEntry::new(&actor, action, self.operation.environment.as_ref(), subject));
                }
                tx.commit().await?;
                (self.standing, self.head, self.last_seq) = (standing, head, last);
                self.unsaid.clear();
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
        let mut tx = self.control.catalog().transaction().await?;
        if journal::hold(&mut tx, self.operation.id, self.operation.epoch).await? == Held::Lost {
            return Ok(false);
        }
        let rows = journal::within(&mut tx, self.operation.id).await?;
        let operation = holm_store::operation::lock(&mut tx, self.operation.id).await?;
        tx.rollback().await?;
        let Some(operation) = operation else { return Ok(false) };
        let Ok(standing) = replayed(self.definition, &rows, operation.last_seq, &operation.head) else { return Ok(false) };
        if rows.iter().any(|row| row.epoch == self.operation.epoch) {
            self.unsaid.clear();
        }
        (self.standing, self.last_seq, self.head) = (standing, operation.last_seq, operation.head);
        Ok(true)
    }

    /// Puts it down until a time, or until a person says something.
    async fn release(&mut self, until: Option<Timestamp>) -> Result<Option<PutDown>, PutDown> {
        claim::release(self.control.catalog(), self.operation.id, self.operation.epoch, self.last_seq, until).await?;
        // If somebody said something just now, it is due again, and this process or another finds it.
        self.control.nudge();
        Ok(Some(PutDown::Quietly))
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
