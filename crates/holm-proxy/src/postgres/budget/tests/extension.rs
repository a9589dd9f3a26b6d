//! Whoever opens his connection himself is not refused while he does.

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
