//! Deadlines, and what is said when they pass.

use super::super::world::{Checkout, LIMITS, START, World, ms, tenant};
use super::cluster;
use crate::postgres::budget::refusal::Because;
use crate::postgres::budget::scheduler::{Action, Event, Failure, Place, PoolId, TenantLimits, Ticket};

impl World {
    fn waits_for(&mut self, pool: PoolId, millis: u64) -> Ticket {
        let Checkout::Waits(ticket) = self.checkout(pool, ms(millis)) else { panic!("{pool:?} had one idle") };
        ticket
    }

    fn refused(&mut self) -> Vec<(Ticket, Because)> {
        self.took()
            .into_iter()
            .filter_map(|action| if let Action::Refuse { ticket, because } = action { Some((ticket, because)) } else { None })
            .collect()
    }
}

#[test]
fn the_scheduler_wakes_for_the_first_deadline_and_refuses_who_has_reached_it() {
    let (mut world, [a, b]) = cluster(1);
    world.in_use(a);
    let (late, soon) = (world.waits_for(b, 500), world.waits_for(b, 100));
    world.answer(0);
    assert_eq!(world.scheduler.next_wake(), Some(START + ms(100)));
    world.passes(100);
    world.tell(Event::Tick);
    let because = Because::BudgetFull { used: 1, ceiling: 1, most: Some(tenant(0)), most_held: 1 };
    assert_eq!(world.refused(), [(soon, because)]);
    assert_eq!(world.scheduler.next_wake(), Some(START + ms(500)));
    world.passes(400);
    world.tell(Event::Tick);
    assert_eq!(world.refused(), [(late, because)]);
    assert_eq!(world.scheduler.next_wake(), None);
}

#[test]
fn whose_deadline_has_passed_gets_nothing_any_more() {
    let (mut world, [a]) = cluster(1);
    let place = world.in_use(a);
    let (first, second) = (world.waits_for(a, 10), world.waits_for(a, 1_000));
    world.took();
    world.passes(10);
    world.release(place);
    let actions = world.took();
    assert!(matches!(actions[0], Action::Refuse { ticket, .. } if ticket == first));
    assert_eq!(actions[1], Action::Hand { place, ticket: second });
}

#[test]
fn a_full_budget_names_the_tenant_that_holds_most() {
    let (mut world, [a, b, c]) = cluster(6);
    for pool in [a, b, b, b, a, a] {
        world.in_use(pool);
    }
    world.closed(Place(1));
    world.in_use(c);
    let ticket = world.waits_for(a, 0);
    let because = Because::BudgetFull { used: 6, ceiling: 6, most: Some(tenant(1)), most_held: 3 };
    assert_eq!(world.refused(), [(ticket, because)]);
}

#[test]
fn a_tenant_at_its_maximum_is_told_which_pool_holds_most() {
    let (mut world, [a]) = cluster(6);
    let other = world.pool(0, 1, 0);
    world.limit(0, TenantLimits { max: 3, ..LIMITS });
    for pool in [a, other, other] {
        world.in_use(pool);
    }
    let ticket = world.waits_for(a, 5);
    world.passes(5);
    world.tell(Event::Tick);
    let because = Because::TenantMaximum { held: 3, max: 3, most: Some(other), most_held: 2 };
    assert_eq!(world.refused(), [(ticket, because)]);
}

#[test]
fn failing_and_slow_openings_are_told_apart() {
    let (mut world, [a, b]) = cluster(6);
    let (failing, slow) = (world.waits_for(a, 20), world.waits_for(b, 20));
    world.connections.remove(&Place(1)).unwrap();
    world.tell(Event::Failed(Place(1), Failure::Passing));
    world.passes(20);
    world.tell(Event::Tick);
    assert_eq!(world.refused(), [(failing, Because::OpeningsFail { failures: 1 }), (slow, Because::OpeningsSlow { connecting: 1 })]);
    world.opened(Place(2));
    assert!(!world.scheduler.listens());
}

#[test]
fn nothing_is_remembered_of_who_has_nothing_here() {
    let (mut world, [a, b]) = cluster(2);
    let (first, second) = (world.in_use(a), world.in_use(b));
    world.waits_for(a, 0);
    for place in [first, second] {
        world.closed(place);
    }
    let scheduler = &world.scheduler;
    assert!(scheduler.tenants.is_empty() && scheduler.pools.is_empty() && scheduler.waiters.is_empty());
    assert!(scheduler.connections.is_empty() && scheduler.alarms.is_empty());
    assert_eq!(scheduler.next_wake(), None);
}
