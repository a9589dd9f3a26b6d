//! The start of a process over 20,000 tenants: from nothing to a published table, each data key unwrapped, each secret opened.

use std::time::Instant;

use crate::table::Table;
use crate::{Bench, Outcome, open, sampled};

const TENANTS: usize = 20_000;
const STARTS: usize = 5;

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Outcome<()> {
    sampled::make(bench, "start", TENANTS).await?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let directory = tempfile::tempdir()?;
        let begun = Instant::now();
        let control = open(&bench.catalog, None, &directory).await?;
        times.push(begun.elapsed());
        assert!(control.publisher().table().tenant_count() >= TENANTS, "{} routes", control.publisher().table().tenant_count());
        control.shutdown().await;
    }
    table.add_times("start with 20,000 tenants, to the published routes", &times, "<= 1000 ms");
    Ok(())
}
