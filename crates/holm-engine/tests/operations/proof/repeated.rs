//! A step that is done twice is done once; so is its undoing.

use holm_core::operation::OperationState;
use holm_engine::operation::probe::{Direction, Moment};

use crate::case::{self, Case, last_to_undo};
use crate::order::{Order, Place};
use crate::subject::SUBJECTS;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_step_run_twice_does_what_it_does_run_once() {
    let cases: Vec<_> = SUBJECTS
        .iter()
        .map(|subject| {
            let place = |step| Place { step, direction: Direction::Forward, moment: Moment::Acted };
            let orders = (0..subject.listed().steps.len()).map(|step| (place(step), Order::Repeat)).collect();
            Case { subject, orders, end: OperationState::Succeeded }
        })
        .collect();
    case::run(&mut World::start().await, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_undoing_run_twice_undoes_once() {
    let cases: Vec<_> = SUBJECTS
        .iter()
        .filter_map(|subject| {
            let place = |step| Place { step, direction: Direction::Back, moment: Moment::Acted };
            Case::back(subject, (0..=last_to_undo(subject)?).map(|step| (place(step), Order::Repeat)).collect())
        })
        .collect();
    case::run(&mut World::start().await, cases).await;
}
