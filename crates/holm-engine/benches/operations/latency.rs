//! From a request to its first step: one operation after the other, while nothing else is to do.

use std::time::Instant;

use holm_engine::operation::show;
use holm_engine::tenant::delete;
use holm_testkit::eventually;

use crate::table::Table;
use crate::{Bench, Outcome, PATIENCE};

const LATENCIES: usize = 200;

/// Asked for, claimed, closed, sessions ended, waiting for the end of the grace period.
const AT_REST: u64 = 5;

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Outcome<()> {
    bench.tenants(900_001, 900_000 + LATENCIES).await?;
    let (mut from_call, mut from_return) = (Vec::new(), Vec::new());
    for n in 1..=LATENCIES {
        let called = Instant::now();
        let id = bench.delete(900_000 + n, delete::GRACE).await?;
        let returned = Instant::now();
        let begun = eventually(PATIENCE, "the first step", async || bench.begun.at(id)).await;
        from_call.push(begun.duration_since(called));
        from_return.push(begun.saturating_duration_since(returned));
        // Told, and not polled: nothing is left of it when the next is asked for.
        show::wait(&bench.control, id, Some(AT_REST - 1), PATIENCE).await?;
    }
    table.add_times("request to first step, the request itself included", &from_call, "<= 50 ms");
    table.add_times("commit of the request to first step", &from_return, "<= 50 ms");
    Ok(())
}
