//! What the pace costs and gives, on a simulated machine of two cores: opening a connection takes 5 ms of CPU, a
//! transaction 1 ms (a slow one 50 ms of waiting and next to no CPU), closing 0.5 ms, a message between workers 50 µs.
//!
//! What it showed, and why `Pace` is as it is (20 s each, seed 7; the same on every run):
//!
//! - Zipf, 1,000 tenants, 200 clients, 50 places. The gate decides: 1, 2, 4, 8, 16 openings at a time give 634, 766, 748, 577,
//!   576 tx/s with a p99 wait of 726, 602, 565, 1,975, 1,836 ms. At eight the openings fill both cores, and the busiest
//!   tenants' transactions stand behind them. The slice does not matter (0 to 500 ms: the same), since there is always an
//!   idle connection to close; lingering 0, 20, 100 ms gives 740, 748, 754 tx/s, 229, 228, 227 openings/s.
//! - 100 tenants of four clients without pause, 50 places. The slice decides. Worst wait on 2 cores with 20, 50, 100, 200,
//!   1,000 ms: 3,199, 1,697, 904, 903, 1,243 ms, and on 32 cores 83, 89, 121, 221, 1,022 ms at 28,097, 28,144, 29,432,
//!   30,678, 31,725 tx/s: below 100 ms the gate is what spares openings, above it is waited for longer than it saves.
//! - 100 quiet tenants beside one with 500 clients of 50 ms queries. With a place for each (110, 150) the quiet ones do not
//!   notice: p99 and worst wait are 0, no openings. If surplus went to the crowd at once, their p99 would be 49 and 53 ms.
//!   With fewer places than quiet tenants they wait for each other already: p99 183 ms alone and 189 beside the crowd with
//!   50 places, 53 and 61 with 90. With exactly 100, the one place too few costs them a p99 of 14 ms instead of 0.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use super::world::{Chance, Checkout, World, ms};
use crate::postgres::budget::pace::Pace;
use crate::postgres::budget::scheduler::{Action, Event, Place, PoolId, Ticket};

const WORKERS: usize = 2;
const OPENING: Duration = ms(5);
const CLOSING: Duration = Duration::from_micros(500);
const MESSAGE: Duration = Duration::from_micros(50);
const PATIENCE: Duration = Duration::from_secs(30);
const WARM_UP: Duration = Duration::from_secs(3);
const END: Duration = Duration::from_secs(23);

/// How a client behaves.
#[derive(Clone, Copy)]
enum Kind {
    /// Another tenant for each transaction, as a Zipf distribution has it, and no pause.
    Roams,
    /// Transactions of 50 ms without pause.
    Noisy,
    /// Transactions of 1 ms without pause.
    Busy(u64),
    /// A transaction of 1 ms, and then a pause of 50 ms to 150 ms.
    Quiet(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Begins(usize),
    /// Its transaction waits for a core no more.
    Done(usize, Place),
    Opened(Place),
    Closed(Place),
    Asked,
    Wake,
}

struct Load {
    chance: Chance,
    world: World,
    due: BinaryHeap<Reverse<(Duration, u64, Due)>>,
    number: u64,
    cores: Vec<Duration>,
    clients: Vec<Kind>,
    /// Whose ticket, and since when.
    waits: BTreeMap<Ticket, (usize, Duration)>,
    zipf: Vec<f64>,
    opens: u32,
    refused: u32,
    /// What clients waited for a connection, roaming and quiet ones apart from noisy ones.
    waited: Vec<Duration>,
    noisy_done: u32,
}

impl Load {
    fn new(connections_max: u32, pace: Pace, clients: Vec<Kind>, tenants: u64) -> Self {
        let mut world = World::new(WORKERS, connections_max, pace);
        world.strict = false;
        for of in 0..tenants {
            world.pool(of, 0, usize::try_from(of).unwrap() % WORKERS);
        }
        let mut sum = 0.0;
        let mut zipf = Vec::new();
        for rank in 1..=u32::try_from(tenants).unwrap() {
            sum += f64::from(rank).powf(-1.1);
            zipf.push(sum);
        }
        let mut load = Self {
            chance: Chance(7),
            world,
            due: BinaryHeap::new(),
            number: 0,
            cores: vec![Duration::ZERO; 2],
            clients,
            waits: BTreeMap::new(),
            zipf,
            opens: 0,
            refused: 0,
            waited: Vec::new(),
            noisy_done: 0,
        };
        for client in 0..load.clients.len() {
            let at = Duration::from_micros(load.chance.below(100_000));
            load.at(at, Due::Begins(client));
        }
        load
    }

