//! How those are served who are told what was done, as monitoring sees it.

use std::time::Duration;

use holm_engine::notices::FRESH;
use holm_testkit::eventually;
use holm_testkit::hooks::{HookReceiver, Reply};
use reqwest::Method;
use serde_json::json;

use crate::installation::{Installation, config};

async fn metrics(holm: &Installation) -> String {
    holm.unsigned(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap()
}

async fn until(holm: &Installation, line: &str) {
    // What waits is asked for every few seconds only.
    eventually(FRESH + Duration::from_secs(20), line, async || {
        let text = metrics(holm).await;
        if text.lines().any(|known| known == line) { Ok(()) } else { Err(text) }
    })
    .await;
}

/// The story: one receiver takes what it is told, another has been silent for an hour.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_what_waits_and_for_how_long_are_metrics_and_no_receiver_is_a_label() {
    let holm = Installation::without_cluster_with(config()).await;
    let (takes, silent) = (HookReceiver::start().await.unwrap(), HookReceiver::start().await.unwrap());
    silent.reply(std::iter::repeat_n(Reply::Silence, 10));
    for (name, receiver) in [("takes", &takes), ("silent", &silent)] {
        let new = json!({ "name": name, "url": receiver.url(), "actions": ["principal.create"], "allow_private": true });
        assert_eq!(holm.post("/v1/webhooks", new).await.0, 201);
    }
    assert_eq!(holm.post("/v1/principals", json!({ "name": "anna", "kind": "person" })).await.0, 201);
    until(&holm, "holm_webhook_attempts_total{outcome=\"delivered\"} 1").await;
    let catalog = holm.catalog().await;
    let hour = "UPDATE webhook_delivery SET created_at = now() - interval '1 hour' WHERE state = 'pending'";
    eventually(Duration::from_secs(20), "the other is to be told", async || (catalog.execute(hour, &[]).await.unwrap() == 1).then_some(()))
        .await;
    until(&holm, "holm_webhook_messages{state=\"waiting\"} 1").await;
    eventually(FRESH + Duration::from_secs(20), "an hour", async || {
        let text = metrics(&holm).await;
        let age = text.lines().find_map(|line| line.strip_prefix("holm_webhook_oldest_waiting_seconds "));
        age.is_some_and(|age| (3600..3700).contains(&age.parse::<u64>().unwrap())).then_some(())
    })
    .await;
    let text = metrics(&holm).await;
    assert!(text.contains("holm_webhook_messages{state=\"dead\"} 0\n") && !text.contains("silent"), "{text}");
    assert!(text.contains("holm_mail_attempts_total{outcome=\"failed\"} 0\n"), "{text}");
    assert!(!text.contains("holm_mail_waiting"), "where nobody is written to nothing waits");
    // Every family says what it is, once.
    let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    assert_eq!(types.iter().collect::<std::collections::BTreeSet<_>>().len(), types.len());
}
