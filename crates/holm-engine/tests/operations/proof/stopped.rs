//! A process stands still in the middle of a step, others finish or undo the operation, then it goes on: and changes nothing.

use std::sync::Arc;

use futures_util::future::join_all;
use holm_core::id::OperationId;
use holm_engine::operation::probe::Moment;
use holm_testkit::eventually;
use rustix::process::Signal;

use crate::case::{self, Asked, Case, batches, dealt, everywhere};
use crate::child::Runner;
use crate::order::{self, Order, Place};
use crate::snapshot::differences;
use crate::subject::SUBJECTS;
use crate::world::{PATIENCE, World};

/// Processes that go on, besides those that stand still.
const RUNNERS: usize = 2;

/// After the last moment of a step there is nothing that a stale runner still believes it may record.
const MOMENTS: [Moment; 2] = [Moment::Before, Moment::Acted];

/// Worlds at the same time.
const WORLDS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stood_still_while_others_took_its_operations_over_changes_nothing_anywhere() {
    let cases = SUBJECTS.iter().flat_map(|subject| everywhere(subject, &MOMENTS, Order::Stop)).collect();
    join_all(dealt(cases, WORLDS).into_iter().map(prove)).await;
}

async fn prove(cases: Vec<Case>) {
    let mut world = World::with_short_lease().await;
    for cases in batches(cases) {
        stand_still_and_go_on(&mut world, &cases).await;
    }
}

async fn stand_still_and_go_on(world: &mut World, cases: &[Case]) {
    let asked = case::ask(world, cases, &Arc::default()).await;
    let stopped = until_all_are_over(world, &asked).await;
    world.control().start();
    case::check(world, &asked).await;
    let before = world.snapshot().await;
    for stale in stopped {
        stale.learns_that_it_is_late(world).await;
    }
    world.settled().await;
    let changed = differences(&before, &world.snapshot().await);
    assert_eq!(changed, Vec::<String>::new(), "changed by runners that were late");
    case::check(world, &asked).await;
}

/// A process that stands still, and what it was about.
struct Stale {
    runner: Runner,
    late: Vec<(OperationId, Place)>,
}

impl Stale {
    /// It goes on with the very operations, finds that they are another's, says so, and ends in good order.
    async fn learns_that_it_is_late(self, world: &World) {
        let Self { runner, late } = self;
        for (operation, place) in late {
            let what = format!("a stale runner of {operation} at {place} to go on and to learn that it is late");
            eventually(PATIENCE, &what, async || {
                // More than once: it may have been about to stop itself a second time.
                runner.signal(Signal::CONT);
                let log = runner.log();
                let learned = log.lines().any(|line| line.contains("was lost") && line.contains(&operation.to_string()));
                if order::woke(&world.orders(), operation, place) && learned { Ok(()) } else { Err(log) }
            })
            .await;
        }
        runner.end().await;
    }
}

/// Starts a process for each that came to stand still, until every operation is over; returns those that stand.
async fn until_all_are_over(world: &World, asked: &[Asked]) -> Vec<Stale> {
    let mut running: Vec<_> = (0..RUNNERS).map(|_| Runner::start(world)).collect();
    let (catalog, mut stopped) = (world.catalog().await, Vec::new());
    let place_of = |case: &Case| case.orders.iter().find(|(_, order)| *order == Order::Stop).expect("each case stops a process").0;
    let mut expected: Vec<_> = asked.iter().map(|one| (one.id, place_of(&one.case))).collect();
    let unfinished = "SELECT count(*) FROM operation WHERE finished_at IS NULL";
    eventually(PATIENCE, "the end of every operation", async || {
        expected.retain(|(operation, place)| {
            let Some(pid) = order::met(&world.orders(), *operation, *place) else { return true };
            if let Some(nth) = running.iter().position(|runner| runner.pid() == pid) {
                let runner = std::mem::replace(&mut running[nth], Runner::start(world));
                stopped.push(Stale { runner, late: Vec::new() });
            }
            // One process may have come to two of the positions at the same moment.
            let stale = stopped.iter_mut().find(|stale| stale.runner.pid() == pid).expect("it was a child of ours");
            stale.late.push((*operation, *place));
            false
        });
        let left: i64 = catalog.query_one(unfinished, &[]).await.unwrap().get(0);
        if left == 0 && expected.is_empty() { Ok(()) } else { Err(format!("{left} left, {expected:?}")) }
    })
    .await;
    for runner in running {
        runner.end().await;
    }
    stopped
}
