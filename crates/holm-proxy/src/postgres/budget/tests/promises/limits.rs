//! Budget, minimum, maximum.

use super::super::world::{LIMITS, START, State, budget, ms, tenant};
use super::{PACE, cluster};
use crate::postgres::budget::refusal::Because;
use crate::postgres::budget::scheduler::{
    Action, ClusterBudget, Event, Idle, Illegal, Keep, Place, PoolId, Scheduler, TenantLimits, Ticket, Want, Whose, WorkerId,
};
use crate::postgres::budget::tenant::Stage;

const ANYONES: Action = Action::Evict { worker: WorkerId(0), whose: Whose::Anyones };

#[test]
fn the_reserved_share_is_not_for_tenants() {
    let mut scheduler = Scheduler::new(1, ClusterBudget { connections_max: 5, reserved: 3 }, PACE);
    let mut actions = Vec::new();
    for number in 0..10 {
        let want = Want {
            ticket: Ticket(number),
            worker: WorkerId(0),
            pool: PoolId(number),
            tenant: tenant(number),
            limits: LIMITS,
            deadline: ms(9),
        };
        scheduler.on(ms(0), Event::Want(want), &mut actions).unwrap();
    }
    assert_eq!(actions.iter().filter(|action| matches!(action, Action::Open { .. })).count(), 2);
    scheduler.on(ms(1), Event::Budget(ClusterBudget { connections_max: 2, reserved: 3 }), &mut actions).unwrap();
    assert_eq!(scheduler.counts().ceiling, 0);
}

#[test]
fn opening_and_closing_connections_count() {
    let (mut world, [a, b, c]) = cluster(2);
    let first = world.in_use(a);
    world.waits(b);
    let second = world.opening();
    world.waits(c);
    assert_eq!(world.took(), [ANYONES], "one is open and one opening");
    world.answer(0);
    world.release(first);
    assert_eq!(world.took(), [Action::Keep { place: first }], "it is not idle for long");
    world.passes(10);
    world.tell(Event::Tick);
    world.answer(0);
    assert_eq!(world.took()[1..], [Action::Close { place: first }]);
    world.opened(second);
    assert_eq!(world.took().len(), 1, "the closing one has its place until it is closed");
    world.closed(first);
    world.opening();
}

#[test]
fn a_tenant_below_its_minimum_goes_first() {
    let (mut world, [a, b, c]) = cluster(1);
    world.limit(2, TenantLimits { min: 1, ..LIMITS });
    let place = world.in_use(a);
    world.waits(b);
    let entitled = world.waits(c);
    world.took();
    world.closed(place);
    assert!(matches!(world.took()[..], [Action::Open { ticket, .. }] if ticket == entitled));
}

#[test]
fn nobody_goes_above_the_maximum() {
    let (mut world, [a, b]) = cluster(5);
    world.limit(0, TenantLimits { max: 1, ..LIMITS });
    let place = world.in_use(a);
    let next = world.waits(a);
    world.in_use_of_another(b);
    world.release(place);
    assert_eq!(world.took(), [Action::Hand { place, ticket: next }]);
}

impl super::World {
    fn in_use_of_another(&mut self, pool: PoolId) {
        self.waits(pool);
        assert!(matches!(self.took()[..], [Action::Open { pool: opened, .. }] if opened == pool));
    }
}

#[test]
fn who_has_no_more_than_the_minimum_is_no_victim() {
    let (mut world, [a, b]) = cluster(1);
    world.limit(0, TenantLimits { min: 1, ..LIMITS });
    let place = world.in_use(a);
    world.release(place);
    world.passes(60_000);
    let ticket = world.waits(b);
    world.answer(0);
    assert!(world.took().contains(&Action::SetAside { place }));
    assert_eq!(world.asked, [(WorkerId(0), Whose::Anyones)], "there may be another");
    world.answer(0);
    assert_eq!(world.took(), [], "there is none, and nobody is asked again and again");
    world.limit(0, LIMITS);
    assert_eq!(world.took()[0], Action::Reoffer { whose: Whose::Tenants(tenant(0)) });
    world.answer(0);
    world.closed(place);
    assert!(matches!(world.took()[..], [.., Action::Open { ticket: opened, .. }] if opened == ticket));
}

#[test]
fn a_minimum_is_no_victim_while_it_is_used_either() {
    let (mut world, [a, b]) = cluster(1);
    world.limit(0, TenantLimits { min: 1, ..LIMITS });
    let place = world.in_use(a);
    let own = world.waits(a);
    world.waits(b);
    world.took();
    world.passes(60_000 - 1);
    world.release(place);
    assert_eq!(world.took()[0], Action::Hand { place, ticket: own });
}

#[test]
fn a_budget_that_shrinks_closes_what_is_too_much() {
    let (mut world, [a, b, c]) = cluster(3);
    world.limit(0, TenantLimits { min: 3, ..LIMITS });
    let (idle, busy, other) = (world.in_use(a), world.in_use(b), world.in_use(c));
    world.release(idle);
    world.resize(1);
    assert!(world.scheduler.listens(), "releases are to be told though nobody waits");
    assert_eq!(world.took().last(), Some(&ANYONES));
    world.answer(0);
    world.release(busy);
    assert_eq!(world.took(), [Action::Close { place: idle }, ANYONES, Action::Close { place: busy }]);
    assert!(!world.scheduler.listens());
    world.closed(idle);
    world.closed(busy);
    world.release(other);
    world.waits(a);
    assert!(!world.took().iter().any(|action| matches!(action, Action::Open { .. })));
}

