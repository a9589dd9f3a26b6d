//! `kill -9` at a bad moment: what was acknowledged is whole, and nothing else is left.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod running;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use running::Holm;
use tokio::sync::Notify;

const TENANTS: usize = 50;

/// The story: fifty customers are being created at once when the process is killed, twenty of them already acknowledged.
/// After a restart every acknowledged one answers with its schema, those that had been accepted but not acknowledged are
/// either whole or gone, and no database or role lies about that the catalog does not know.
#[tokio::test(flavor = "multi_thread")]
async fn r97_a_kill_while_fifty_tenants_are_created_loses_none_that_was_acknowledged_and_leaves_no_orphan() {
    let mut holm = Holm::demo().await;
    let acknowledged = create_until(&holm, 20).await;
    holm.kill();
    let acknowledged = acknowledged.await.unwrap();
    assert!(acknowledged.len() >= 20, "{acknowledged:?}");
    holm.restart().await;

    for slug in &acknowledged {
        let client = holm.connect("production", "rw", slug).await.unwrap_or_else(|error| panic!("{slug}: {error}"));
        let musicians: i64 = client.query_one("SELECT count(*) FROM musicians", &[]).await.unwrap().get(0);
        assert!(musicians > 0, "{slug} has its seed");
    }
    eventually_whole(&holm).await;
}

/// Starts all creations at once, and returns when `enough` of them were acknowledged, with the rest still under way.
async fn create_until(holm: &Holm, enough: usize) -> tokio::task::JoinHandle<Vec<String>> {
    let (api, token) = (holm.address("api"), holm.token());
    let reached = Arc::new(Notify::new());
    let tell = Arc::clone(&reached);
    let all = tokio::spawn(async move {
        let http = reqwest::Client::new();
        let mut creating = tokio::task::JoinSet::new();
        for i in 0..TENANTS {
            let request = http
                .post(format!("http://{api}/v1/environments/production/tenants"))
                .bearer_auth(&token)
                .json(&serde_json::json!({ "slug": format!("orchestra-{i}") }));
            creating.spawn(
                async move { request.send().await.is_ok_and(|response| response.status() == 201).then(|| format!("orchestra-{i}")) },
            );
        }
        let mut acknowledged = Vec::new();
        while let Some(created) = creating.join_next().await {
            acknowledged.extend(created.unwrap());
            if acknowledged.len() == enough {
                tell.notify_one();
            }
        }
        acknowledged
    });
    tokio::time::timeout(Duration::from_secs(120), reached.notified()).await.expect("creating goes on");
    all
}

/// Waits until the reconcilers have nothing left to do, then compares cluster and catalog name by name.
async fn eventually_whole(holm: &Holm) {
    let catalog = holm.server("catalog").await;
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let unfinished: i64 = catalog
            .query_one(
                "SELECT (SELECT count(*) FROM tenant WHERE state = 'creating') + (SELECT count(*) FROM database WHERE state IN ('planned', 'condemned'))",
                &[],
            )
            .await
            .unwrap()
            .get(0);
        if unfinished == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "{unfinished} rows are unfinished");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let production = ["env-production", "env-production-2", "env-production-3"];
    for (environment, servers) in [("production", &production[..]), ("staging", &["env-staging"])] {
        let known: BTreeSet<String> = names(
            &catalog,
            &format!(
                "SELECT d.name FROM database d JOIN environment e ON e.id = d.environment_id WHERE e.name = '{environment}'
                 UNION SELECT t.database_name FROM template t JOIN cluster c ON c.id = t.cluster_id JOIN environment e ON e.id = c.environment_id
                 WHERE e.name = '{environment}'"
            ),
        )
        .await;
        let (mut there, mut owners) = (BTreeSet::new(), BTreeSet::new());
        for server in servers {
            let server = holm.server(server).await;
            let databases = "SELECT datname::text FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')";
            there.extend(names(&server, databases).await);
            let roles = r"SELECT regexp_replace(rolname, '_(owner|rw|ro)$', '') FROM pg_roles WHERE rolname ~ '^(t|tpl)_'";
            owners.extend(names(&server, roles).await);
        }
        assert_eq!(there, known, "databases in {environment}");
        assert_eq!(owners, known, "roles in {environment}");
    }
}

async fn names(client: &tokio_postgres::Client, sql: &str) -> BTreeSet<String> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}