    fn at(&mut self, at: Duration, due: Due) {
        self.number += 1;
        self.due.push(Reverse((at, self.number, due)));
    }

    /// When the machine is done with so much work.
    fn works(&mut self, work: Duration) -> Duration {
        let core = self.cores.iter_mut().min().unwrap();
        *core = (*core).max(self.world.now) + work;
        *core
    }

    fn run(&mut self) {
        while let Some(Reverse((at, _, due))) = self.due.pop()
            && at < END
        {
            self.world.now = at;
            match due {
                Due::Begins(client) => self.begins(client),
                Due::Done(client, place) => {
                    self.world.release(place);
                    let pause = match self.clients[client] {
                        Kind::Quiet(_) => Duration::from_micros(50_000 + self.chance.below(100_000)),
                        Kind::Roams | Kind::Busy(_) | Kind::Noisy => Duration::ZERO,
                    };
                    self.at(at + pause, Due::Begins(client));
                }
                Due::Opened(place) => self.world.opened(place),
                Due::Closed(place) => self.world.closed(place),
                Due::Asked => self.world.answer(0),
                Due::Wake => self.world.tell(Event::Tick),
            }
            self.follow();
        }
    }

    fn begins(&mut self, client: usize) {
        let tenant = match self.clients[client] {
            Kind::Roams => {
                let most = *self.zipf.last().unwrap();
                let point = f64::from(self.chance.small(u32::MAX)) / f64::from(u32::MAX) * most;
                self.zipf.partition_point(|sum| *sum < point).min(self.zipf.len() - 1) as u64
            }
            Kind::Noisy => 0,
            Kind::Busy(tenant) | Kind::Quiet(tenant) => tenant,
        };
        match self.world.checkout(PoolId(tenant * 10), PATIENCE) {
            Checkout::Got(place) => self.runs(client, place, Duration::ZERO),
            Checkout::Waits(ticket) => _ = self.waits.insert(ticket, (client, self.world.now)),
        }
    }

    fn runs(&mut self, client: usize, place: Place, waited: Duration) {
        let noisy = matches!(self.clients[client], Kind::Noisy);
        if self.world.now > WARM_UP {
            if noisy { self.noisy_done += 1 } else { self.waited.push(waited) }
        }
        let done = if noisy { self.works(Duration::from_micros(200)) + ms(50) } else { self.works(ms(1)) };
        self.at(done, Due::Done(client, place));
    }

    fn follow(&mut self) {
        for action in std::mem::take(&mut self.world.actions) {
            match action {
                Action::Open { place, .. } => {
                    self.opens += u32::from(self.world.now > WARM_UP);
                    let done = self.works(OPENING) + MESSAGE;
                    self.at(done, Due::Opened(place));
                }
                Action::Hand { place, ticket } => {
                    let (client, since) = self.waits.remove(&ticket).unwrap();
                    self.runs(client, place, self.world.now - since);
                }
                Action::Close { place } => {
                    let done = self.works(CLOSING);
                    self.at(done, Due::Closed(place));
                }
                Action::Evict { .. } => self.at(self.world.now + MESSAGE, Due::Asked),
                Action::Refuse { ticket, .. } => {
                    self.refused += 1;
                    let (client, _) = self.waits.remove(&ticket).unwrap();
                    self.at(self.world.now, Due::Begins(client));
                }
                Action::Keep { .. } | Action::SetAside { .. } | Action::Reoffer { .. } => {}
            }
        }
        if let Some(wake) = self.world.scheduler.next_wake()
            && !self.due.iter().any(|Reverse((at, _, due))| *due == Due::Wake && *at <= wake)
        {
            self.at(wake.max(self.world.now), Due::Wake);
        }
    }

