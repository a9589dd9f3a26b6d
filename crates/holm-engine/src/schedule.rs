//! What is done now and then, by one of the processes on a catalog.
//!
//! Promises: a piece of work that is due is done once, whichever process is first; if that one dies over it, another does it
//! when its time is over. What failed is tried again sooner than it would be due. Refuses state of its own: each piece looks
//! at what is there.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_store::schedule::{self, Taken};
use tokio::time::{sleep, timeout};

use crate::control::Control;
use crate::node;
use crate::pulse::{UNHEARD, found};
use crate::reconcile::{answers, backoff};
use crate::residency::watch;
use crate::webhook::retention;

/// When the catalog could not be asked.
const LOOK: Duration = Duration::from_secs(10);

/// What is due may be in another's hands.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// By so much at the most do processes ask later than they could.
const APART: Duration = Duration::from_secs(1);

/// What failed is tried again after this, or when it is due anyway.
const RETRY: Duration = Duration::from_secs(30);

/// A piece of work.
#[derive(Clone, Copy)]
pub struct Job {
    /// What it is called in the catalog; it stays the same over releases.
    pub name: &'static str,
    /// From one beginning to the next.
    pub every: Duration,
    /// It is cut off after this, and another process may take it up.
    pub at_most: Duration,
    /// What is done. Must be safe to drop anywhere.
    pub run: fn(Control) -> Work,
}

/// Work that is under way.
pub type Work = Pin<Box<dyn Future<Output = Result<(), Problem>> + Send>>;

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("name", &self.name).field("every", &self.every).finish_non_exhaustive()
    }
}

/// What every Holm has to do.
pub fn usual() -> Vec<Job> {
    vec![
        Job {
            name: "forget nodes",
            every: Duration::from_secs(30),
            at_most: Duration::from_secs(20),
            run: |control| Box::pin(node::forget(control)),
        },
        Job {
            name: "forget answers",
            every: Duration::from_secs(600),
            at_most: Duration::from_secs(60),
            run: |control| Box::pin(answers::forget(control)),
        },
        Job {
            name: "judge copies",
            every: Duration::from_secs(30),
            at_most: Duration::from_secs(60),
            run: |control| Box::pin(watch::judge(control)),
        },
        Job {
            name: "forget messages",
            every: Duration::from_secs(3600),
            at_most: Duration::from_secs(60),
            run: |control| Box::pin(retention::forget(control)),
        },
    ]
}

/// Does what falls due, for as long as the process lives.
pub(crate) async fn run(control: Control, jobs: Vec<Job>) {
    let names: Vec<&str> = jobs.iter().map(|job| job.name).collect();
    while schedule::add(control.catalog(), &names).await.is_err() {
        sleep(backoff::jittered(LOOK)).await;
    }
    let mut looks = control.looks();
    loop {
        let wait = match schedule::due_in(control.catalog(), &names).await {
            Ok(Some(Duration::ZERO)) => match one(&control, &jobs, &names).await {
                true => continue,
                false => LOOK_AGAIN,
            },
            Ok(due) => due.unwrap_or(UNHEARD).min(UNHEARD),
            Err(error) => {
                tracing::debug!(%error, "the catalog cannot be asked what is due");
                LOOK
            }
        };
        // A little apart, so that processes that wait for one moment do not all ask in it. What became due sooner than it was
        // to, since another process did not do it, is found by the pulse.
        let _ = timeout(wait + backoff::jittered(APART.min(wait)), found(&mut looks, |found| found.jobs == Some(Duration::ZERO))).await;
    }
}

/// Does one thing that is due; returns whether there was one to be had.
async fn one(control: &Control, jobs: &[Job], names: &[&str]) -> bool {
    let at_most = jobs.iter().map(|job| job.at_most).max().unwrap_or(LOOK);
    let Ok(Some(taken)) = schedule::take(control.catalog(), names, control.runner(), at_most).await else { return false };
    let Some(job) = jobs.iter().find(|job| job.name == taken.name) else { return false };
    let done = timeout(job.at_most, (job.run)(control.clone())).await.unwrap_or_else(|_| Err(too_slow(job)));
    record(control, job, &taken, done.err()).await;
    true
}

async fn record(control: &Control, job: &Job, taken: &Taken, problem: Option<Problem>) {
    let next = if problem.is_some() { RETRY.min(job.every) } else { job.every };
    if let Some(problem) = &problem {
        tracing::warn!(job = job.name, code = %problem.code, why = problem.why, "scheduled work was not done: {}", problem.what);
    }
    match schedule::done(control.catalog(), taken, next, problem.as_ref()).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(job = job.name, "scheduled work took so long that another process took it up"),
        Err(error) => tracing::warn!(job = job.name, %error, "that scheduled work is done could not be recorded; it is done again"),
    }
}

fn too_slow(job: &Job) -> Problem {
    Problem::new(ErrorCode::RequestTooSlow, format!("`{}` was not done within {} s", job.name, job.at_most.as_secs()))
}
