//! What people say, deadlines, haste and faults of ours, in the middle of an operation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use holm_core::error::ErrorCode;
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_engine::operation::people::{self, Word};
use holm_engine::operation::probe::{Direction, Moment, Position, Probe, Verdict};
use holm_engine::operation::show;
use holm_engine::tenant::delete;
use holm_testkit::eventually;

use crate::case::{self, Case};
use crate::order::{Gate, Order};
use crate::subject::SUBJECTS;
use crate::world::{PATIENCE, World, by, production, slug};

fn tenant_delete() -> &'static crate::subject::Subject {
    SUBJECTS.iter().find(|subject| subject.kind == "tenant.delete").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_step_that_was_done_while_a_person_said_pause_is_not_done_again() {
    let mut world = World::start().await;
    let gate = Arc::<Gate>::default();
    let cases = [Case::forward(tenant_delete(), 1, Moment::Acted, Order::Hold)];
    let asked = case::ask(&mut world, &cases, &gate).await;
    world.control().start();
    eventually(PATIENCE, "the step", async || (gate.arrived() == 1).then_some(())).await;
    people::tell(world.control(), &by(), asked[0].id, Word::Pause).await.unwrap();
    gate.open();
    world.until_count("operation WHERE state = 'paused' AND lease_owner IS NULL AND step = 2", 1).await;
    people::tell(world.control(), &by(), asked[0].id, Word::Resume).await.unwrap();
    case::over(&world, &asked).await;
    case::check(&world, &asked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_person_says_between_the_claim_of_an_operation_and_its_first_step_is_heeded() {
    struct Claims(Arc<Gate>);
    impl Probe for Claims {
        fn at(&self, _: Position<'_>) -> Verdict {
            Verdict::Go
        }

        fn claimed(&self, _: &[OperationId]) {
            // Whatever else this thread was to do, another goes on with.
            tokio::task::block_in_place(|| self.0.stand());
        }
    }
    let mut world = World::start().await;
    world.create(1).await;
    let gate = Arc::<Gate>::default();
    world.open(Some(Arc::new(Claims(Arc::clone(&gate))))).await;
    let id = delete::delete(world.control(), &by(), &production(), &slug(1), delete::GRACE, None).await.unwrap();
    world.control().start();
    eventually(PATIENCE, "the claim", async || (gate.arrived() == 1).then_some(())).await;
    people::tell(world.control(), &by(), id, Word::Cancel { reason: None }).await.unwrap();
    gate.open();
    let over = show::wait(world.control(), id, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Undone, "{over:?}");
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_a_wait_that_was_to_last_longer() {
    let mut world = World::start().await;
    world.create(1).await;
    world.open(None).await;
    let id = delete::delete(world.control(), &by(), &production(), &slug(1), delete::GRACE, None).await.unwrap();
    world.catalog().await.batch_execute("UPDATE operation SET deadline_at = now() + interval '2 s'").await.unwrap();
    world.control().start();
    let over = show::wait(world.control(), id, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Undone);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_ask_at_the_same_moment_one_gets_it_and_the_others_learn_who() {
    let mut world = World::start().await;
    world.create(1).await;
    world.open(None).await;
    let (by, production, slug) = (by(), production(), slug(1));
    let asking = (0..8).map(|_| delete::delete(world.control(), &by, &production, &slug, delete::GRACE, None));
    let answers = join_all(asking).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for problem in answers.into_iter().filter_map(Result::err) {
        assert_eq!(problem.code, ErrorCode::OperationInProgress, "{problem:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_panics_is_tried_again() {
    struct Panics(AtomicU32);
    impl Probe for Panics {
        fn at(&self, position: Position<'_>) -> Verdict {
            let here = position.step == 1 && position.direction == Direction::Forward && position.moment == Moment::Acted;
            assert!(!here || self.0.fetch_add(1, Ordering::Relaxed) > 1, "panics on purpose");
            Verdict::Go
        }
    }
    let mut world = World::start().await;
    world.create(1).await;
    world.open(Some(Arc::new(Panics(AtomicU32::new(0))))).await;
    let id = delete::delete(world.control(), &by(), &production(), &slug(1), std::time::Duration::ZERO, None).await.unwrap();
    world.control().start();
    let over = show::wait(world.control(), id, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded);
    assert!(over.epoch >= 3, "each panic is a failure, which puts the operation down until it is tried again");
    world.assert_whole().await;
}
