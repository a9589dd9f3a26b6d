//! Each promise of the scheduler, alone.

mod fairness;
mod limits;
mod refusals;
mod room;
mod storm;

use super::world::{Checkout, World, ms};
use crate::postgres::budget::pace::Pace;
use crate::postgres::budget::scheduler::{Action, Place, PoolId, Ticket};

/// Round numbers, to count with.
const PACE: Pace = Pace {
    slice: ms(100),
    linger: ms(10),
    surplus_after: ms(5_000),
    patience: ms(1_000),
    gate: 4,
    gate_of_pool: 2,
    back_off_first: ms(50),
    back_off_max: ms(1_000),
};

/// A cluster with so many places, and pools of tenants 0, 1, 2, ... on one worker.
fn cluster<const N: usize>(connections_max: u32) -> (World, [PoolId; N]) {
    let mut world = World::new(1, connections_max, PACE);
    let pools = std::array::from_fn(|of| world.pool(of as u64, 0, 0));
    (world, pools)
}

impl World {
    fn waits(&mut self, pool: PoolId) -> Ticket {
        let Checkout::Waits(ticket) = self.checkout(pool, ms(60_000)) else { panic!("{pool:?} had one idle") };
        ticket
    }

    /// A connection that is opened for a client and in use.
    fn in_use(&mut self, pool: PoolId) -> Place {
        let ticket = self.waits(pool);
        let place = self.opening();
        self.opened(place);
        assert_eq!(self.took(), [Action::Hand { place, ticket }]);
        place
    }

    /// The one opening that has begun since one looked last.
    fn opening(&mut self) -> Place {
        let opened: Vec<_> =
            self.took().into_iter().filter_map(|action| if let Action::Open { place, .. } = action { Some(place) } else { None }).collect();
        let [place] = opened[..] else { panic!("not one opening: {opened:?}") };
        place
    }

    /// What has been answered since one looked last.
    fn took(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    fn passes(&mut self, millis: u64) {
        self.now += ms(millis);
    }
}