    fn report(mut self, name: &str) -> String {
        self.run();
        self.waited.sort_unstable();
        let seconds = (END - WARM_UP).as_secs_f64();
        let at = |share: f64| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
            let index = ((self.waited.len() as f64 * share) as usize).min(self.waited.len() - 1);
            self.waited[index].as_secs_f64() * 1_000.0
        };
        #[allow(clippy::cast_precision_loss, reason = "a figure to be printed")]
        let tps = self.waited.len() as f64 / seconds;
        format!(
            "{name:<44} {tps:>7.0} {:>9.2} {:>9.2} {:>9.2} {:>8.0} {:>8.0} {:>5}",
            at(0.5),
            at(0.99),
            at(1.0),
            f64::from(self.opens) / seconds,
            f64::from(self.noisy_done) / seconds,
            self.refused
        )
    }
}

fn head() {
    println!("{:<44} {:>7} {:>9} {:>9} {:>9} {:>8} {:>8} {:>5}", "", "tx/s", "p50 ms", "p99 ms", "max ms", "opens/s", "noisy/s", "ref.");
}

#[test]
#[ignore = "prints figures to choose by"]
fn a_thousand_tenants_of_which_few_are_busy() {
    head();
    let base = Pace::default();
    let run = |name: String, pace: Pace| println!("{}", Load::new(50, pace, vec![Kind::Roams; 200], 1_000).report(&name));
    for slice in [0, 20, 100, 500] {
        run(format!("slice {slice} ms"), Pace { slice: ms(slice), ..base });
    }
    for linger in [0, 2, 10, 20, 50, 100] {
        run(format!("linger {linger} ms"), Pace { linger: ms(linger), ..base });
    }
    for gate in [1, 2, 4, 8, 16] {
        run(format!("gate {gate}"), Pace { gate, ..base });
    }
}

#[test]
#[ignore = "prints figures to choose by"]
fn twice_as_many_busy_tenants_as_places() {
    head();
    let base = Pace::default();
    let clients: Vec<_> = (0..400).map(|client| Kind::Busy(client % 100)).collect();
    for cores in [2, 8, 32] {
        for slice in [0, 5, 20, 50, 100, 200, 500, 1_000] {
            let mut load = Load::new(50, Pace { slice: ms(slice), ..base }, clients.clone(), 100);
            load.cores = vec![Duration::ZERO; cores];
            println!("{}", load.report(&format!("{cores} cores, slice {slice} ms")));
        }
    }
}

#[test]
#[ignore = "prints figures to choose by"]
fn a_hundred_quiet_tenants_beside_a_noisy_one() {
    let quiet = || (1..=100).map(Kind::Quiet);
    head();
    let base = Pace::default();
    for budget in [50, 90, 100, 110, 150] {
        println!("{}", Load::new(budget, base, quiet().collect(), 101).report(&format!("budget {budget}, quiet alone")));
        let run = |name: String, pace: Pace| {
            let clients = quiet().chain([Kind::Noisy; 500]).collect();
            println!("{}", Load::new(budget, pace, clients, 101).report(&format!("budget {budget}, noisy too, {name}")));
        };
        run("as it is".to_owned(), base);
        for slice in [0, 20, 500] {
            run(format!("slice {slice} ms"), Pace { slice: ms(slice), ..base });
        }
        for linger in [0, 50, 100] {
            run(format!("linger {linger} ms"), Pace { linger: ms(linger), ..base });
        }
        for surplus_after in [0, 1_000] {
            run(format!("surplus after {surplus_after} ms"), Pace { surplus_after: ms(surplus_after), ..base });
        }
    }
}
