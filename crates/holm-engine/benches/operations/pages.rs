//! Pages of 100, anywhere in a journal of a million events.

use std::time::Instant;

use holm_core::id::OperationId;
use holm_engine::operation::show;
use holm_store::page::Page;

use crate::table::Table;
use crate::{Bench, Outcome};

const EVENTS: i64 = 1_000_000;
const PAGES: usize = 500;

const FILL: &str = "INSERT INTO operation_event (operation_id, seq, epoch, at, event, digest)
SELECT $1, n, 1, now(), '{\"event\":\"waits\",\"step\":2,\"until\":\"2026-12-21T00:00:00Z\"}', decode(repeat('00', 32), 'hex')
FROM generate_series(100::bigint, $2::bigint + 99) AS n";

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Outcome<()> {
    bench.tenants(990_000, 990_000).await?;
    let id = bench.delete(990_000, std::time::Duration::from_secs(3600)).await?;
    let client = bench.client().await;
    client.execute(FILL, &[&id.as_uuid(), &EVENTS]).await?;
    client.batch_execute("VACUUM ANALYZE operation_event").await?;
    println!("a page of the journal:");
    let explain = "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, SUMMARY OFF) SELECT seq FROM operation_event WHERE operation_id = $1 AND seq > 500000 ORDER BY seq LIMIT 100"
        .replace("$1", &format!("'{}'", id.as_uuid()));
    for row in client.query(&explain, &[]).await? {
        println!("  {}", row.get::<_, &str>(0));
    }
    let (mut times, id) = (Vec::new(), OperationId::from_uuid(id.as_uuid()));
    for n in 0..PAGES {
        // A step that shares no factor with the number of events goes everywhere.
        let after = 100 + (n as u64 * 611_953) % (EVENTS.unsigned_abs() - 200);
        let begun = Instant::now();
        let rows = show::journal(&bench.control, id, &Page { after: Some(after), limit: 100 }).await?;
        times.push(begun.elapsed());
        assert_eq!((rows.len(), rows[0].seq), (100, after + 1));
    }
    table.add_times("a page of a journal of 1,000,000 events", &times, "<= 50 ms");
    Ok(())
}
