//! A cluster's life, simulated: workers, clients that come, go and give up, servers that refuse, connections that die,
//! limits that move and budgets that shrink below what is open; every message may be late. The scheduler is the real one.
//!
//! After every event all counts are taken anew and compared (`world`). In the end, when nobody new comes, everybody was
//! served or refused. `HOLM_SEED` runs one seed; a failure prints its own.

use std::time::Duration;

use super::world::{Chance, LIMITS, State, World, ms, tenant};
use crate::postgres::budget::pace::Pace;
use crate::postgres::budget::scheduler::{Event, Failure, PoolId, TenantLimits};

const SEEDS: u64 = 20;
const CHAOS_STEPS: usize = 2_500;
/// Bounded, so that what never ends is noticed.
const CALM_STEPS: usize = 20_000;

struct Life {
    chance: Chance,
    world: World,
    pools: Vec<PoolId>,
    tenants: u64,
    ceiling_max: u32,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let pace = Pace {
            slice: ms(chance.below(40)),
            linger: ms(chance.below(5)),
            surplus_after: ms(chance.below(500)),
            patience: ms(50 + chance.below(500)),
            gate: 1 + chance.small(6),
            gate_of_pool: 1 + chance.small(3),
            back_off_first: ms(1 + chance.below(50)),
            back_off_max: ms(100 + chance.below(500)),
        };
        let workers = 1 + usize::from(chance.one_in(2)) + usize::from(chance.one_in(2));
        let ceiling_max = 1 + chance.small(12);
        let mut life =
            Self { world: World::new(workers, ceiling_max, pace), pools: Vec::new(), tenants: 1 + chance.below(12), ceiling_max, chance };
        for number in 0..life.tenants {
            for of_it in 0..=life.chance.below(3) {
                let worker = usize::try_from(number).unwrap() % workers;
                let pool = life.world.pool(number, of_it, worker);
                life.pools.push(pool);
            }
        }
        life
    }

    fn limits(&mut self) -> TenantLimits {
        TenantLimits { min: self.chance.small(3), max: self.chance.small(6), weight: self.chance.small(4) }
    }

    fn step(&mut self) {
        match self.chance.below(40) {
            0..12 => {
                // Some pools are busier than others.
                let bound = 1 + self.chance.below(self.pools.len() as u64);
                let pool = self.pools[usize::try_from(self.chance.below(bound)).unwrap()];
                let patience = ms(self.chance.below(2_000));
                self.world.checkout(pool, patience);
            }
            12 => self.someone_gives_up(),
            13 => self.one_dies(),
            14 => self.limits_change(),
            15 => self.budget_changes(),
            16..22 => self.time_passes(),
            _ => self.one_thing_is_done(7),
        }
    }

    fn someone_gives_up(&mut self) {
        let waiting: Vec<_> = self.world.waiting.keys().copied().collect();
        self.chance.pick(&waiting).into_iter().for_each(|ticket| self.world.gives_up(ticket));
    }

    fn one_dies(&mut self) {
        let there = self.world.places(|state| !matches!(state, State::Connecting | State::Closing));
        self.chance.pick(&there).into_iter().for_each(|place| self.world.closed(place));
    }

    fn limits_change(&mut self) {
        let (of, limits) = (self.chance.below(self.tenants), self.limits());
        self.world.limit(of, limits);
    }

    fn budget_changes(&mut self) {
        let ceiling = self.chance.small(self.ceiling_max + 1);
        self.world.resize(ceiling);
    }

    fn time_passes(&mut self) {
        let wake = self.world.scheduler.next_wake();
        assert!(self.world.waiting.is_empty() || wake.is_some(), "somebody waits, and nobody looks at the clock");
        self.world.now += Duration::from_micros(self.chance.below(10_000));
        if wake.is_some_and(|wake| wake <= self.world.now) {
            self.world.tell(Event::Tick);
        }
    }

    /// Something that was begun comes to its end; an opening fails once in `failures` times.
    fn one_thing_is_done(&mut self, failures: u64) {
        match self.chance.below(5) {
            0 if !self.world.asked.is_empty() => {
                let index = self.chance.below(self.world.asked.len() as u64);
                self.world.answer(usize::try_from(index).unwrap());
            }
            1 => {
                let connecting = self.world.places(|state| state == State::Connecting);
                let Some(place) = self.chance.pick(&connecting) else { return };
                if failures > 0 && self.chance.one_in(failures) {
                    let failure = if self.chance.one_in(4) { Failure::Final } else { Failure::Passing };
                    self.world.connections.remove(&place);
                    self.world.tell(Event::Failed(place, failure));
                } else {
                    self.world.opened(place);
                }
            }
            2 => {
                let closing = self.world.places(|state| state == State::Closing);
                self.chance.pick(&closing).into_iter().for_each(|place| self.world.closed(place));
            }
            _ => {
                let busy = self.world.places(|state| state == State::Busy);
                self.chance.pick(&busy).into_iter().for_each(|place| self.world.release(place));
            }
        }
    }

    /// Nobody new comes, nothing fails, limits are generous: everybody gets a connection.
    fn calms_down(&mut self) {
        self.world.resize(self.ceiling_max);
        for number in 0..self.tenants {
            let known = self.world.limits[&tenant(number)];
            self.world.limit(number, TenantLimits { min: 0, max: known.max.max(1), ..LIMITS });
        }
        for step in 0.. {
            assert!(step < CALM_STEPS, "it does not end: {:?} wait, {:?}", self.world.waiting, self.world.connections);
            let under_way = self.world.places(|state| !matches!(state, State::Idle { .. } | State::Aside { .. }));
            if self.world.waiting.is_empty() && under_way.is_empty() && self.world.asked.is_empty() {
                break;
            }
            if self.chance.one_in(4) { self.time_passes() } else { self.one_thing_is_done(0) }
        }
        assert!(!self.world.scheduler.listens());
    }
}

/// Says which seed it was.
struct Tell(u64);

impl Drop for Tell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("run it again with HOLM_SEED={}", self.0);
        }
    }
}

#[test]
fn whatever_happens_the_counts_are_right_and_nobody_is_forgotten() {
    let one = std::env::var("HOLM_SEED").ok().map(|seed| seed.parse::<u64>().expect("HOLM_SEED is a number"));
    for seed in one.map_or(0..SEEDS, |seed| seed..seed + 1) {
        let _tell = Tell(seed);
        let mut life = Life::new(seed);
        for _ in 0..CHAOS_STEPS {
            life.step();
        }
        life.calms_down();
    }
}
