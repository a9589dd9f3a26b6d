//! Many tenants, unequal (Zipf), behind a budget that is smaller than the number of those in use.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};

use crate::peers::{Peer, Peers, Setup};
use crate::plan::Plan;
use crate::process::cpu_us;
use crate::session::Session;
use crate::table::{Column, Table, percentile};

const CLIENTS: usize = 200;
/// As an app that has several of its customers in one process.
const TENANTS_EACH: usize = 5;
const EXPONENT: f64 = 1.1;
const BUDGET: u32 = 50;
/// By the server's view; often enough to see a connection that stays for a few milliseconds more than it may.
const SAMPLE_EVERY: Duration = Duration::from_millis(20);

/// Clients that open their sessions at the same time.
const OPENED_AT_ONCE: usize = 10;

const COLUMNS: &[Column] = &[
    Column { name: "tps", digits: 0 },
    Column { name: "p50 ms", digits: 1 },
    Column { name: "p99 ms", digits: 1 },
    // Who starves has few transactions, which no percentile of all shows.
    Column { name: "longest ms", digits: 0 },
    Column { name: "poorest tenth, tx", digits: 0 },
    Column { name: "backends, most", digits: 0 },
    Column { name: "server logins/s", digits: 1 },
    Column { name: "errors", digits: 0 },
    Column { name: "proxy CPU us/tx", digits: 1 },
];

pub(crate) async fn many_in_a_small_budget(plan: &Plan) {
    for &tenants in &plan.tenants {
        let peers = Peers::start(plan, Setup { tenants, databases: 100.min(tenants), budget: BUDGET }).await;
        let mut table = Table::new(COLUMNS);
        for round in 0..plan.rounds {
            for peer in peers.all().iter().filter(|peer| peer.pid.is_some() && peer.is_transaction) {
                table.add(peer.name, once(&peers, peer, tenants, round as u64, plan.run).await);
            }
        }
        println!(
            "\n{CLIENTS} clients on {TENANTS_EACH} tenants each, of {tenants} (Zipf {EXPONENT}), {BUDGET} server connections, {} rounds of {} s",
            plan.rounds,
            plan.run.as_secs()
        );
        table.print("pgbouncer");
    }
}

async fn once(peers: &Peers, peer: &Peer, tenants: usize, seed: u64, run: Duration) -> Vec<f64> {
    let mut random = Random(seed + 1);
    let chooser = Zipf::new(tenants);
    let errors = Mutex::new(BTreeMap::<String, usize>::new());
    let failed = |error: String| *errors.lock().expect("nobody panics with it").entry(error).or_default() += 1;
    let chosen: Vec<Vec<usize>> = (0..CLIENTS).map(|_| (0..TENANTS_EACH).map(|_| chooser.choose(&mut random)).collect()).collect();
    let opened = chosen.iter().map(|tenants| join_all(tenants.iter().map(|tenant| Session::open(peer, *tenant))));
    let opened: Vec<Vec<_>> = stream::iter(opened).buffered(OPENED_AT_ONCE).collect().await;
    let opened: Vec<Vec<Session>> =
        opened.into_iter().map(|sessions| sessions.into_iter().filter_map(|session| session.map_err(&failed).ok()).collect()).collect();
    let (over, most) = (AtomicBool::new(false), AtomicI64::new(0));
    let logins = peers.logins().await;
    let (cpu, begun) = (peer.pid.map_or(f64::NAN, cpu_us), Instant::now());
    let clients = opened.iter().enumerate().map(|(nth, sessions)| {
        let (failed, mut random) = (&failed, Random(seed * 1000 + nth as u64 + 7));
        async move {
            let mut took = Vec::new();
            while begun.elapsed() < run && !sessions.is_empty() {
                match sessions[random.below(sessions.len())].ask().await {
                    Ok(ms) => took.push(ms),
                    Err(error) => {
                        failed(error);
                        break;
                    }
                }
            }
            took
        }
    });
    let load = async {
        let took = join_all(clients).await;
        over.store(true, Ordering::SeqCst);
        took
    };
    let sampled = async {
        while !over.load(Ordering::SeqCst) {
            most.fetch_max(peers.backends().await, Ordering::SeqCst);
            tokio::time::sleep(SAMPLE_EVERY).await;
        }
    };
    let (took, ()) = tokio::join!(load, sampled);
    let mut each: Vec<f64> = took.iter().map(|took| took.len() as f64).collect();
    let mut took = took.concat();
    let (elapsed, cpu) = (begun.elapsed().as_secs_f64(), peer.pid.map_or(f64::NAN, cpu_us) - cpu);
    let logins = peers.logins().await - logins;
    drop(opened);
    peers.until_no_backends().await;
    let errors = errors.into_inner().expect("nobody panics with it");
    for (error, times) in &errors {
        println!("{}: {times} x {error}", peer.name);
    }
    let done = took.len() as f64;
    vec![
        done / elapsed,
        percentile(&mut took, 50),
        percentile(&mut took, 99),
        percentile(&mut took, 100),
        percentile(&mut each, 10),
        most.into_inner() as f64,
        logins / elapsed,
        errors.values().sum::<usize>() as f64,
        cpu / done,
    ]
}

/// The n-th is chosen in proportion to `1 / n^EXPONENT`.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(count: usize) -> Self {
        let mut sum = 0.0;
        Self((1..=count).map(|n| (sum += (n as f64).powf(-EXPONENT), sum).1).collect())
    }

    fn choose(&self, random: &mut Random) -> usize {
        let at = random.unit() * self.0.last().expect("there are tenants");
        self.0.partition_point(|sum| *sum < at).min(self.0.len() - 1)
    }
}

/// The same for every target (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).expect("below a usize")
    }
}
