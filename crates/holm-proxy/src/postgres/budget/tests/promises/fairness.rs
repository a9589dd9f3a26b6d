//! Lines, turns and slices.

use std::collections::HashMap;

use super::super::world::{LIMITS, State, World, ms, tenant};
use super::{PACE, cluster};
use crate::postgres::budget::pace::Pace;
use crate::postgres::budget::scheduler::{Action, Event, PoolId, TenantLimits};

#[test]
fn a_connection_goes_to_the_longest_waiter_of_its_pool() {
    let (mut world, [a]) = cluster(1);
    let other = world.pool(0, 1, 0);
    let place = world.in_use(a);
    let _other_pool = world.waits(other);
    let (first, second) = (world.waits(a), world.waits(a));
    world.took();
    for ticket in [first, second] {
        world.release(place);
        assert_eq!(world.took()[0], Action::Hand { place, ticket });
    }
}

#[test]
fn what_was_opened_for_one_goes_to_who_waits_longest_then() {
    let (mut world, [a]) = cluster(2);
    let used = world.in_use(a);
    let (first, second) = (world.waits(a), world.waits(a));
    let opening = world.opening();
    world.release(used);
    world.opened(opening);
    assert_eq!(world.took(), [Action::Hand { place: used, ticket: first }, Action::Hand { place: opening, ticket: second }]);
}

#[test]
fn who_gives_up_leaves_the_line() {
    let (mut world, [a]) = cluster(1);
    let place = world.in_use(a);
    let (first, second, third) = (world.waits(a), world.waits(a), world.waits(a));
    world.gives_up(second);
    world.gives_up(first);
    world.took();
    world.release(place);
    assert_eq!(world.took(), [Action::Hand { place, ticket: third }]);
    world.tell(Event::GivesUp(first));
    assert!(!world.scheduler.listens());
}

#[test]
fn a_connection_serves_its_own_for_a_slice_and_then_makes_room() {
    let (mut world, [a, b]) = cluster(1);
    let place = world.in_use(a);
    let own = [world.waits(a), world.waits(a)];
    world.waits(b);
    world.answer(0);
    world.took();
    world.passes(99);
    world.release(place);
    assert_eq!(world.took(), [Action::Hand { place, ticket: own[0] }]);
    world.passes(1);
    world.release(place);
    assert_eq!(world.took(), [Action::Close { place }]);
    world.closed(place);
    assert!(matches!(world.took()[..], [Action::Open { pool, .. }] if pool == b));
}

#[test]
fn a_slice_is_as_many_times_longer_as_the_tenant_weighs() {
    let (mut world, [a, b]) = cluster(1);
    world.limit(0, TenantLimits { weight: 3, ..LIMITS });
    let place = world.in_use(a);
    let own = world.waits(a);
    world.waits(a);
    world.waits(b);
    world.answer(0);
    world.took();
    world.passes(299);
    world.release(place);
    assert_eq!(world.took(), [Action::Hand { place, ticket: own }]);
    world.passes(1);
    world.release(place);
    assert_eq!(world.took(), [Action::Close { place }]);
}

#[test]
fn a_new_connection_serves_at_least_once() {
    let mut world = World::new(1, 1, Pace { slice: ms(0), ..PACE });
    let [a, b] = [world.pool(0, 0, 0), world.pool(1, 0, 0)];
    let ticket = world.waits(a);
    let place = world.opening();
    world.waits(b);
    world.answer(0);
    world.took();
    world.opened(place);
    assert_eq!(world.took()[0], Action::Hand { place, ticket });
    world.waits(a);
    world.took();
    world.release(place);
    assert_eq!(world.took(), [Action::Close { place }], "and no longer than that, with such a slice");
}

#[test]
fn who_has_none_goes_before_who_wants_more() {
    let (mut world, [a, b, c]) = cluster(2);
    let (_, place) = (world.in_use(a), world.in_use(b));
    world.waits(a);
    world.waits(c);
    world.took();
    world.closed(place);
    assert!(matches!(world.took()[0], Action::Open { pool, .. } if pool == c));
}

/// Whose openings come one after the other when everybody wants many.
fn order_of_openings(world: &mut World, pools: &[PoolId], openings: usize) -> Vec<u64> {
    for _ in 0..openings {
        pools.iter().for_each(|pool| _ = world.waits(*pool));
    }
    let mut order = Vec::new();
    while order.len() < openings {
        for action in world.took() {
            if let Action::Open { place, pool, .. } = action {
                order.push(pool.0 / 10);
                world.opened(place);
            }
        }
    }
    order.truncate(openings);
    order
}

