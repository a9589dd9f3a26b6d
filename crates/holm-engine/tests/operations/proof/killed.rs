//! Processes are killed at every position of every operation; others take up what they were doing.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;

use futures_util::future::join_all;
use holm_engine::operation::probe::Moment;
use holm_testkit::eventually;

use crate::case::{self, Asked, Case, batches, dealt, everywhere};
use crate::child::Runner;
use crate::order::Order;
use crate::subject::SUBJECTS;
use crate::world::{self, World};

/// Processes at the same time.
const RUNNERS: usize = 2;

const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Acted, Moment::Recorded];

/// Worlds at the same time.
const WORLDS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_any_position_leaves_what_another_one_finishes_or_undoes() {
    let cases = SUBJECTS.iter().flat_map(|subject| everywhere(subject, &MOMENTS, Order::Kill)).collect();
    join_all(dealt(cases, WORLDS).into_iter().map(prove)).await;
}

async fn prove(cases: Vec<Case>) {
    let mut world = World::with_short_lease().await;
    for cases in batches(cases) {
        until_all_are_met(&mut world, cases).await;
    }
}

async fn until_all_are_met(world: &mut World, mut cases: Vec<Case>) {
    while !cases.is_empty() {
        let asked = case::ask(world, &cases, &Arc::default()).await;
        until_all_are_over(world, &asked).await;
        world.control().start();
        // A process that is killed between a record and the look at it, for another operation's sake, misses the latter.
        let (met, missed): (Vec<_>, Vec<_>) = asked.into_iter().partition(|one| one.met_all(world));
        case::check(world, &met).await;
        cases = missed.into_iter().map(|one| one.case).collect();
    }
}

/// Keeps processes running, replacing those that die, until every operation is over.
async fn until_all_are_over(world: &World, asked: &[Asked]) {
    let mut runners: Vec<_> = (0..RUNNERS).map(|_| Runner::start(world)).collect();
    let catalog = world.catalog().await;
    eventually(case::patience(asked), "the end of every operation", async || {
        for runner in &mut runners {
            if let Some(status) = runner.ended() {
                assert_eq!(status.signal(), Some(9), "a child ended by itself; it said:\n{}", runner.log());
                *runner = Runner::start(world);
            }
        }
        let left = world::unfinished(&catalog).await;
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
}
