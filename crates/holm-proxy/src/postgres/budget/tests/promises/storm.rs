//! The gate and the back-off.

use super::super::world::{World, ms};
use super::{PACE, cluster};
use crate::postgres::budget::pace::Pace;
use crate::postgres::budget::refusal::Because;
use crate::postgres::budget::scheduler::{Action, Event, Failure, Place, PoolId};

impl World {
    fn fails(&mut self, place: Place, failure: Failure) {
        self.connections.remove(&place).unwrap();
        self.tell(Event::Failed(place, failure));
    }

    fn openings(&mut self) -> Vec<PoolId> {
        self.took().into_iter().filter_map(|action| if let Action::Open { pool, .. } = action { Some(pool) } else { None }).collect()
    }
}

#[test]
fn the_gate_bounds_openings_of_the_cluster_and_of_a_pool() {
    let (mut world, [a, b, c]) = cluster(100);
    (0..10).for_each(|_| _ = world.waits(a));
    assert_eq!(world.openings(), [a, a]);
    (0..10).for_each(|_| _ = world.waits(b));
    assert_eq!(world.openings(), [b, b]);
    world.waits(c);
    assert_eq!(world.openings(), []);
    world.opened(Place(1));
    assert_eq!(world.openings(), [c], "who has none goes first");
}

#[test]
fn there_are_no_more_openings_than_waiters() {
    let (mut world, [a]) = cluster(100);
    let ticket = world.waits(a);
    let place = world.opening();
    world.gives_up(ticket);
    world.waits(a);
    assert_eq!(world.openings(), [], "the one under way will do");
    world.opened(place);
}

#[test]
fn a_failing_pool_waits_twice_as_long_each_time_and_then_tries_once() {
    let (mut world, [a]) = cluster(100);
    (0..5).for_each(|_| _ = world.waits(a));
    world.fails(Place(1), Failure::Passing);
    world.fails(Place(2), Failure::Passing);
    world.took();
    for (wait, place) in [(100, 3), (200, 4), (400, 5), (800, 6), (1_000, 7), (1_000, 8)] {
        world.passes(wait - 1);
        world.tell(Event::Tick);
        assert_eq!(world.openings(), []);
        assert_eq!(world.scheduler.next_wake(), Some(world.now + ms(1)));
        world.passes(1);
        world.tell(Event::Tick);
        assert_eq!(world.openings(), [a], "one at a time, after {wait} ms");
        world.fails(Place(place), Failure::Passing);
    }
    world.passes(1_000);
    world.tell(Event::Tick);
    world.took();
    world.opened(Place(9));
    assert_eq!(world.openings(), [a, a], "it works again");
}

#[test]
fn an_attempt_that_hangs_does_not_make_the_pool_look_well() {
    let (mut world, [a]) = cluster(100);
    (0..5).for_each(|_| _ = world.waits(a));
    world.fails(Place(1), Failure::Passing);
    world.fails(Place(2), Failure::Passing);
    for _ in 0..5 {
        world.passes(1_000);
        world.tell(Event::Tick);
    }
    assert_eq!(world.openings(), [a, a, a], "two at first, and then one that hangs");
    world.opened(Place(3));
    assert_eq!(world.openings(), [a, a]);
}

#[test]
fn a_broken_tenant_does_not_hold_up_the_others() {
    let mut world = World::new(1, 100, Pace { gate: 1, ..PACE });
    let [broken, whole] = [world.pool(0, 0, 0), world.pool(1, 0, 0)];
    world.waits(broken);
    (0..3).for_each(|_| _ = world.waits(whole));
    world.fails(Place(1), Failure::Passing);
    for place in 2..5 {
        world.opened(Place(place));
    }
    assert_eq!(world.openings(), [broken, whole, whole, whole]);
    world.passes(50);
    world.tell(Event::Tick);
    assert_eq!(world.openings(), [broken]);
}

#[test]
fn a_final_failure_is_told_to_everybody_who_waits_for_that_pool() {
    let (mut world, [a, b]) = cluster(100);
    let tickets = [world.waits(a), world.waits(a), world.waits(a)];
    world.waits(b);
    world.took();
    world.fails(Place(1), Failure::Final);
    assert_eq!(world.took(), tickets.map(|ticket| Action::Refuse { ticket, because: Because::OpeningFailed }));
    world.opened(Place(2));
    world.opened(Place(3));
}

#[test]
fn clients_that_come_again_do_not_undo_the_back_off_and_time_ends_it() {
    let (mut world, [a]) = cluster(100);
    world.waits(a);
    world.fails(Place(1), Failure::Final);
    world.took();
    assert!(world.scheduler.tenants.is_empty());
    let ticket = world.waits(a);
    assert_eq!(world.openings(), []);
    world.gives_up(ticket);
    world.passes(50);
    world.tell(Event::Tick);
    world.passes(1_000);
    world.tell(Event::Tick);
    assert_eq!(world.scheduler.next_wake(), None, "nothing is remembered of it");
}
