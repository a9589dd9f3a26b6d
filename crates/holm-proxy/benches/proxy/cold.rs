//! One tenant's transactions while others are known, were used once, and rest; beside a Holm that knows nobody else, in the same turns.

use crate::peers::{Peers, Setup};
use crate::pgbench;
use crate::plan::Plan;
use crate::session::Session;

pub(crate) async fn beside_others(plan: &Plan) {
    for &others in &plan.tenants {
        let mut peers = Peers::start(plan, Setup { tenants: others + 1, databases: 20, budget: 100 }).await;
        peers.add_alone(plan);
        for peer in peers.all().iter().filter(|peer| peer.pid.is_some()) {
            for tenant in 1..peer.tenants {
                let session = Session::open(peer, tenant).await.unwrap_or_else(|error| panic!("{}: {error}", peer.name));
                session.ask().await.unwrap_or_else(|error| panic!("{}: {error}", peer.name));
            }
        }
        println!("\n{others} other tenants, each used once through each proxy");
        for protocol in &plan.protocols {
            for &clients in &plan.clients {
                pgbench::compare(plan, &peers, protocol, clients).await;
            }
        }
    }
}
