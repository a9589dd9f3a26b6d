//! Quiet tenants, alone and then beside one whose clients want more than there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::peers::{Peer, Peers, Setup};
use crate::plan::Plan;
use crate::session::Session;
use crate::table::{Column, Table, percentile};

const QUIET: usize = 100;
const LOUD_CLIENTS: usize = 500;
const LOUD_SECONDS: f64 = 0.05;
/// Each quiet tenant asks once in so long.
const ASKS_EVERY: Duration = Duration::from_secs(1);
/// Room for the quiet ones to have a connection each, were there nobody else.
const BUDGET: u32 = 120;

const COLUMNS: &[Column] = &[
    Column { name: "p99 alone, ms", digits: 1 },
    Column { name: "p99 beside, ms", digits: 1 },
    Column { name: "beside / alone", digits: 2 },
    Column { name: "loud tps", digits: 0 },
    Column { name: "errors", digits: 0 },
];

pub(crate) async fn quiet_beside_loud(plan: &Plan) {
    let peers = Peers::start(plan, Setup { tenants: QUIET + 1, databases: QUIET + 1, budget: BUDGET }).await;
    let mut table = Table::new(COLUMNS);
    for _ in 0..plan.rounds {
        for peer in peers.all().iter().filter(|peer| peer.pid.is_some() && peer.is_transaction) {
            table.add(peer.name, once(peer, plan.run).await);
            peers.until_no_backends().await;
        }
    }
    println!(
        "\n{QUIET} quiet tenants, beside one with {LOUD_CLIENTS} clients of {LOUD_SECONDS} s each, {BUDGET} server connections, {} rounds of {} s",
        plan.rounds,
        plan.run.as_secs()
    );
    table.print("pgbouncer");
}

async fn once(peer: &Peer, run: Duration) -> Vec<f64> {
    let quiet = join_all((1..=QUIET).map(|tenant| Session::open(peer, tenant))).await;
    let quiet: Vec<Session> = quiet.into_iter().map(|session| session.unwrap_or_else(|error| panic!("{}: {error}", peer.name))).collect();
    let (mut alone, wrong) = ask_now_and_then(&quiet, run).await;
    let mut loud = Vec::new();
    for _ in 0..LOUD_CLIENTS / 50 {
        let opened = join_all((0..50).map(|_| Session::open(peer, 0))).await;
        loud.extend(opened.into_iter().map(|session| session.unwrap_or_else(|error| panic!("{}: {error}", peer.name))));
    }
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    let shout = join_all(loud.iter().map(async |session| {
        let (mut done, mut wrong) = (0, 0);
        while !over.load(Ordering::SeqCst) {
            match session.ask_slowly(LOUD_SECONDS).await {
                Ok(_) => done += 1,
                Err(_) => {
                    wrong += 1;
                    break;
                }
            }
        }
        (done, wrong)
    }));
    let listen = async {
        let heard = ask_now_and_then(&quiet, run).await;
        over.store(true, Ordering::SeqCst);
        heard
    };
    let (shouted, (mut beside, wrong_beside)) = tokio::join!(shout, listen);
    let elapsed = begun.elapsed().as_secs_f64();
    let (done, wrong_loud) = shouted.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let (alone, beside) = (percentile(&mut alone, 99), percentile(&mut beside, 99));
    vec![alone, beside, beside / alone, f64::from(done) / elapsed, f64::from(wrong + wrong_beside + wrong_loud)]
}

/// Each asks at a moment of its own within the second.
async fn ask_now_and_then(sessions: &[Session], run: Duration) -> (Vec<f64>, i32) {
    let begun = Instant::now();
    let asked = join_all(sessions.iter().enumerate().map(async |(nth, session)| {
        let (mut took, mut wrong) = (Vec::new(), 0);
        tokio::time::sleep(ASKS_EVERY / u32::try_from(QUIET).expect("a hundred") * u32::try_from(nth).expect("a hundred")).await;
        while begun.elapsed() < run {
            match session.ask().await {
                Ok(ms) => took.push(ms),
                Err(_) => wrong += 1,
            }
            tokio::time::sleep(ASKS_EVERY).await;
        }
        (took, wrong)
    }))
    .await;
    asked.into_iter().fold((Vec::new(), 0), |(mut all, sum), (took, wrong)| {
        all.extend(took);
        (all, sum + wrong)
    })
}