#[test]
fn no_minimum_stands_against_the_budget() {
    let (mut world, [a, b]) = cluster(1);
    world.limit(0, TenantLimits { min: 1, ..LIMITS });
    let place = world.in_use(a);
    world.release(place);
    world.passes(50);
    world.waits(b);
    (0..2).for_each(|_| world.answer(0));
    assert!(world.took().contains(&Action::SetAside { place }));
    world.resize(0);
    world.answer(0);
    assert_eq!(world.took(), [Action::Reoffer { whose: Whose::Anyones }, ANYONES, Action::Close { place }]);
}

#[test]
fn a_maximum_that_is_lowered_closes_what_is_too_much() {
    let (mut world, [a]) = cluster(3);
    let (idle, busy) = (world.in_use(a), world.in_use(a));
    world.release(idle);
    world.limit(0, TenantLimits { max: 1, ..LIMITS });
    world.answer(0);
    world.closed(idle);
    assert!(!world.scheduler.listens());
    world.limit(0, TenantLimits { max: 0, ..LIMITS });
    world.answer(0);
    world.took();
    world.release(busy);
    assert_eq!(world.took(), [Action::Close { place: busy }]);
}

#[test]
fn a_paused_tenant_gives_back_what_it_has_and_its_waiters_are_served_in_their_order_when_it_goes_on() {
    let (mut world, [a, b]) = cluster(3);
    let (idle, busy) = (world.in_use(a), world.in_use(a));
    world.release(idle);
    world.limit(0, TenantLimits::PAUSED);
    world.answer(0);
    world.closed(idle);
    let waiters = [world.waits(a), world.waits(a)];
    world.took();
    world.release(busy);
    assert_eq!(world.took(), [Action::Close { place: busy }], "not to its own waiter");
    world.closed(busy);
    assert_eq!(world.count(tenant(0)), 0);
    let other = world.in_use(b);
    world.release(other);
    assert_eq!(world.took(), [Action::Keep { place: other }], "who is paused has no claim");
    world.limit(0, LIMITS);
    let opened: Vec<_> = world.places(|state| state == State::Connecting);
    assert_eq!(opened.len(), 2);
    world.took();
    world.opened(opened[1]);
    assert_eq!(world.took(), [Action::Hand { place: opened[1], ticket: waiters[0] }], "the longest waiter");
    world.opened(opened[0]);
    assert_eq!(world.took(), [Action::Hand { place: opened[0], ticket: waiters[1] }]);
}

#[test]
fn a_connection_that_was_being_opened_for_a_tenant_that_is_paused_meanwhile_serves_nobody() {
    let (mut world, [a]) = cluster(3);
    let ticket = world.waits(a);
    let place = world.opening();
    world.limit(0, TenantLimits::PAUSED);
    world.answer(0);
    world.took();
    world.opened(place);
    assert_eq!(world.took(), [Action::Close { place }]);
    assert!(world.waiting.contains_key(&ticket));
    world.passes(60_000);
    world.tell(Event::Tick);
    assert!(world.took().contains(&Action::Refuse { ticket, because: Because::Paused }));
}

#[test]
fn a_tenant_at_its_maximum_gives_a_place_of_its_own_to_its_other_pool() {
    let (mut world, [a]) = cluster(5);
    let other_role = world.pool(0, 1, 0);
    world.limit(0, TenantLimits { min: 1, max: 1, weight: 1 });
    let place = world.in_use(a);
    world.release(place);
    let ticket = world.waits(other_role);
    assert_eq!(world.took(), [Action::Evict { worker: WorkerId(0), whose: Whose::Tenants(tenant(0)) }]);
    world.answer(0);
    world.closed(place);
    assert!(matches!(world.took()[..], [Action::Close { .. }, Action::Open { ticket: opened, .. }] if opened == ticket));
}

#[test]
fn events_that_cannot_be_are_refused_and_change_nothing() {
    let (mut world, [a, b]) = cluster(2);
    let place = world.in_use(a);
    world.waits(b);
    let opening = world.opening();
    let stage = |event, place, stage| Illegal::Stage { event, place, stage };
    let (open, connecting) = (Some(Stage::Open { since: START }), Some(Stage::Connecting));
    let unknown = Place(99);
    let idle = |place| Event::Offered {
        worker: WorkerId(0),
        whose: Whose::Anyones,
        idle: Some(Idle { place, since: START, keep: Keep::Transaction }),
    };
    let failed = |place| Event::Failed(place, crate::postgres::budget::scheduler::Failure::Passing);
    let want = Want { ticket: Ticket(1), worker: WorkerId(0), pool: a, tenant: tenant(0), limits: LIMITS, deadline: ms(1_000) };
    for (event, illegal) in [
        (Event::Opened(place), stage("opened", place, open)),
        (failed(place), stage("failed", place, open)),
        (Event::Released(opening), stage("released", opening, connecting)),
        (idle(opening), stage("offered", opening, connecting)),
        (Event::Closed(opening), stage("closed", opening, connecting)),
        (Event::Closed(unknown), stage("closed", unknown, None)),
        (Event::Want(want), Illegal::Ticket(Ticket(1))),
        (Event::Want(Want { ticket: Ticket(7), tenant: tenant(1), ..want }), Illegal::Pool(a)),
        (Event::Want(Want { ticket: Ticket(7), worker: WorkerId(7), ..want }), Illegal::Worker(WorkerId(7))),
        (Event::Offered { worker: WorkerId(7), whose: Whose::Anyones, idle: None }, Illegal::Worker(WorkerId(7))),
    ] {
        assert_eq!(world.illegal(event), illegal);
        world.check();
    }
    assert_eq!(world.scheduler.counts().ceiling, budget(2).connections_max);
}
