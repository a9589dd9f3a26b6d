//! Statements that the catalog executes while nothing happens.

use std::time::Duration;

use holm_core::webhook::Patterns;
use holm_engine::webhook::{self, NewWebhook};
use holm_testkit::eventually;

use crate::counted::Counter;
use crate::table::Table;
use crate::{Bench, Outcome, PATIENCE, by};

const WINDOW: Duration = Duration::from_secs(30);
const WINDOWS: usize = 3;

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Outcome<()> {
    // It hears of what never happens here, and has to be looked after all the same.
    let new = NewWebhook {
        name: "receiver".parse()?,
        url: "http://127.0.0.1:9/".to_owned(),
        actions: Patterns::new(["cluster.*".to_owned()])?,
        environment: None,
        allow_private: true,
    };
    webhook::create(&bench.control, &by(), new).await?;
    let client = bench.client().await;
    eventually(PATIENCE, "rest", async || {
        let sql = "SELECT (SELECT count(*) FROM database WHERE state IN ('planned', 'condemned'))
            + (SELECT count(*) FROM operation WHERE lease_owner IS NOT NULL)";
        let left: i64 = client.query_one(sql, &[]).await.map_err(|error| error.to_string())?.get(0);
        if left == 0 { Ok(()) } else { Err(format!("{left} left")) }
    })
    .await;
    drop(client);
    let mut counter = Counter::start(bench).await?;
    // The last looks after what happened before are behind it.
    tokio::time::sleep(WINDOW / 2).await;
    counter.take();
    let mut rates = Vec::new();
    for window in 0..WINDOWS {
        // Time that passes is what is measured.
        tokio::time::sleep(WINDOW).await;
        let counted = counter.take();
        rates.push(counted.statements.len() as f64 / WINDOW.as_secs_f64());
        println!("at rest, window {window}: {} statements in {} s", counted.statements.len(), WINDOW.as_secs());
        for (text, times) in counted.by_text() {
            println!("  {times:4} {text}");
        }
    }
    table.add("statements at rest, the whole process", rates, "/s", "<= 1 /s");
    counter.stop().await
}
