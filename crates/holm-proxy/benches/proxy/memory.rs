//! Resident memory: at start, with tenants that are known, with clients that rest, and after a burst of theirs.

use futures_util::future::join_all;

use crate::peers::{Peer, Peers, Setup};
use crate::plan::Plan;
use crate::process::{cpu_us, resident_kb};
use crate::session::Session;
use crate::table::{Column, Table};

const CLIENTS: usize = 1000;

const COLUMNS: &[Column] = &[
    Column { name: "at start, MB", digits: 1 },
    Column { name: "KB/client at rest", digits: 1 },
    Column { name: "after a burst", digits: 1 },
    Column { name: "CPU ms in a second at rest", digits: 1 },
];

pub(crate) async fn resident(plan: &Plan) {
    for &tenants in &plan.tenants {
        let peers = Peers::start(plan, Setup { tenants, databases: 1, budget: 100 }).await;
        let mut table = Table::new(COLUMNS);
        for peer in peers.all().iter().filter(|peer| peer.is_transaction) {
            if let Some(pid) = peer.pid {
                table.add(peer.name, once(peer, pid).await);
            }
        }
        println!("\nresident memory with {tenants} known tenants and {CLIENTS} clients of one of them");
        table.print("pgbouncer");
    }
}

async fn once(peer: &Peer, pid: u32) -> Vec<f64> {
    let start = resident_kb(pid);
    let mut sessions = Vec::new();
    for _ in 0..CLIENTS / 50 {
        let opened = join_all((0..50).map(|_| Session::open(peer, 0))).await;
        sessions.extend(opened.into_iter().map(|session| session.unwrap_or_else(|error| panic!("{}: {error}", peer.name))));
    }
    let at_rest = resident_kb(pid);
    for answer in join_all(sessions.iter().map(Session::ask)).await {
        answer.unwrap_or_else(|error| panic!("{}: {error}", peer.name));
    }
    let after = resident_kb(pid);
    let cpu = cpu_us(pid);
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let cpu = (cpu_us(pid) - cpu) / 5.0 / 1000.0;
    let each = |now: f64| (now - start) / CLIENTS as f64;
    vec![start / 1024.0, each(at_rest), each(after), cpu]
}
