//! What Holm's proxy costs and what it holds up, beside PgBouncer and no proxy at all.
//!
//! Starts its own PostgreSQL, runs each proxy as a process of its own, takes turns between them, and prints medians, ranges
//! and ratios. Holm stands in the tables twice (A/A), so that the noise is there to see. Every workload checks the rows that
//! come back, and counts on the server what the server has seen. Refuses to judge: no time is asserted.
//!
//! `cargo bench -p holm-proxy --bench proxy -- <workload>... [--seconds 2] [--rounds 3] [--clients 1,16,64]
//! [--protocols simple,extended,prepared] [--tenants 1000] [--targets direct,holm,pgbouncer] [--pgbouncer /usr/sbin/pgbouncer]`
//!
//! Workloads: `pgbench` (one tenant), `churn` (one tenant, a connection for each transaction, without and with TLS), `copy`
//! (a gigabyte each way, and beside who reads slowly), `cold` (one tenant while others
//! are known and were used once), `zipf` (many tenants in a small budget), `neighbour` (quiet tenants beside a loud one),
//! `memory` (resident, by known tenants and by idle clients).

mod cold;
mod copy;
mod memory;
mod neighbour;
mod node;
mod peers;
mod pgbench;
mod plan;
mod process;
mod session;
mod table;
mod zipf;

use crate::plan::Plan;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == node::MODE) {
        return node::serve(&args[2..]);
    }
    let plan = Plan::from_args(&args);
    if plan.workloads.is_empty() {
        // `cargo test --all-targets` starts benchmarks too; minutes of load are not what it asked for.
        return println!("nothing measured: `cargo bench -p holm-proxy --bench proxy -- pgbench`");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for workload in &plan.workloads {
        match workload.as_str() {
            "pgbench" => runtime.block_on(pgbench::one_tenant(&plan)),
            "churn" => runtime.block_on(pgbench::churn(&plan)),
            "copy" => runtime.block_on(copy::each_way(&plan)),
            "cold" => runtime.block_on(cold::beside_others(&plan)),
            "zipf" => runtime.block_on(zipf::many_in_a_small_budget(&plan)),
            "neighbour" => runtime.block_on(neighbour::quiet_beside_loud(&plan)),
            "memory" => runtime.block_on(memory::resident(&plan)),
            other => panic!("there is no workload `{other}`: pgbench, churn, copy, cold, zipf, neighbour, memory"),
        }
    }
}
