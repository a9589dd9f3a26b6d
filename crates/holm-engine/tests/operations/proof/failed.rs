//! What fails for good is undone whole; what can only go on goes on; undoing never gives up.

use holm_core::operation::OperationState;
use holm_engine::operation::probe::{Direction, Moment};

use crate::case::{self, Case, last_to_undo};
use crate::order::{Order, Place};
use crate::subject::SUBJECTS;
use crate::world::World;

const MOMENTS: [Moment; 2] = [Moment::Before, Moment::Acted];

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_for_good_at_any_step_undoes_everything_or_past_no_return_holds_nothing_up() {
    let mut cases = Vec::new();
    for subject in SUBJECTS {
        for step in 0..subject.listed().steps.len() {
            let undone = last_to_undo(subject).is_some_and(|last| step <= last);
            let (end, order) = if undone { (OperationState::Undone, Order::Refuse) } else { (OperationState::Succeeded, Order::Fail(1)) };
            cases.extend(MOMENTS.map(|moment| Case { end, ..Case::forward(subject, step, moment, order) }));
        }
    }
    case::run(&mut World::start().await, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_that_pass_hold_nothing_up_in_either_direction() {
    let stumbling = |direction, steps: usize| {
        let place = move |step, moment| Place { step, direction, moment };
        let orders = move |step| MOMENTS.map(|moment| (place(step, moment), Order::Stumble(2)));
        (0..steps).flat_map(orders).collect::<Vec<_>>()
    };
    let mut cases = Vec::new();
    for subject in SUBJECTS {
        let orders = stumbling(Direction::Forward, subject.listed().steps.len());
        cases.push(Case { subject, orders, end: OperationState::Succeeded });
        let undone = last_to_undo(subject).map_or(0, |last| last + 1);
        cases.extend(Case::back(subject, stumbling(Direction::Back, undone)));
    }
    case::run(&mut World::start().await, cases).await;
}
