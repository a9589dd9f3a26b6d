//! Whoever waits for an opening that was begun in time is not refused while it is under way.

use super::world::{Checkout, State, World, ms};
use crate::postgres::budget::pace::Pace;
use crate::postgres::budget::scheduler::Event;

#[test]
fn an_extended_deadline_is_not_refused_at_the_old_one() {
    let mut world = World::new(1, 1, Pace::default());
    let pool = world.pool(1, 0, 0);
    let Checkout::Waits(ticket) = world.checkout(pool, ms(1)) else { panic!("there was no connection") };
    let place = world.places(|state| state == State::Connecting)[0];
    let extended = world.now + ms(1_000);
    world.tell(Event::Extends(ticket, extended));
    world.now += ms(500);
    world.tell(Event::Tick);
    assert!(world.waiting.contains_key(&ticket));
    world.opened(place);
    assert!(world.waiting.is_empty(), "it was handed over");
    assert_eq!(world.scheduler.counts().waiting, 0);
}

#[test]
fn who_may_wait_for_longer_than_the_extension_still_may() {
    let mut world = World::new(1, 1, Pace::default());
    let pool = world.pool(1, 0, 0);
    let Checkout::Waits(ticket) = world.checkout(pool, ms(60_000)) else { panic!("there was no connection") };
    world.tell(Event::Extends(ticket, world.now + ms(1_000)));
    world.now += ms(2_000);
    world.tell(Event::Tick);
    assert!(world.waiting.contains_key(&ticket));
}
