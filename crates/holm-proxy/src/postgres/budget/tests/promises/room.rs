//! Who makes room for whom, and who is asked.

use super::super::world::{LIMITS, World, tenant};
use super::{PACE, cluster};
use crate::postgres::budget::scheduler::{Action, Event, Keep, TenantLimits, Whose, WorkerId};

const ANYONES: Action = Action::Evict { worker: WorkerId(0), whose: Whose::Anyones };

#[test]
fn an_idle_connection_makes_room_for_a_tenant_without_any() {
    let (mut world, [a, b]) = cluster(1);
    let place = world.in_use(a);
    world.release(place);
    world.passes(10);
    world.waits(b);
    assert_eq!(world.took(), [ANYONES]);
    world.answer(0);
    world.closed(place);
    assert!(matches!(world.took()[..], [Action::Close { .. }, Action::Open { pool, .. }] if pool == b));
}

#[test]
fn an_idle_connection_lingers_first_and_the_scheduler_wakes_for_it() {
    let (mut world, [a, b]) = cluster(1);
    let place = world.in_use(a);
    world.passes(5);
    world.release(place);
    world.waits(b);
    world.answer(0);
    assert_eq!(world.took(), [ANYONES, Action::Keep { place }]);
    assert_eq!(world.scheduler.next_wake(), Some(world.now + PACE.linger));
    world.passes(10);
    world.tell(Event::Tick);
    world.answer(0);
    assert_eq!(world.took(), [ANYONES, Action::Close { place }]);
}

#[test]
fn a_crowd_does_not_take_what_quiet_tenants_have_idle() {
    let (mut world, [crowd, quiet]) = cluster(3);
    let idle = world.in_use(quiet);
    let busy = [world.in_use(crowd), world.in_use(crowd)];
    world.release(idle);
    world.waits(crowd);
    world.answer(0);
    assert_eq!(world.took(), [ANYONES, Action::Keep { place: idle }]);
    assert_eq!(world.scheduler.next_wake(), Some(world.now + PACE.surplus_after));
    for place in busy {
        world.waits(crowd);
        world.passes(1_000);
        world.release(place);
        assert!(matches!(world.took()[..], [Action::Hand { .. }]));
    }
    world.passes(3_000);
    world.tell(Event::Tick);
    world.answer(0);
    assert_eq!(world.took(), [ANYONES, Action::Close { place: idle }], "nobody wants it");
}

#[test]
fn what_a_session_left_goes_at_once_to_whoever_waits() {
    let (mut world, [crowd, quiet]) = cluster(3);
    let idle = world.in_use(quiet);
    let busy = [world.in_use(crowd), world.in_use(crowd)];
    world.release(idle);
    world.keep = Keep::Session;
    world.waits(crowd);
    world.answer(0);
    assert_eq!(world.took(), [ANYONES, Action::Close { place: idle }]);
    world.closed(idle);
    assert!(matches!(world.took()[..], [Action::Open { pool, .. }] if pool == crowd), "{busy:?}");
}

#[test]
fn what_a_tenant_has_idle_in_one_pool_makes_room_for_its_other() {
    let (mut world, [a, quiet]) = cluster(2);
    let other_role = world.pool(0, 1, 0);
    let (quiet, place) = (world.in_use(quiet), world.in_use(a));
    world.release(quiet);
    world.passes(1);
    world.release(place);
    world.waits(other_role);
    assert_eq!(world.took(), [Action::Evict { worker: WorkerId(0), whose: Whose::Tenants(tenant(0)) }]);
    world.answer(0);
    assert_eq!(world.took(), [Action::Close { place }]);
}

#[test]
fn who_was_asked_for_nothing_is_asked_again_when_there_is_a_reason() {
    let (mut world, [a]) = cluster(5);
    let other_role = world.pool(0, 1, 0);
    world.limit(0, TenantLimits { max: 2, ..LIMITS });
    let (idle, used) = (world.in_use(a), world.in_use(a));
    world.release(idle);
    world.waits(other_role);
    world.closed(used);
    world.opening();
    world.answer(0);
    assert_eq!(world.took(), [Action::Keep { place: idle }], "a place was free by then");
    world.waits(other_role);
    assert_eq!(world.took(), [Action::Evict { worker: WorkerId(0), whose: Whose::Tenants(tenant(0)) }]);
}

