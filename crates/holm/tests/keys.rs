//! The master key of a running Holm: rotated, wrapped anew, lost and found, as `docs/how-to/keys.md` says.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod running;

use std::fs;

use running::Holm;
use serde_json::Value;

fn answer(holm: &Holm, command: &[&str]) -> Value {
    let said: Value = serde_json::from_str(&holm.cli_ok(&[command, &["-o", "json"]].concat())).unwrap();
    said["data"].clone()
}

/// The story: an operator replaces the key while customers work, then loses it, and finds the copy.
#[tokio::test(flavor = "multi_thread")]
async fn r59_the_master_key_is_replaced_under_traffic_and_a_lost_one_costs_nothing_but_the_start() {
    let mut holm = Holm::start(&[]).await;
    holm.create("development", "goteborg").await;
    let session = holm.connect("development", "rw", "goteborg").await.unwrap();
    assert_eq!(holm.cli(&["key", "rotate"]).status.code(), Some(5), "it wants a confirmation");
    let former = answer(&holm, &["key", "rotate", "--yes"])["former"].as_str().unwrap().to_owned();
    let kept = holm.directory().join(format!("master.key.{former}"));
    assert!(kept.exists() && answer(&holm, &["key", "list"])[1]["data_keys"].as_u64().unwrap() > 5);
    let doctor = holm.cli_ok(&["doctor"]);
    assert!(doctor.contains("holm key rewrap"), "{doctor}");
    let done = answer(&holm, &["key", "rewrap"]);
    assert_eq!((done["left"].as_u64(), done["retired"][0].as_str()), (Some(0), Some(&*former)));
    let keys = answer(&holm, &["key", "list"]);
    assert_eq!((keys[0]["state"].as_str(), keys[1]["state"].as_str()), (Some("current"), Some("retired")));
    fs::remove_file(kept).unwrap();
    session.query_one("SELECT 1", &[]).await.unwrap();
    holm.create("development", "malmo").await;
    let metrics = reqwest::get(format!("http://{}/metrics", holm.address("api"))).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\nholm_master_key_age_seconds "), "{metrics}");

    assert!(holm.terminate().await.success());
    let (key, copy) = (holm.directory().join("master.key"), holm.directory().join("a-copy"));
    fs::rename(&key, &copy).unwrap();
    for content in [None, Some(&b""[..]), Some(&[7; 32])] {
        if let Some(content) = content {
            fs::write(&key, content).unwrap();
        }
        let (status, said) = holm.fails_to_restart().await;
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("HOLM-6005") && said.contains("changed: nothing"), "{said}");
        assert_eq!(fs::read(&key).ok().as_deref(), content, "a key was made or overwritten");
    }
    fs::rename(&copy, &key).unwrap();
    holm.restart().await;
    for tenant in ["goteborg", "malmo"] {
        holm.connect("development", "rw", tenant).await.unwrap().query_one("SELECT 1", &[]).await.unwrap();
    }
}