#[test]
fn openings_go_round_the_waiting_tenants() {
    let (mut world, pools) = cluster::<3>(100);
    assert_eq!(order_of_openings(&mut world, &pools, 12)[3..], [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_turn_is_as_many_openings_as_the_tenant_weighs() {
    let mut world = World::new(1, 100, Pace { gate: 1, ..PACE });
    let pools = [world.pool(0, 0, 0), world.pool(1, 0, 0)];
    world.limit(1, TenantLimits { weight: 3, ..LIMITS });
    let order = order_of_openings(&mut world, &pools, 18);
    assert_eq!(order[2..].windows(4).filter(|turns| turns.iter().sum::<u64>() != 3).count(), 0, "{order:?}");
}

/// Transactions of 10 ms, and everybody waits again at once. How many openings a tenant saw at most from losing its last
/// connection to its own next one.
fn openings_waited(tenants: u64, places: u32) -> usize {
    let mut world = World::new(2, places, PACE);
    world.strict = false;
    let pools: Vec<_> = (0..tenants).map(|of| world.pool(of, 0, usize::try_from(of % 2).unwrap())).collect();
    for pool in &pools {
        (0..3).for_each(|_| _ = world.checkout(*pool, ms(1_000_000)));
    }
    let (mut openings, mut waited, mut lost) = (0, Vec::new(), HashMap::new());
    for _ in 0..tenants * 40 {
        everybody_does_something(&mut world);
        for action in world.took() {
            match action {
                Action::Close { place } => _ = lost.insert(world.connections[&place].pool, openings),
                Action::Open { pool, .. } => {
                    openings += 1;
                    waited.extend(lost.remove(&pool).map(|before| openings - before));
                }
                _ => {}
            }
        }
    }
    assert!(waited.len() > pools.len() * 2, "hardly anybody had a second turn");
    assert!(lost.values().all(|before| openings - before <= pools.len()), "some never had one");
    waited.into_iter().max().unwrap()
}

fn everybody_does_something(world: &mut World) {
    world.passes(10);
    world.tell(Event::Tick);
    (0..world.asked.len()).for_each(|_| world.answer(0));
    world.places(|state| state == State::Closing).into_iter().for_each(|place| world.closed(place));
    world.places(|state| state == State::Connecting).into_iter().for_each(|place| world.opened(place));
    for place in world.places(|state| state == State::Busy) {
        let pool = world.connections[&place].pool;
        world.checkout(pool, ms(1_000_000));
        world.release(place);
    }
}

#[test]
fn a_tenant_without_any_waits_for_one_opening_of_every_other_at_most() {
    for (tenants, places) in [(3, 1), (10, 1), (10, 3), (30, 7)] {
        let waited = openings_waited(tenants, places);
        assert!(waited <= usize::try_from(tenants).unwrap(), "{tenants} tenants, {places} places: {waited} openings");
    }
}

#[test]
fn a_tenant_whose_connections_are_stuck_is_served_after_its_patience() {
    let (mut world, [a, b]) = cluster(2);
    let (_stuck, place) = (world.in_use(a), world.in_use(b));
    world.passes(5_000);
    let ticket = world.waits(a);
    world.answer(0);
    for _ in 0..9 {
        world.waits(b);
    }
    for _ in 0..9 {
        world.took();
        world.passes(105);
        world.release(place);
        assert!(matches!(world.took()[0], Action::Hand { .. }), "it holds no more than the other");
    }
    world.waits(b);
    world.passes(105);
    world.release(place);
    assert_eq!(world.took(), [Action::Close { place }]);
    world.closed(place);
    assert!(matches!(world.took()[..], [Action::Open { ticket: opened, .. }] if opened == ticket));
}

#[test]
fn a_stuck_tenant_is_found_however_many_want_more_and_have_none() {
    let (mut world, [stuck, more, place_of, ..]) = cluster::<4>(3);
    let newcomers: Vec<_> = (10..60).map(|of| world.pool(of, 0, 0)).collect();
    let served = world.in_use(more);
    world.in_use(stuck);
    let mut place = world.in_use(place_of);
    world.waits(more);
    world.waits(more);
    world.waits(stuck);
    world.passes(1_000);
    world.release(served);
    newcomers.iter().for_each(|pool| _ = world.waits(*pool));
    for openings in 1.. {
        assert!(openings <= 3, "it is never its turn");
        world.took();
        world.closed(place);
        let actions = world.took();
        let Action::Open { place: opened, tenant: of, .. } = actions[0] else { panic!("{actions:?}") };
        if of == tenant(0) {
            break;
        }
        world.opened(opened);
        place = opened;
    }
}

#[test]
fn a_stuck_tenant_gets_one_for_each_patience_and_no_more() {
    let (mut world, [stuck, other]) = cluster(3);
    let newcomer = world.pool(9, 0, 0);
    world.in_use(stuck);
    let places = [world.in_use(other), world.in_use(other)];
    (0..3).for_each(|_| _ = world.waits(stuck));
    world.passes(1_000);
    world.waits(newcomer);
    world.took();
    world.closed(places[0]);
    assert!(matches!(world.took()[0], Action::Open { pool, .. } if pool == stuck));
    world.closed(places[1]);
    assert!(matches!(world.took()[0], Action::Open { pool, .. } if pool == newcomer));
}

#[test]
fn a_tenant_without_a_claim_does_not_stand_in_front_of_one_that_has_it() {
    let (mut world, [rich, stuck, busy]) = cluster(4);
    world.in_use(rich);
    world.in_use(rich);
    world.in_use(stuck);
    let place = world.in_use(busy);
    world.waits(rich);
    world.waits(stuck);
    world.answer(0);
    world.passes(1_000);
    let own = world.waits(busy);
    world.waits(busy);
    world.took();
    world.release(place);
    assert_eq!(world.took(), [Action::Hand { place, ticket: own }], "who is first has more than this one");
    world.release(place);
    assert_eq!(world.took(), [Action::Close { place }], "who comes next has not, and waits for long");
}

#[test]
fn a_pool_that_waits_longer_gets_its_turn_from_its_own_tenant() {
    let (mut world, [a]) = cluster(5);
    let other_role = world.pool(0, 1, 0);
    world.limit(0, TenantLimits { max: 1, ..LIMITS });
    let place = world.in_use(a);
    let ticket = world.waits(other_role);
    world.answer(0);
    let own = world.waits(a);
    world.waits(a);
    world.took();
    world.passes(99);
    world.release(place);
    assert_eq!(world.took(), [Action::Hand { place, ticket: own }]);
    world.passes(1);
    world.release(place);
    world.closed(place);
    assert!(matches!(world.took()[..], [Action::Close { .. }, Action::Open { ticket: opened, .. }] if opened == ticket));
}
