//! What a transaction costs through the proxy: `pgbench -S` against PostgreSQL itself, Holm and PgBouncer.
//!
//! Starts its own PostgreSQL, runs each proxy as a process of its own, takes turns between them, and prints the median and
//! range of transactions per second and of the proxy's CPU per transaction (from `/proc/<pid>/stat`). One target stands in
//! the table twice, so that the noise is there to see. Checks with `pg_stat_database` that every transaction was one and
//! fetched its row. Refuses to judge: no time is asserted.
//!
//! `cargo bench -p holm-proxy --bench pgbench -- [--seconds 2] [--rounds 3] [--clients 1,16] [--protocols simple,extended,prepared]
//! [--targets direct,holm,pgbouncer]`

mod node;
mod peers;
mod run;
mod table;

use std::time::Duration;

use crate::peers::Peers;
use crate::table::Table;

/// How long and how much.
struct Plan {
    run: Duration,
    rounds: usize,
    clients: Vec<u32>,
    protocols: Vec<String>,
    /// Beginnings of the names of targets.
    targets: Vec<String>,
}

impl Plan {
    fn from_args(args: &[String]) -> Self {
        let value = |name: &str, default: &str| {
            let at = args.iter().position(|arg| arg == name);
            at.and_then(|at| args.get(at + 1)).map_or_else(|| default.to_owned(), Clone::clone)
        };
        Self {
            run: Duration::from_secs(value("--seconds", "2").parse().expect("--seconds is a number")),
            rounds: value("--rounds", "3").parse().expect("--rounds is a number"),
            clients: value("--clients", "1,16").split(',').map(|c| c.parse().expect("--clients is numbers")).collect(),
            protocols: value("--protocols", "simple,extended,prepared").split(',').map(str::to_owned).collect(),
            targets: value("--targets", "direct,holm,pgbouncer").split(',').map(str::to_owned).collect(),
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == node::MODE) {
        return node::serve(&args[2..]);
    }
    if args.len() == 1 {
        // `cargo test --all-targets` starts benchmarks too; minutes of load are not what it asked for.
        return println!("nothing measured: `cargo bench -p holm-proxy --bench pgbench`");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(compare(&Plan::from_args(&args)));
}

async fn compare(plan: &Plan) {
    let peers = Peers::start().await;
    for protocol in &plan.protocols {
        for &clients in &plan.clients {
            let mut table = Table::default();
            for _ in 0..plan.rounds {
                for peer in peers.all().iter().filter(|peer| plan.targets.iter().any(|target| peer.name.starts_with(target))) {
                    let result = run::pgbench(&peers, peer, protocol, clients, plan.run).await;
                    table.add(peer.name, result);
                }
            }
            println!("\npgbench -S -M {protocol} -c {clients}, {} rounds of {} s, taking turns", plan.rounds, plan.run.as_secs());
            table.print();
        }
    }
}
