//! Throughput: tenants are deleted without grace, half of them by the engine, half by the steps alone, in turns.
//!
//! *Steps alone* are the same functions with the same arguments, four at a time as the engine has them on one cluster, each
//! catalog step in a transaction of its own, each step on a cluster behind the same fence; without claims, leases and the
//! journal. Databases are only rows here, unless real ones are asked for: dropping those takes PostgreSQL so long that
//! nothing of the engine would be seen.

use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use holm_core::id::OperationId;
use holm_engine::operation::alone;
use holm_testkit::eventually;

use crate::counted::Counter;
use crate::table::Table;
use crate::{Bench, Outcome, PATIENCE};

/// As many as the engine lets work on one cluster.
const AT_ONCE: usize = 4;

/// Taking turns shows how much of a difference is the machine's. As many rounds begin with the one as with the other.
const ROUNDS: usize = 6;

/// So many are counted, by either, before time is taken.
const COUNTED: usize = 40;

const HOLD_BACK: &str = "CREATE OR REPLACE FUNCTION hold_back() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN NEW.next_run_at := now() + interval ''1 hour''; RETURN NEW; END';
CREATE OR REPLACE TRIGGER hold_back BEFORE INSERT ON operation FOR EACH ROW EXECUTE FUNCTION hold_back()";

pub(crate) async fn measure(bench: &Bench, count: usize, table: &mut Table) -> Outcome<()> {
    counted(bench).await?;
    let each = (count / ROUNDS).max(1);
    let (mut engine, mut steps) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let first = round * 2 * each + 1;
        bench.tenants(first, first + 2 * each - 1).await?;
        // The order changes, so that what the one leaves behind does not always hit the other.
        for turn in 0..2 {
            let names = (first + turn * each)..(first + (turn + 1) * each);
            bench.settled().await?;
            if (turn + round) % 2 == 0 {
                engine.push(by_the_engine(bench, names).await?);
            } else {
                steps.push(by_steps_alone(bench, names).await?);
            }
        }
    }
    let rate = |time: &Duration| each as f64 / time.as_secs_f64();
    let (engine, steps): (Vec<f64>, Vec<f64>) = (engine.iter().map(rate).collect(), steps.iter().map(rate).collect());
    let ratios = engine.iter().zip(&steps).map(|(engine, steps)| 100.0 * engine / steps).collect();
    table.add(if bench.real { "deletions of databases, engine" } else { "deletions of rows, engine" }, engine, "/s", "");
    table.add("the same, steps alone", steps, "/s", "");
    table.add("ratio, round by round", ratios, "%", ">= 80 %");
    Ok(())
}

/// What one operation costs in statements, commits and connections.
async fn counted(bench: &Bench) -> Outcome<()> {
    let first = 800_000;
    bench.tenants(first, first + 2 * COUNTED - 1).await?;
    let mut counter = Counter::start(bench).await?;
    for (name, by_the_engine_too, from) in [("engine", true, first), ("steps alone", false, first + COUNTED)] {
        let ids = queued(bench, from..from + COUNTED, if by_the_engine_too { DUE_LATER } else { LEASED }).await?;
        counter.take();
        if by_the_engine_too {
            let_go(bench, &ids).await?;
        } else {
            carry_out(bench, &ids).await?;
        }
        let counted = counter.take();
        let of = |n: usize| n as f64 / COUNTED as f64;
        println!(
            "an operation, {name}: {:.1} statements, {:.1} commits, {:.2} connections to the catalog, {:.2} to the cluster",
            of(counted.statements.len()),
            of(counted.commits()),
            of(counted.catalog_connections),
            of(counted.cluster_connections)
        );
        for (text, times) in counted.by_text().into_iter().filter(|(_, times)| *times * 4 >= COUNTED) {
            println!("  {:6.1} {text}", of(times));
        }
        if !by_the_engine_too {
            give_up(bench, &ids).await?;
        }
    }
    counter.stop().await
}

const DUE_LATER: &str = "next_run_at = now() + interval '1 hour'";
const LEASED: &str =
    "lease_owner = 'alone', lease_until = now() + interval '1 hour', lease_epoch = 1, next_run_at = now() + interval '1 hour'";

/// From the moment when runners are let at them to the end of the last.
async fn by_the_engine(bench: &Bench, names: Range<usize>) -> Outcome<Duration> {
    let ids = queued(bench, names, DUE_LATER).await?;
    let begun = Instant::now();
    let_go(bench, &ids).await?;
    Ok(begun.elapsed())
}

async fn by_steps_alone(bench: &Bench, names: Range<usize>) -> Outcome<Duration> {
    let ids = queued(bench, names, LEASED).await?;
    let begun = Instant::now();
    carry_out(bench, &ids).await?;
    let took = begun.elapsed();
    give_up(bench, &ids).await?;
    Ok(took)
}

/// Lets the engine at operations, and waits until they are over.
async fn let_go(bench: &Bench, ids: &[uuid::Uuid]) -> Outcome<()> {
    let client = bench.client().await;
    client.execute("UPDATE operation SET next_run_at = now() WHERE id = ANY($1)", &[&ids]).await?;
    client.batch_execute("NOTIFY holm_due").await?;
    let sql = "SELECT count(*) FROM operation WHERE id = ANY($1) AND state = 'succeeded'";
    eventually(PATIENCE, "the end of every operation", async || {
        let done: i64 = client.query_one(sql, &[&ids]).await.map_err(|error| error.to_string())?.get(0);
        if usize::try_from(done) == Ok(ids.len()) { Ok(()) } else { Err(format!("{done} done")) }
    })
    .await;
    Ok(())
}

async fn carry_out(bench: &Bench, ids: &[uuid::Uuid]) -> Outcome<()> {
    let run = |id| alone::run(&bench.control, OperationId::from_uuid(id));
    let outcomes: Vec<_> = stream::iter(ids.iter().copied()).map(run).buffer_unordered(AT_ONCE).collect().await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(())
}

async fn give_up(bench: &Bench, ids: &[uuid::Uuid]) -> Outcome<()> {
    let over = "UPDATE operation SET state = 'abandoned', finished_at = now(), lease_owner = NULL, lease_until = NULL WHERE id = ANY($1)";
    bench.client().await.execute(over, &[&ids]).await?;
    Ok(())
}

/// Asks for deletions that nobody begins.
async fn queued(bench: &Bench, names: Range<usize>, how: &str) -> Outcome<Vec<uuid::Uuid>> {
    let client = bench.client().await;
    // Runners skip what is locked: no operation is begun before all are there.
    client.batch_execute(HOLD_BACK).await?;
    let mut ids = Vec::new();
    for n in names {
        ids.push(bench.delete(n, Duration::ZERO).await?.as_uuid());
    }
    client.batch_execute("DROP TRIGGER hold_back ON operation").await?;
    client.execute(&format!("UPDATE operation SET {how} WHERE id = ANY($1)"), &[&ids]).await?;
    Ok(ids)
}
