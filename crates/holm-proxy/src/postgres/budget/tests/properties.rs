//! For every sequence of events there is: the invariants of `world` hold after each of them.

use proptest::prelude::*;

use super::world::{LIMITS, State, World, ms};
use crate::postgres::budget::pace::Pace;
use crate::postgres::budget::scheduler::{Event, Failure, PoolId, TenantLimits};

const POOLS: u64 = 6;

/// A step; a number picks among those whom it can concern.
#[derive(Clone, Debug)]
enum Step {
    Checkout(u64, u64),
    GivesUp(usize),
    Release(usize),
    Opened(usize),
    Failed(usize, bool),
    Closed(usize),
    Answered(usize),
    Dies(usize),
    Limits(u64, u32, u32, u32),
    Budget(u32),
    Passes(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0..100_usize;
    prop_oneof![
        6 => (0..POOLS, 0..400_u64).prop_map(|(pool, patience)| Step::Checkout(pool, patience)),
        1 => which().prop_map(Step::GivesUp),
        6 => which().prop_map(Step::Release),
        4 => which().prop_map(Step::Opened),
        1 => (which(), any::<bool>()).prop_map(|(which, last)| Step::Failed(which, last)),
        4 => which().prop_map(Step::Closed),
        4 => which().prop_map(Step::Answered),
        1 => which().prop_map(Step::Dies),
        1 => (0..POOLS / 2, 0..3_u32, 0..5_u32, 0..3_u32).prop_map(|(of, min, max, weight)| Step::Limits(of, min, max, weight)),
        1 => (0..6_u32).prop_map(Step::Budget),
        4 => (0..60_u64).prop_map(Step::Passes),
    ]
}

fn take(world: &mut World, step: &Step) {
    let pick = |is: fn(State) -> bool, which: usize, world: &World| {
        let places = world.places(is);
        (!places.is_empty()).then(|| places[which % places.len()])
    };
    match *step {
        Step::Checkout(pool, patience) => _ = world.checkout(PoolId(pool / 2 * 10 + pool % 2), ms(patience)),
        Step::GivesUp(which) if !world.waiting.is_empty() => {
            let ticket = *world.waiting.keys().nth(which % world.waiting.len()).unwrap();
            world.gives_up(ticket);
        }
        Step::Answered(which) if !world.asked.is_empty() => world.answer(which % world.asked.len()),
        Step::GivesUp(_) | Step::Answered(_) => {}
        Step::Release(which) => pick(|state| state == State::Busy, which, world).into_iter().for_each(|place| world.release(place)),
        Step::Opened(which) => pick(|state| state == State::Connecting, which, world).into_iter().for_each(|place| world.opened(place)),
        Step::Closed(which) => pick(|state| state == State::Closing, which, world).into_iter().for_each(|place| world.closed(place)),
        Step::Dies(which) => {
            pick(|state| state != State::Connecting, which, world).into_iter().for_each(|place| world.closed(place));
        }
        Step::Failed(which, last) => {
            let Some(place) = pick(|state| state == State::Connecting, which, world) else { return };
            world.connections.remove(&place);
            world.tell(Event::Failed(place, if last { Failure::Final } else { Failure::Passing }));
        }
        Step::Limits(of, min, max, weight) => world.limit(of, TenantLimits { min, max, weight }),
        Step::Budget(connections_max) => world.resize(connections_max),
        Step::Passes(millis) => {
            world.now += ms(millis);
            world.tell(Event::Tick);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_breaks_a_promise(
        places in 1..5_u32,
        gate in 1..4_u32,
        slice in 0..50_u64,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let pace = Pace { slice: ms(slice), linger: ms(5), surplus_after: ms(200), patience: ms(100), gate, ..Pace::default() };
        let mut world = World::new(2, places, pace);
        for pool in 0..POOLS {
            world.pool(pool / 2, pool % 2, usize::try_from(pool / 2 % 2).unwrap());
        }
        world.limit(0, LIMITS);
        steps.iter().for_each(|step| take(&mut world, step));
    }
}
