//! What was executed, counted in the servers' logs: it is the same on every machine, however busy.

use std::collections::HashMap;
use std::time::Duration;

use holm_testkit::eventually;

use crate::{Bench, Outcome, PATIENCE};

/// The statements of the catalog from a place in its log on, and the connections that were opened on both servers.
pub(crate) struct Counted {
    pub(crate) statements: Vec<String>,
    pub(crate) catalog_connections: usize,
    pub(crate) cluster_connections: usize,
}

/// Counts while something runs.
pub(crate) struct Counter<'a> {
    bench: &'a Bench,
    catalog: usize,
    cluster: usize,
}

impl<'a> Counter<'a> {
    /// Has every statement of the catalog logged.
    pub(crate) async fn start(bench: &'a Bench) -> Outcome<Self> {
        set(bench, "all").await?;
        Ok(Self { bench, catalog: bench.catalog.log().len(), cluster: bench.cluster.log().len() })
    }

    /// What was counted since the start, or since this was asked before.
    pub(crate) fn take(&mut self) -> Counted {
        let (catalog, cluster) = (self.bench.catalog.log(), self.bench.cluster.log());
        let lines = catalog[self.catalog..].lines();
        let statements = lines.clone().filter_map(statement).collect();
        let opened = |lines: &str| lines.lines().filter(|line| line.contains("connection authorized")).count();
        let counted = Counted {
            statements,
            catalog_connections: opened(&catalog[self.catalog..]),
            cluster_connections: opened(&cluster[self.cluster..]),
        };
        (self.catalog, self.cluster) = (catalog.len(), cluster.len());
        counted
    }

    pub(crate) async fn stop(self) -> Outcome<()> {
        set(self.bench, "none").await
    }
}

impl Counted {
    /// How often each text was executed, most often first.
    pub(crate) fn by_text(&self) -> Vec<(String, usize)> {
        let mut kinds = HashMap::<String, usize>::new();
        for text in &self.statements {
            *kinds.entry(text.chars().take(90).collect()).or_default() += 1;
        }
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        kinds
    }

    /// How many are commits.
    pub(crate) fn commits(&self) -> usize {
        self.statements.iter().filter(|text| text.contains("COMMIT")).count()
    }
}

/// The first line of a statement, if a line of the log begins one.
fn statement(line: &str) -> Option<String> {
    let (_, text) = line.split_once("LOG:  ")?;
    let (kind, sql) = text.split_once(": ")?;
    (kind == "statement" || kind.starts_with("execute")).then(|| sql.to_owned())
}

async fn set(bench: &Bench, what: &'static str) -> Outcome<()> {
    let client = bench.client().await;
    client.batch_execute(&format!("ALTER SYSTEM SET log_statement = '{what}'")).await?;
    client.batch_execute("SELECT pg_reload_conf()").await?;
    eventually(PATIENCE, "the setting", async || {
        let now: String = client.query_one("SHOW log_statement", &[]).await.map_err(|error| error.to_string())?.get(0);
        if now == what { Ok(()) } else { Err(now) }
    })
    .await;
    // Sessions that are busy read their settings with their next statement; time that passes is what is needed.
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(())
}
