//! One tenant, by pgbench: a statement over and over, on connections that stay or on one for each.

use std::time::Duration;

use tokio::process::Command;

use crate::peers::{Peer, Peers, Setup};
use crate::plan::Plan;
use crate::process::cpu_us;
use crate::table::{Column, Table};

const COLUMNS: &[Column] = &[Column { name: "tps", digits: 0 }, Column { name: "proxy CPU us/tx", digits: 1 }];

pub(crate) async fn one_tenant(plan: &Plan) {
    let peers = Peers::start(plan, Setup::default()).await;
    for protocol in &plan.protocols {
        for &clients in &plan.clients {
            compare(plan, &peers, protocol, clients).await;
        }
    }
}

/// In the clear and with TLS, which PostgreSQL itself does not speak here.
pub(crate) async fn churn(plan: &Plan) {
    let peers = Peers::start(plan, Setup::default()).await;
    take_turns(plan, &peers, Load { protocol: "simple", clients: 8, new_connections: true, sslmode: "disable" }).await;
    take_turns(plan, &peers, Load { protocol: "simple", clients: 8, new_connections: true, sslmode: "require" }).await;
}

/// One tenant's `pgbench`, connections that stay, in the clear.
pub(crate) async fn compare(plan: &Plan, peers: &Peers, protocol: &str, clients: u32) {
    take_turns(plan, peers, Load { protocol, clients, new_connections: false, sslmode: "disable" }).await;
}

/// What pgbench is told.
#[derive(Clone, Copy)]
struct Load<'a> {
    protocol: &'a str,
    clients: u32,
    /// For each transaction.
    new_connections: bool,
    sslmode: &'a str,
}

/// Takes turns between the targets.
async fn take_turns(plan: &Plan, peers: &Peers, load: Load<'_>) {
    let mut table = Table::new(COLUMNS);
    for _ in 0..plan.rounds {
        for peer in peers.all().iter().filter(|peer| load.sslmode == "disable" || peer.pid.is_some()) {
            let sample = pgbench(peers, peer, load, plan.run).await;
            table.add(peer.name, sample);
        }
    }
    let Load { protocol, clients, new_connections, sslmode } = load;
    let anew = if new_connections { " -C" } else { "" };
    println!(
        "\npgbench -S -M {protocol} -c {clients}{anew}, sslmode={sslmode}, {} rounds of {} s, taking turns",
        plan.rounds,
        plan.run.as_secs()
    );
    table.print("pgbouncer");
}

/// Runs once more when a run got nothing done: on a busy machine, logging in can take all of a short run.
async fn pgbench(peers: &Peers, peer: &Peer, load: Load<'_>, time: Duration) -> Vec<f64> {
    for _ in 0..5 {
        if let Some(sample) = once(peers, peer, load, time).await {
            return sample;
        }
        println!("{}: a run without one transaction, not counted", peer.name);
    }
    panic!("{} does not get one transaction done", peer.name);
}

async fn once(peers: &Peers, peer: &Peer, load: Load<'_>, time: Duration) -> Option<Vec<f64>> {
    let (commits, rows) = peers.counted().await;
    let before = peer.pid.map_or(f64::NAN, cpu_us);
    let output = Command::new("pgbench")
        .args(["-n", "-S", "-M", load.protocol, "-c", &load.clients.to_string(), "-j", "1", "-T", &time.as_secs().to_string()])
        .args(load.new_connections.then_some("-C"))
        .args(["-h", "127.0.0.1", "-p", &peer.port.to_string(), "-U", &peer.user, &peer.database(0)])
        .env("PGPASSWORD", &peer.password)
        .env("PGSSLMODE", load.sslmode)
        .output()
        .await
        .expect("pgbench runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {}", peer.name, String::from_utf8_lossy(&output.stderr));
    let cpu = peer.pid.map_or(f64::NAN, cpu_us) - before;
    let done = after(&said, "number of transactions actually processed: ");
    if done == 0.0 {
        return None;
    }
    // A server process says what it has done when it ends; one that rests says so after ten seconds only.
    peers.until_no_backends().await;
    let (commits_now, rows_now) = peers.counted().await;
    let (commits, rows) = (commits_now - commits, rows_now - rows);
    assert!(commits >= done && rows >= done, "{}: {done} transactions, but {commits} commits and {rows} rows", peer.name);
    Some(vec![after(&said, "tps = "), cpu / done])
}

/// The number that follows a text.
fn after(said: &str, text: &str) -> f64 {
    let rest = said.split(text).nth(1).unwrap_or_else(|| panic!("pgbench says `{text}`: {said}"));
    let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    number.parse().expect("a number")
}