#[test]
fn who_had_nothing_idle_is_asked_again_when_it_has() {
    let (mut world, [a, b]) = cluster(5);
    let other_role = world.pool(0, 1, 0);
    (0..2).for_each(|of| world.limit(of, TenantLimits { max: 1, ..LIMITS }));
    let (place, _) = (world.in_use(a), world.in_use(b));
    world.waits(b);
    let ticket = world.waits(other_role);
    world.answer(0);
    world.gives_up(ticket);
    world.release(place);
    world.took();
    world.waits(other_role);
    assert_eq!(world.took(), [Action::Evict { worker: WorkerId(0), whose: Whose::Tenants(tenant(0)) }]);
}

#[test]
fn the_one_that_holds_most_gives_first() {
    let (mut world, [rich, poor, quiet]) = cluster(5);
    let last = world.in_use(quiet);
    world.release(last);
    let idle = [(); 3].map(|()| world.in_use(rich));
    world.in_use(poor);
    world.passes(1);
    idle.into_iter().for_each(|place| world.release(place));
    world.waits(poor);
    assert_eq!(world.took(), [Action::Evict { worker: WorkerId(0), whose: Whose::Tenants(tenant(0)) }]);
    assert!(world.scheduler.next_wake() > Some(world.now), "its answer comes by itself");
    world.answer(0);
    assert_eq!(world.took(), [Action::Close { place: idle[0] }], "the quiet one's is idle for longer, but its only one");
}

#[test]
fn who_has_as_much_as_the_other_takes_nothing_from_it() {
    let (mut world, [a, b]) = cluster(4);
    let places = [world.in_use(a), world.in_use(b), world.in_use(a), world.in_use(b)];
    for round in 0..20 {
        world.passes(60);
        world.waits(if round % 2 == 0 { a } else { b });
        let place = places[round % 2];
        world.took();
        world.release(place);
        assert!(matches!(world.took()[..], [Action::Hand { .. }]), "round {round}");
    }
}

#[test]
fn of_several_workers_the_one_with_the_longest_idle_is_asked() {
    let mut world = World::new(2, 2, PACE);
    let pools = [world.pool(0, 0, 0), world.pool(1, 0, 1), world.pool(2, 0, 0), world.pool(3, 0, 0)];
    let places = [world.in_use(pools[0]), world.in_use(pools[1])];
    world.passes(100);
    world.waits(pools[2]);
    (0..2).for_each(|_| _ = (!world.asked.is_empty()).then(|| world.answer(0)));
    world.release(places[1]);
    world.passes(5);
    world.release(places[0]);
    world.took();
    world.passes(10);
    world.tell(Event::Tick);
    assert_eq!(world.took(), [Action::Evict { worker: WorkerId(1), whose: Whose::Anyones }]);
}

#[test]
fn a_worker_that_has_none_is_asked_again_only_when_it_may_have_one() {
    let (mut world, [a, b, c]) = cluster(1);
    let place = world.in_use(a);
    let ticket = world.waits(b);
    world.answer(0);
    assert_eq!(world.took(), [ANYONES]);
    let other = world.waits(c);
    world.passes(50);
    world.tell(Event::Tick);
    assert_eq!(world.took(), []);
    world.gives_up(ticket);
    world.gives_up(other);
    assert!(!world.scheduler.listens());
    world.release(place);
    world.passes(50);
    world.waits(b);
    assert_eq!(world.took(), [ANYONES], "releases were not heard for a while");
}

#[test]
fn no_more_room_is_made_than_the_gate_can_use() {
    let mut world = World::new(1, 20, PACE);
    let pools: Vec<_> = (0..40).map(|of| world.pool(of, 0, 0)).collect();
    let places: Vec<_> = pools[..20].iter().map(|pool| world.in_use(*pool)).collect();
    pools[20..].iter().for_each(|pool| _ = world.waits(*pool));
    world.answer(0);
    world.passes(200);
    for (place, pool) in places.iter().zip(&pools) {
        world.waits(*pool);
        world.release(*place);
    }
    let closes = world.took().into_iter().filter(|action| matches!(action, Action::Close { .. })).count();
    assert_eq!(closes, 4);
}
