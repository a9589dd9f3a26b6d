//! A process stands still in the middle of a step, others finish or undo the operation, then it goes on: and changes nothing.

use std::sync::Arc;

use futures_util::future::join_all;
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_engine::operation::people::{self, Word};
use holm_engine::operation::probe::Moment;
use holm_testkit::eventually;
use rustix::process::Signal;

use crate::case::{self, Asked, Case, batches, dealt, everywhere};
use crate::child::Runner;
use crate::order::{self, Order, Place};
use crate::snapshot::differences;
use crate::subject::SUBJECTS;
use crate::world::{self, PATIENCE, World, by};

/// Processes that go on, besides those that stand still.
const RUNNERS: usize = 2;

/// After the last moment of a step there is nothing that a stale runner still believes it may record.
const MOMENTS: [Moment; 2] = [Moment::Before, Moment::Acted];

/// Cases at the same time, each with a process or two that stand still: those keep their connections to every cluster, and
/// more would leave none on the small servers for whoever goes on.
const STILL_MAX: usize = 8;

/// Worlds at the same time.
const WORLDS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stood_still_while_others_took_its_operations_over_changes_nothing_anywhere() {
    let cases = SUBJECTS.iter().flat_map(|subject| everywhere(subject, &MOMENTS, Order::Stop)).collect();
    join_all(dealt(cases, WORLDS).into_iter().map(prove)).await;
}

async fn prove(cases: Vec<Case>) {
    let mut world = World::for_many_that_stand_still().await;
    for cases in batches(cases).iter().flat_map(|cases| cases.chunks(STILL_MAX)) {
        stand_still_and_go_on(&mut world, cases).await;
    }
}

async fn stand_still_and_go_on(world: &mut World, cases: &[Case]) {
    let asked = case::ask(world, cases, &Arc::default()).await;
    let stopped = until_all_are_over(world, &asked).await;
    world.control().start();
    case::check_beside_the_still(world, &asked).await;
    let before = world.snapshot().await;
    for stale in stopped {
        stale.learns_that_it_is_late(world).await;
    }
    world.settled().await;
    let changed = differences(&before, &world.snapshot().await);
    assert_eq!(changed, Vec::<String>::new(), "changed by runners that were late");
    case::check(world, &asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_gave_up_is_not_gone_on_with_by_a_process_that_stood_still() {
    let subject = SUBJECTS.iter().find(|subject| subject.kind == "tenant.delete").unwrap();
    let mut world = World::start().await;
    for nth in 0..subject.listed().steps.len() {
        let case = Case::forward(subject, nth, Moment::Before, Order::Stop);
        let place = case.orders[0].0;
        let asked = case::ask(&mut world, &[case], &Arc::default()).await;
        let id = asked[0].id;
        let runner = Runner::start(&world);
        eventually(PATIENCE, "a process that stands still", async || order::met(&world.orders(), id, place)).await;
        let word = Word::Abandon { reason: "it stands still".parse().unwrap() };
        let given_up = people::tell(world.control(), &by(), id, word).await.unwrap();
        assert_eq!(given_up.state, OperationState::Abandoned);
        // What reconcilers do with what the steps left is not the operation's.
        world.control().start();
        world.settled().await;
        let before = world.snapshot().await;
        Stale { runner, late: vec![(id, place)] }.learns_that_it_is_late(&world).await;
        world.settled().await;
        let changed = differences(&before, &world.snapshot().await);
        assert_eq!(changed, Vec::<String>::new(), "changed at {place} by a runner of what was given up");
    }
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
        for (operation, place) in &late {
            order::let_go(&world.orders(), *operation, *place);
        }
        for (operation, place) in late {
            let what = format!("a stale runner of {operation} at {place} to go on and to learn that it is late");
            eventually(PATIENCE, &what, async || {
                // More than once: it may have been about to stop itself a second time.
                runner.signal(Signal::CONT);
                let log = runner.log();
                let learned = log.lines().any(|line| line.contains("was lost") && line.contains(&operation.to_string()));
                let woke = order::woke(&world.orders(), operation, place);
                if woke && learned { Ok(()) } else { Err((woke, log)) }
            })
            .await;
        }
        runner.end().await;
    }
}

/// Starts a process for each that came to stand still, until every operation is over; returns those that stand.
async fn until_all_are_over(world: &World, asked: &[Asked]) -> Vec<Stale> {
    let mut running: Vec<_> = (0..RUNNERS).map(|_| Runner::start(world)).collect();
    let mut stopped = Vec::new();
    let places = |one: &Asked| one.case.orders.clone().into_iter().filter(|(_, order)| *order == Order::Stop).map(|(place, _)| place);
    let mut expected: Vec<_> = asked.iter().flat_map(|one| places(one).map(|place| (one.id, place))).collect();
    let catalog = world.catalog().await;
    eventually(case::patience(asked), "the end of every operation", async || {
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
        let left = world::unfinished(&catalog).await;
        if left.is_empty() && expected.is_empty() { Ok(()) } else { Err(format!("{left:?} left, {expected:?}")) }
    })
    .await;
    for runner in running {
        runner.end().await;
    }
    stopped
}
